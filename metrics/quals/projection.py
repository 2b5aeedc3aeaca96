"""The output projection taken out of the model, so that it is computed for the rows that matter, in blocks.

A model's forward pass gives logits for every position over the whole vocabulary: hundreds of megabytes that are written
and read several times. Here the hidden states are caught before the projection. The logits of a block of the vocabulary
are reduced to what is wanted while they are still in the processor's cache: their sum of powers, and the maximum of
each run of neighbours, by which the likeliest tokens are found without a look at the others.
"""

from __future__ import annotations

import math
from contextvars import ContextVar
from threading import Lock
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import PreTrainedModel

from .matmul import rounded_up

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
        self._rows = max(1, budget // (4 * self._blocks * self._block) // 64 * 64)  # of logits at once
        self._memory = torch.empty(0)  # fresh memory for each step would be fetched page by page
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
            Natural log-probabilities ``(n, width)`` in float32, and their tokens in ascending order, ``(n, width)``.
        """
        found = [self._most_likely(some, width, banned) for some in hidden.split(self._rows)]
        return torch.cat([values for values, _ in found]), torch.cat([ids for _, ids in found])

    def log_probs(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        """Natural log-probabilities ``(n,)`` in float32 of one token for each of ``(n, d)`` hidden states."""
        found = []
        fill = rounded_up(len(tokens)) - len(tokens)
        hidden, padded = pad(hidden, (0, 0, 0, fill)), pad(tokens, (0, fill))
        for some, ids in zip(hidden.split(self._rows), padded.split(self._rows), strict=True):
            logits, _, normaliser = self._logits(some)
            rows = torch.arange(len(ids), device=ids.device)
            found.append(logits[ids // self._block, rows, ids % self._block] - normaliser)
        return torch.cat(found)[: len(tokens)]

    def _most_likely(self, hidden: Tensor, width: int, banned: int | None) -> tuple[Tensor, Tensor]:
        logits, best, normaliser = self._logits(hidden)
        rows = len(hidden)
        runs = logits.view(logits.shape[0], rows, -1, _RUN)  # (blocks, n, runs of a block, 64)
        if banned is not None:
            # Above the places after the last token, which must not be found.
            block, at = divmod(banned, self._block)
            logits[block, :, at] = torch.finfo(logits.dtype).min
            best[block, :, at // _RUN] = runs[block, :, at // _RUN].amax(-1)
        best = best.transpose(0, 1).flatten(1)  # (n, runs)
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

    def _logits(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Float32 logits of few rows, ``(blocks, n, block)``, the maxima of their runs, and each row's log-sum-exp.

        The next call overwrites the logits. Tokens after the vocabulary's last have minus infinity.
        """
        weight, count, size, rows = self.head.weight, self._blocks, self._block, len(hidden)
        needed = (count + 1) * rows * size
        if self._memory.numel() < needed:
            self._memory = hidden.new_empty(needed, dtype=torch.float32)
        memory = self._memory[:needed].view(count + 1, rows, size)
        logits, terms = memory[:-1], memory[-1]
        logits[-1, :, self.vocabulary - (count - 1) * size :] = -torch.inf
        best = hidden.new_empty(count, rows, size // _RUN, dtype=torch.float32)
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
            torch.amax(logits[block].view(rows, -1, _RUN), -1, out=best[block])
            higher = torch.maximum(top, best[block].amax(1, keepdim=True) * _LOG2_E)
            total *= torch.exp2(top - higher)
            top = higher
            torch.add(-top, logits[block], alpha=_LOG2_E, out=terms)
            total += terms.exp2_().sum(1, keepdim=True)
        return logits, best, (top + total.log2())[:, 0] / _LOG2_E
