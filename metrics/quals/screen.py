"""Which tokens can be among the likeliest: bounds of all logits by int8 products, a quarter of float32's work.

A logit is the product of a hidden state x and a token's weights w. Both are rounded to whole multiples of a unit, x
to x' and w to w'. Cauchy and Schwarz say that

    |x w - x' w'| <= |x - x'| |w| + |x'| |w - w'|.

So x' w' plus the right side is never below the logit. Only the tokens with the highest bounds need float32. Their
logits show which of them are the highest, and the bounds show what the other tokens cannot exceed.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from .matmul import least_seconds

_MOST = 127  # of an int8
_LEAST = 1e-20  # largest magnitude that a row is taken to have
_FEWEST_TOKENS = 4096  # of a vocabulary for which it pays
_SLACK = 1.001  # times the bound: more than the rounding of float32
_PAYS = 0.4  # of float32's time: special instructions take 0.25, others 0.5
_CHUNK = 2048  # tokens whose weights are rounded at once


class Screen:
    """The rounded weights of an output projection.

    Args:
        weight: ``(V, d)`` float32.
    """

    def __init__(self, weight: Tensor) -> None:
        self.vocabulary, width = weight.shape
        self._rounded = weight.new_empty(self.vocabulary, width, dtype=torch.int8)
        self._units, self._lengths, self._errors = weight.new_empty(3, self.vocabulary).unbind()
        for first in range(0, self.vocabulary, _CHUNK):
            some = slice(first, first + _CHUNK)
            own = weight[some].detach()
            units = _units(own)  # (n, 1)
            rounded = (own / units).round_()
            self._rounded[some], self._units[some] = rounded, units[:, 0]
            self._lengths[some] = own.norm(dim=1)
            self._errors[some] = (own - rounded * units).norm(dim=1)

    def bounds(self, hidden: Tensor, bias: Tensor | None = None) -> Bounds:
        """Upper bounds of the logits of ``(n, d)`` float32 hidden states, a bias ``(V,)`` added."""
        units = _units(hidden)  # (n, 1)
        scaled = hidden / units
        rounded = scaled.round()
        # In units of the hidden states, and the largest for all: rows differ little.
        # A row that is not a number says nothing about the others.
        lost, length = ((part.norm(dim=1).nan_to_num(0)).max() for part in (scaled - rounded, rounded))
        margins = _SLACK * (lost * self._lengths + length * self._errors)  # (V,)
        return Bounds(self._rounded, self._units, margins, bias, rounded.to(torch.int8), units)


class Bounds:
    """Bounds of some rows' logits, in units of each row.

    Attributes:
        units: ``(n, 1)``; a bound times its row's unit is in nats.
    """

    def __init__(
        self,
        weights: Tensor,  # (V, d) int8
        weight_units: Tensor,  # (V,)
        margins: Tensor,  # (V,)
        bias: Tensor | None,  # (V,)
        hidden: Tensor,  # (n, d) int8
        units: Tensor,  # (n, 1)
    ) -> None:
        self._weights, self._weight_units, self._margins, self._bias = weights, weight_units, margins, bias
        self._hidden, self.units = hidden, units

    def write(self, first: int, into: Tensor, memory: Tensor) -> None:
        """Write the bounds of some tokens.

        Args:
            first: the first of them.
            into: ``(n, tokens)`` float32.
            memory: of as many numbers, contiguous float32, which are overwritten.
        """
        some = slice(first, first + into.shape[1])
        products = memory.view(torch.int32).flatten()[: into.numel()].view(into.shape)
        torch._int_mm(self._hidden, self._weights[some].t(), out=products)
        into.copy_(products)
        torch.addcmul(self._margins[some], into, self._weight_units[some], out=into)
        if self._bias is not None:
            into.addcdiv_(self._bias[some], self.units)

    def estimates(self, first: int, bounds: Tensor, memory: Tensor) -> Tensor:
        """The middle of each logit's interval, ``(n, tokens)`` in nats.

        Args:
            first: the first of the tokens.
            bounds: theirs, ``(n, tokens)``.
            memory: for the estimates: ``(n, tokens)`` or more.
        """
        some = slice(first, first + bounds.shape[1])
        middle = torch.sub(bounds, self._margins[some], out=memory[:, : bounds.shape[1]])
        return middle.mul_(self.units)

    def margins(self, ids: Tensor) -> Tensor:
        """How far the bounds of tokens are above the estimates, ``(n, k)`` in nats."""
        return self._margins[ids] * self.units


def screen_of(head: torch.nn.Linear) -> Screen | None:
    """The screen of an output projection's weights as they are now; None where it does not pay.

    To find out whether the weights are still those of another would take as long: an optimizer may change them without
    torch counting it.
    """
    weight = head.weight
    if weight.device.type != "cpu" or weight.dtype != torch.float32 or len(weight) < _FEWEST_TOKENS or not int8_pays():
        return None
    return Screen(weight)


def int8_pays() -> bool:
    """Whether this processor multiplies int8 matrices exactly, and much faster than float32's; a trial, once."""
    return _tried() if _told is None else _told


def screen_as(pays: bool) -> None:
    """Have this process use bounds as another does: scores with and without them may differ in rounding."""
    global _told
    _told = pays


_told: bool | None = None


@lru_cache
def _tried() -> bool:
    # Sums of the largest products are those that instructions of 16 bits would cut off.
    drawn = torch.randint(0, 2, (64 + 2048, 384), generator=torch.Generator("cpu").manual_seed(0), device="cpu")
    drawn[::8] = 1
    left, right = ((2 * drawn - 1) * _MOST).to(torch.int8).split([64, 2048])
    try:
        exact = torch.equal(torch._int_mm(left, right.t()).float(), (left.double() @ right.double().t()).float())
        if not exact:
            return False
        whole = least_seconds(lambda: torch._int_mm(left, right.t()))
    except (AttributeError, RuntimeError):  # a torch without this product, or without it on CPUs
        return False
    floats, others = left.float(), right.float().t()
    with torch.autocast("cpu", enabled=False):
        return whole < _PAYS * least_seconds(lambda: floats @ others)


def _units(rows: Tensor) -> Tensor:
    """``(n, 1)``: the largest magnitude of a row is 127 of them."""
    return rows.abs().amax(1, keepdim=True).clamp_min(_LEAST) / _MOST
