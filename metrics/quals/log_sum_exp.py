"""Log-sum-exps of logits that come block by block."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_LOG2_E = math.log2(math.e)


class LogSumExp:
    """A sum of exponentials for each of ``(n, d)`` hidden states."""

    def __init__(self, hidden: Tensor) -> None:
        # Powers of 2, because torch's exp takes four times as long on some processors.
        self._top = hidden.new_full((len(hidden), 1), -torch.inf, dtype=torch.float32)
        self._total = torch.zeros_like(self._top)

    def add(self, logits: Tensor, highest: Tensor, memory: Tensor) -> None:
        """Add those of ``(n, tokens)`` logits.

        Args:
            logits: logits.
            highest: ``(n, 1)``, about their maximum.
            memory: ``(n, tokens)`` or more, which is overwritten.
        """
        top = torch.maximum(self._top, highest * _LOG2_E)
        self._total *= torch.exp2(self._top - top)
        self._top = top
        terms = torch.add(-top, logits, alpha=_LOG2_E, out=memory[:, : logits.shape[1]]).exp2_()
        self._total += terms.sum(1, keepdim=True)

    def replace(self, estimates: Tensor, logits: Tensor) -> None:
        """Count ``(n, k)`` logits instead of what they were estimated as."""
        self._total -= torch.exp2(estimates * _LOG2_E - self._top).sum(1, keepdim=True)
        self._total.clamp_min_(0)  # of nearly all that was added, rounding may take more
        self._total += torch.exp2(logits * _LOG2_E - self._top).sum(1, keepdim=True)

    def value(self) -> Tensor:
        """Natural logarithms of the sums, ``(n,)`` float32."""
        return (self._top + self._total.log2())[:, 0] / _LOG2_E
