"""Token log-likelihoods of a batch's targets and candidates: what every contrastive loss reads."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from trainer_ext.dataset import IGNORED
from trainer_ext.losses.token_log_probs import TokenLogProbs


@dataclass(frozen=True)
class Likelihoods:
    """Log-likelihoods of every token of a batch; row 0 of a document is its target, rows 1 to K its candidates.

    Attributes:
        log_probs: ``(B, 1 + K, T)`` float32, ``log p(y_t | y_<t, x)`` in nats; 0 at padding.
        log_complements: ``(B, K, T)`` float32, ``log(1 - p)`` of the candidates' tokens in nats; 0 at padding.
        mean_log_probs: ``(B, T)`` float32, mean log-probability over the vocabulary at each of the target's tokens,
            for label smoothing; 0 at padding.
        mask: ``(B, 1 + K, T)`` bool, True at real tokens; a row without any is a missing candidate.
        scores: ``(B, K)`` float32, the ranker's scores, higher is better; NaN where there is none.
    """

    log_probs: Tensor
    log_complements: Tensor
    mean_log_probs: Tensor
    mask: Tensor
    scores: Tensor

    @property
    def present(self) -> Tensor:
        """``(B, 1 + K)`` bool: rows that have a token."""
        return self.mask.any(-1)

    def sequence(self, length_penalty: float) -> Tensor:
        """``(B, 1 + K)``: f(y), the log-likelihood of a row over its length to the power of ``length_penalty``.

        A penalty of 0 gives the log-likelihood in nats, a penalty of 1 its mean in nats per token.
        """
        lengths = self.mask.sum(-1).clamp(min=1)  # (B, 1 + K)
        return self.log_probs.sum(-1) / lengths**length_penalty

    def comparisons(self) -> tuple[Tensor, Tensor]:
        """Which rows should be likelier than which.

        Returns:
            better: ``(B, 1 + K, 1 + K)`` bool, ``[b, i, j]``: row i is better than row j. The target is better than
                every candidate. Of two candidates with scores, the one with the higher score is better.
            gaps: ``(B, 1 + K, 1 + K)`` float32, the difference of their places in the order, at least 1 where
                ``better``.
        """
        scores = self.scores
        higher = scores[:, :, None] > scores[:, None, :]  # (B, K, K); False for NaN
        places = 1.0 + higher.sum(1)  # (B, K): the target has place 0
        places = torch.cat([places.new_zeros(len(places), 1), places], dim=1)  # (B, 1 + K)
        better = torch.nn.functional.pad(higher, (1, 0, 1, 0))  # (B, 1 + K, 1 + K)
        better[:, 0, 1:] = True
        better &= self.present[:, :, None] & self.present[:, None, :]
        return better, places[:, None, :] - places[:, :, None]


def likelihoods(logits: Tensor, targets: Tensor, scores: Tensor) -> Likelihoods:
    """Log-likelihoods of target tokens.

    ``log(1 - p)`` is not computed from p: it keeps its value and its gradient where p rounds to 1, which is where a
    model must unlearn something.

    Args:
        logits: ``(B, 1 + K, T, V)``, any float dtype; float64 stays, others are computed in float32.
        targets: ``(B, 1 + K, T)`` int64, -100 at padding.
        scores: ``(B, K)`` float32, higher is better, NaN where there is none.

    Example:
        >>> logits = torch.tensor([0.0, 1.0, 2.0]).expand(1, 2, 1, 3)  # one document, one candidate, one token each
        >>> batch = likelihoods(logits, torch.tensor([[[2], [0]]]), torch.tensor([[-1.0]]))
        >>> batch.log_probs.squeeze(-1)  # the target's token is the likeliest of three, the candidate's the least
        tensor([[-0.4076, -2.4076]])
    """
    mask = targets != IGNORED  # (B, 1 + K, T)
    values = TokenLogProbs.apply(logits.flatten(0, -2), targets.clamp(min=0).flatten())  # three of (B * (1 + K) * T,)
    log_probs, log_complements, means = (value.view_as(targets) for value in values)  # (B, 1 + K, T)
    return Likelihoods(
        log_probs.masked_fill(~mask, 0.0),
        log_complements[:, 1:].masked_fill(~mask[:, 1:], 0.0),
        means[:, 0].masked_fill(~mask[:, 0], 0.0),
        mask,
        scores,
    )
