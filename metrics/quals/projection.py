"""The output projection taken out of the model, so that it is computed for the rows that matter, in blocks.

A model's forward pass gives logits for every position over the whole vocabulary: hundreds of megabytes that are written
and read several times. Here the hidden states are caught before the projection. The logits of a block of the vocabulary
are reduced to what is wanted while they are still in the processor's cache: their sum of powers, or the maximum of
each run of neighbours, by which the likeliest tokens are found without a look at the others. Where only the likeliest
are wanted, bounds that cost less may take the place of the logits (see ``screen``).
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import PreTrainedModel

from .hooks import hook_once
from .log_sum_exp import LogSumExp
from .matmul import rounded_up
from .screen import Bounds, Screen, screen_of

_BLOCK = 2048  # tokens whose logits are computed together: those of some hundred rows stay in the processor's cache
_RUN = 64  # neighbouring tokens with one maximum
_BYTES, _BYTES_ON_DEVICE = 2**25, 2**30  # of logits
_GATHERED = 2**21  # numbers of weights that are gathered at once
_BOUNDED = 8  # times as many tokens may be asked for before bounds cost more than logits

# A model is shared by all threads. So its projection is hooked once and for ever, and the hook catches for those calls
# alone that wait for hidden states, each in its own context.
_caught: ContextVar[list[Tensor] | None] = ContextVar("quals_hidden_states", default=None)


def _catch(_: torch.nn.Module, arguments: tuple[Tensor]) -> tuple[Tensor] | None:
    caught = _caught.get()
    if caught is None:
        return None
    caught.append(arguments[0])
    return (arguments[0][:0],)


class Likely(NamedTuple):
    """Some likely tokens of each of n hidden states.

    Attributes:
        log_probs: ``(n, width)`` float32, natural. Where bounds took the place of logits, a row's are all off by one
            number, usually less than a hundredth.
        ids: their tokens in ascending order, ``(n, width)``.
        limits: ``(n,)``, what the log-probability of no other token exceeds.
    """

    log_probs: Tensor
    ids: Tensor
    limits: Tensor


class OutputProjection:
    """Runs ``model`` without its projection, and the projection by itself; any number of threads may do so at once.

    It is of the weights as they are when it is made.
    """

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
        hook_once(self.head, __name__, lambda head: head.register_forward_pre_hook(_catch))

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""
        return int(self.head.weight.shape[0])

    @property
    def estimates(self) -> bool:
        """Whether log-probabilities of :meth:`most_likely` are estimates; their order is exact."""
        return self._screen(1) is not None

    def _screen(self, width: int) -> Screen | None:
        return None if width * _BOUNDED > self.vocabulary else self._current_screen

    @cached_property
    def _current_screen(self) -> Screen | None:
        return screen_of(self.head)

    def hidden_states(self, **inputs: Any) -> Tensor:
        """What the projection would see, ``(N, T, d)``, model-specific scaling included."""
        caught: list[Tensor] = []
        token = _caught.set(caught)
        try:
            self.model(**inputs)
        finally:
            _caught.reset(token)
        return caught[0]

    def most_likely(self, hidden: Tensor, width: int, banned: int | None = None) -> Likely:
        """Some likely tokens of each of ``(n, d)`` hidden states.

        Args:
            hidden: hidden states.
            width: number of tokens, the vocabulary's size at most.
            banned: a token that is left out, though it counts among all tokens.
        """
        parts = [self._most_likely(some, width, banned) for some in hidden.split(self._rows)]
        return Likely(*map(torch.cat, zip(*parts, strict=True)))

    def log_probs(self, hidden: Tensor, rows: Tensor, tokens: Tensor) -> Tensor:
        """Natural log-probabilities ``(m,)`` in float32 of tokens after hidden states.

        Args:
            hidden: ``(n, d)``.
            rows: ``(m,)`` int64, the hidden state of each token.
            tokens: ``(m,)`` int64.
        """
        filled = pad(hidden, (0, 0, 0, rounded_up(len(hidden)) - len(hidden)))
        sums = torch.cat([self._log_sums(some) for some in filled.split(self._rows)])  # (n or more,)
        logits = self._logits_of(hidden[rows], tokens[:, None])[:, 0]
        return (logits - sums[rows]).clamp_max_(0)  # rounding may make it more

    def _log_sums(self, hidden: Tensor) -> Tensor:
        """The log-sum-exp of few rows' logits, ``(n,)``, which no memory needs to keep."""
        (logits,), spare = self._room(len(hidden), 1)
        log_sums = LogSumExp(hidden)
        for block in range(self._blocks):
            some = self._write(block, hidden, logits)
            log_sums.add(some, some.amax(1, keepdim=True), spare)
        return log_sums.value()

    def _most_likely(
        self, hidden: Tensor, width: int, banned: int | None
    ) -> tuple[Tensor, Tensor, Tensor]:  # (n, width), (n, width), (n,)
        screen = self._screen(width)
        if screen is not None:
            return self._screened(screen.bounds(hidden, self.bias), hidden, width, banned)
        logits, best, normaliser = self._normalised(hidden)
        values, ids = self._highest(logits, best, width, banned)
        log_probs = values - normaliser[:, None]
        return log_probs, ids, log_probs.amin(1)

    def _screened(
        self, bounds: Bounds, hidden: Tensor, width: int, banned: int | None
    ) -> tuple[Tensor, Tensor, Tensor]:  # (n, width), (n, width), (n,)
        """As :meth:`_most_likely`, by bounds of the logits."""
        room, spare = self._room(len(hidden), self._blocks)
        best = self._maxima(len(hidden))
        log_sums = LogSumExp(hidden)
        for block in range(self._blocks):
            first = block * self._block
            into = room[block, :, : self.vocabulary - first]
            bounds.write(first, into, spare)
            torch.amax(room[block].view(len(hidden), -1, _RUN), -1, out=best[block])
            estimates = bounds.estimates(first, into, spare)
            log_sums.add(estimates, estimates.amax(1, keepdim=True), spare)
        if banned is not None:
            block, at = divmod(banned, self._block)
            left_out = room[block, :, at : at + 1].clone()  # (n, 1)
        values, ids = self._highest(room, best, width, banned)
        limits = values.amin(1) * bounds.units[:, 0]
        logits = self._logits_of(hidden, ids)
        # Nearly all of the sum comes from tokens whose logits are known now.
        known, tokens, above = logits, ids, values
        if banned is not None:
            tokens = torch.full_like(ids[:, :1], banned)
            known = torch.cat([logits, self._logits_of(hidden, tokens)], 1)
            tokens, above = torch.cat([ids, tokens], 1), torch.cat([values, left_out], 1)
        log_sums.replace(above * bounds.units - bounds.margins(tokens), known)
        normaliser = log_sums.value()[:, None]
        return logits - normaliser, ids, limits - normaliser[:, 0]

    def _highest(self, logits: Tensor, best: Tensor, width: int, banned: int | None) -> tuple[Tensor, Tensor]:
        """The highest of ``(blocks, n, block)`` and their tokens in ascending order, both ``(n, width)``."""
        rows = logits.shape[1]
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
        row = torch.arange(rows, device=logits.device)[:, None]
        place = (chosen // per_block * rows + row) * per_block + chosen % per_block  # (n, k), in all runs
        values = runs.reshape(-1, _RUN).index_select(0, place.flatten()).view(rows, -1)  # (n, k * 64)
        values, among = values.topk(width, sorted=False)  # (n, width)
        ids = chosen.gather(1, among // _RUN) * _RUN + among % _RUN
        ids, by_id = ids.sort(1)
        return values.gather(1, by_id), ids

    def _logits_of(self, hidden: Tensor, ids: Tensor) -> Tensor:
        """Logits ``(n, width)`` of few tokens for each of ``(n, d)`` hidden states."""
        found = []
        few = max(1, _GATHERED // (ids.shape[1] * hidden.shape[1]))
        for some, tokens in zip(hidden.split(few), ids.split(few), strict=True):
            weights = self.head.weight.index_select(0, tokens.flatten()).view(*tokens.shape, -1)  # (n, width, d)
            into = hidden.new_empty(*tokens.shape, 1)
            torch.bmm(weights, some[:, :, None], out=into)  # which no autocast rounds
            found.append(into[:, :, 0])
        logits = torch.cat(found).float()
        return logits if self.bias is None else logits + self.bias[ids]

    def _normalised(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Float32 logits ``(blocks, n, block)`` of few rows, the maxima of their runs, and log-sum-exps ``(n,)``."""
        logits, spare = self._room(len(hidden), self._blocks)
        best = self._maxima(len(hidden))
        log_sums = LogSumExp(hidden)
        for block in range(self._blocks):
            some = self._write(block, hidden, logits[block])
            torch.amax(logits[block].view(len(hidden), -1, _RUN), -1, out=best[block])
            log_sums.add(some, best[block].amax(1, keepdim=True), spare)
        return logits, best, log_sums.value()

    def _write(self, block: int, hidden: Tensor, into: Tensor) -> Tensor:
        """Write a block's logits into ``(n, block)``, and give out those of tokens, ``(n, at most block)``."""
        some = slice(block * self._block, (block + 1) * self._block)
        part = self.head.weight[some].t()  # (d, at most block)
        logits = into[:, : part.shape[1]]
        if hidden.dtype == torch.float32:
            torch.mm(hidden, part, out=logits)
        else:
            logits.copy_(hidden @ part)
        if self.bias is not None:
            logits += self.bias[some]
        return logits

    def _room(self, rows: int, blocks: int) -> tuple[Tensor, Tensor]:
        """Memory for ``(blocks, rows, block)`` logits, and for a block more; the next call gives out the same.

        After the vocabulary's last token the last of all blocks has minus infinity.
        """
        size = self._block
        needed = (blocks + 1) * rows * size
        if self._memory.numel() < needed:
            self._memory = torch.empty(needed, dtype=torch.float32, device=self.head.weight.device)
        memory = self._memory[:needed].view(-1, rows, size)
        if blocks == self._blocks:
            memory[-2, :, self.vocabulary - (blocks - 1) * size :] = -torch.inf
        return memory[:-1], memory[-1]

    def _maxima(self, rows: int) -> Tensor:
        """Memory for the maxima of runs, ``(blocks, rows, runs of a block)``."""
        return torch.empty(self._blocks, rows, self._block // _RUN, dtype=torch.float32, device=self.head.weight.device)
