"""Log-probabilities of given tokens from logits, with a gradient that makes no copies of the vocabulary's width."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Elements of logits that are worked on at once: they stay in a CPU's cache, and fill a GPU.
_ON_CPU, _ELSEWHERE = 2**19, 2**26


class TokenLogProbs(torch.autograd.Function):
    """``log p(y)``, ``log(1 - p(y))`` and the mean log-probability over the vocabulary, at each position.

    With ``o = log sum over j other than y of exp z_j``, the other tokens' share of the probability::

        log p = log sigmoid(z_y - o)        log(1 - p) = log sigmoid(o - z_y)

    So ``log(1 - p)`` keeps its value and its gradient where p rounds to 1. Autograd would keep several arrays of the
    logits' size for this; here the logits alone are kept.

    Inputs: logits ``(N, V)``, any float dtype; tokens ``(N,)`` int64. Outputs: three of ``(N,)``, float64 for float64
    logits and else float32, in nats.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The three outputs."""
        ctx.set_materialize_grads(False)
        wide = torch.float64 if logits.dtype == torch.float64 else torch.float32
        own, others, means = torch.empty(3, len(logits), dtype=wide, device=logits.device)  # (N,) each
        for rows in _parts(logits):
            values, token = logits[rows].to(wide), tokens[rows, None]  # (n, V), (n, 1)
            own[rows] = values.gather(-1, token).squeeze(-1)
            means[rows] = values.mean(-1)
            others[rows] = values.scatter(-1, token, -math.inf).logsumexp(-1)
        ctx.save_for_backward(logits, tokens, own, others)
        log_probs = torch.nn.functional.logsigmoid(own - others)
        return log_probs, torch.nn.functional.logsigmoid(others - own), means - own + log_probs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, None]:
        """The gradient of the logits.

        With ``q_j = exp(z_j - o)`` for the other tokens, so that ``p_j = (1 - p) q_j``::

            d log p / d z_j = -(1 - p) q_j      d log(1 - p) / d z_j = p q_j       d mean / d z_j = 1/V - (1 - p) q_j
            d log p / d z_y = 1 - p             d log(1 - p) / d z_y = -p          d mean / d z_y = 1/V - p
        """
        logits, tokens, own, others = ctx.saved_tensors
        p, rest = (own - others).sigmoid(), (others - own).sigmoid()  # (N,): p and 1 - p
        of_log_prob, of_complement, of_mean = (torch.zeros_like(p) if g is None else g for g in gradients)
        at_token = of_log_prob * rest - of_complement * p - of_mean * p  # (N,)
        at_others = of_complement * p - (of_log_prob + of_mean) * rest  # (N,)
        result = torch.empty_like(logits)
        for rows in _parts(logits):
            part = (logits[rows].to(p.dtype) - others[rows, None]).exp_()  # (n, V)
            part.mul_(at_others[rows, None]).scatter_(-1, tokens[rows, None], at_token[rows, None])
            if gradients[2] is not None:
                part.add_(of_mean[rows, None] / logits.shape[-1])
            result[rows] = part
        return result, None


def _parts(logits: Tensor) -> list[slice]:
    """Slices of the rows of ``(N, V)`` logits, few enough rows in each."""
    most = _ON_CPU if logits.device.type == "cpu" else _ELSEWHERE
    size = max(1, most // max(1, logits.shape[-1]))
    return [slice(first, first + size) for first in range(0, len(logits), size)]
