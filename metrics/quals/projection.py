"""The output projection taken out of the model, so that it is computed for the rows that matter, in slices.

A model's forward pass gives logits for every position over the whole vocabulary: hundreds of megabytes that are written
and read several times. Here the hidden states are caught before the projection. Each slice of logits is reduced to what
is wanted while it is still in the processor's cache.
"""

from __future__ import annotations

import math
from contextvars import ContextVar
from threading import Lock
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor
from transformers import PreTrainedModel

_BLOCK = 2048  # tokens whose logits are computed together: those of some hundred rows stay in the processor's cache
_RUN = 64  # neighbouring tokens with one maximum
_BYTES, _BYTES_ON_DEVICE = 2**25, 2**30  # of logits
_LOG2_E = math.log2(math.e)

# A model is shared by all threads. So its projection is hooked once and for ever, and the hook catches for those calls
# alone that wait for hidden states, each in its own context.
_caught: ContextVar[list[Tensor] | None] = ContextVar("quals_hidden_states", default=None)
_hooked: WeakSet[torch.nn.Module] = WeakSet()
_hooking = Lock()


def _catch(_: torch.nn.Module, arguments: tuple[Tensor]) -> tuple[Tensor] | None:
    caught = _caught.get()
    if caught is None:
        return None
    caught.append(arguments[0])
    return (arguments[0][:0],)


class OutputProjection:
    """Runs ``model`` without its projection, and the projection by itself; any number of threads may do so at once."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self.head: torch.nn.Linear = model.get_output_embeddings()
        # BART adds a bias after the projection, which is usually all zero.
        biases = [self.head.bias, getattr(model, "final_logits_bias", None)]
        added = [bias.flatten() for bias in biases if isinstance(bias, Tensor) and bool(bias.any())]
        self.bias: Tensor | None = torch.stack(added).sum(0) if added else None
        on_cpu = self.head.weight.device.type == "cpu"
        whole = -(-self.vocabulary // _RUN) * _RUN
        self._block = min(_BLOCK, whole) if on_cpu else whole
        self._blocks = -(-self.vocabulary // self._block)
        budget = _BYTES if on_cpu else _BYTES_ON_DEVICE
        self._rows = max(1, budget // (4 * self._blocks * self._block))  # of logits at once
        self._memory: Tensor | None = None
        with _hooking:
            if self.head not in _hooked:
                self.head.register_forward_pre_hook(_catch)
                _hooked.add(self.head)

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""
        return int(self.head.weight.shape[0])

    def hidden_states(self, **inputs: Any) -> Tensor:
        """What the projection would see, ``(N, T, d)``, model-specific scaling included."""
        caught: list[Tensor] = []
        token = _caught.set(caught)
        try:
            self.model(**inputs)
        finally:
            _caught.reset(token)
        return caught[0]

    def most_likely(self, hidden: Tensor, width: int, banned: int | None = None) -> tuple[Tensor, Tensor]:
        """The ``width`` likeliest tokens of each of ``(n, d)`` hidden states.

        Args:
            hidden: hidden states.
            width: number of tokens, the vocabulary's size at most.
            banned: a token that is left out, though it counts among all tokens.

        Returns:
            Natural log-probabilities ``(n, width)`` in float32, and the tokens in ascending order, ``(n, width)`` int64.
        """
        found = [self._most_likely(some, width, banned) for some in hidden.split(self._rows)]
        return torch.cat([values for values, _ in found]), torch.cat([ids for _, ids in found])

    def log_probs(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        """Natural log-probabilities ``(n,)`` in float32 of one token for each of ``(n, d)`` hidden states."""
        found = []
        for some, ids in zip(hidden.split(self._rows), tokens.split(self._rows), strict=True):
            logits, normaliser = self._logits(some)
            rows = torch.arange(len(ids), device=ids.device)
            found.append(logits[ids // self._block, rows, ids % self._block] - normaliser)
        return torch.cat(found)

    def _most_likely(self, hidden: Tensor, width: int, banned: int | None) -> tuple[Tensor, Tensor]:
        logits, normaliser = self._logits(hidden)
        rows = len(hidden)
        runs = logits.view(logits.shape[0], rows, -1, _RUN)  # (blocks, n, runs of a block, 64)
        if banned is not None:
            # Above the places after the last token, which must not be found.
            logits[banned // self._block, :, banned % self._block] = torch.finfo(logits.dtype).min
        best = runs.amax(-1).transpose(0, 1).flatten(1)  # (n, runs)
        # The likeliest tokens are in as many runs at most, those with the highest maxima.
        chosen = best.topk(min(width, best.shape[1]), sorted=False).indices  # (n, k)
        per_block = runs.shape[2]
        row = torch.arange(rows, device=hidden.device)[:, None]
        place = (chosen // per_block * rows + row) * per_block + chosen % per_block  # (n, k), in all runs
        values = runs.reshape(-1, _RUN).index_select(0, place.flatten()).view(rows, -1)  # (n, k * 64)
        values, among = values.topk(width, sorted=False)  # (n, width)
        ids = chosen.gather(1, among // _RUN) * _RUN + among % _RUN
        ids, by_id = ids.sort(1)
        return values.gather(1, by_id) - normaliser[:, None], ids

    def _logits(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Float32 logits of few rows, ``(blocks, n, block)``, and the log-sum-exp of each row, ``(n,)``.

        The next call overwrites the logits. Tokens after the vocabulary's last have minus infinity.
        """
        weight, count, size, rows = self.head.weight, self._blocks, self._block, len(hidden)
        if self._memory is None:
            self._memory = hidden.new_empty(count * self._rows * size, dtype=torch.float32)
            self._terms = hidden.new_empty(self._rows * size, dtype=torch.float32)
        logits = self._memory[: count * rows * size].view(count, rows, size)
        terms = self._terms[: rows * size].view(rows, size)
        logits[-1, :, self.vocabulary - (count - 1) * size :] = -torch.inf
        # Powers of 2, because torch's exp takes four times as long on some processors.
        top = hidden.new_full((rows, 1), -torch.inf, dtype=torch.float32)
        total = torch.zeros_like(top)
        for block in range(count):
            part = weight[block * size : (block + 1) * size].t()  # (d, at most block)
            into = logits[block, :, : part.shape[1]]
            if hidden.dtype == torch.float32:
                torch.mm(hidden, part, out=into)
            else:
                into.copy_(hidden @ part)
            if self.bias is not None:
                into += self.bias[block * size : (block + 1) * size]
            higher = torch.maximum(top, logits[block].amax(1, keepdim=True) * _LOG2_E)
            total *= torch.exp2(top - higher)
            top = higher
            torch.add(-top, logits[block], alpha=_LOG2_E, out=terms)
            total += terms.exp2_().sum(1, keepdim=True)
        return logits, (top + total.log2())[:, 0] / _LOG2_E
