"""Losses that push a summarizer away from inaccurate candidates, as functions of token log-likelihoods.

All read :class:`Likelihoods`: the teacher-forced log-likelihoods of a document's target summary (row 0, the positive)
and of its candidates (rows 1..K). Each returns a sum over the batch, which the objective divides by what was counted
over the whole optimiser step, so that batches, accumulation and ranks do not change the result.

====================  ==========  ===========================================  =====================================
Loss                  counted by  reads                                        from
====================  ==========  ===========================================  =====================================
:class:`Unlikelihood` token       candidates                                   Nan et al. 2021, Welleck et al. 2020
:class:`Hellinger`    token       candidates                                   the code of Nan et al. 2021
:class:`Margin`       document    positive, candidates and their scores        BRIO, Liu et al. 2022
:class:`Hinge`        document    positive against each candidate              SLiC, Zhao et al. 2022
:class:`Preference`   document    positive against each candidate              CPO, Xu et al. 2024; SimPO, Meng et al.
====================  ==========  ===========================================  =====================================
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trainer_ext.dataset import IGNORED


@dataclass(frozen=True)
class Likelihoods:
    """What the model finds of every target token of a batch; row 0 of a document is its positive.

    Attributes:
        log_probs: ``(B, 1 + K, T)`` float32, ``log p(y_t | y_<t, source)``; 0 at padding.
        log_complements: ``(B, K, T)`` float32, ``log(1 - p)`` of the candidates' tokens; 0 at padding.
        mean_log_probs: ``(B, T)`` float32, mean over the vocabulary of the log-probabilities at each of the positive's
            tokens, which label smoothing needs; 0 at padding.
        mask: ``(B, 1 + K, T)`` bool, real tokens; a row without any is a candidate that the document does not have.
        scores: ``(B, K)`` float32, the ranker's, higher is better; NaN where it is not known.
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
        """``(B, 1 + K)``: log-likelihood of a row over its length to the power of ``length_penalty``.

        0 is the log-likelihood itself, in nats; 1 its mean, in nats a token.
        """
        lengths = self.mask.sum(-1).clamp(min=1)  # (B, 1 + K)
        return self.log_probs.sum(-1) / lengths**length_penalty

    def comparisons(self) -> tuple[Tensor, Tensor]:
        """Which rows are to be likelier than which.

        Returns:
            better: ``(B, 1 + K, 1 + K)`` bool, ``[b, i, j]``: row i is better than row j. The positive is better than
                every candidate; of two candidates that have scores, the one with the higher.
            gaps: ``(B, 1 + K, 1 + K)`` float32, the difference of their ranks, 1 or more where ``better``.
        """
        scores = self.scores
        higher = scores[:, :, None] > scores[:, None, :]  # (B, K, K); False for NaN
        ranks = 1.0 + higher.sum(1)  # (B, K): the positive has rank 0
        ranks = torch.cat([ranks.new_zeros(len(ranks), 1), ranks], dim=1)  # (B, 1 + K)
        better = torch.nn.functional.pad(higher, (1, 0, 1, 0))  # (B, 1 + K, 1 + K)
        better[:, 0, 1:] = True
        better &= self.present[:, :, None] & self.present[:, None, :]
        return better, ranks[:, None, :] - ranks[:, :, None]


def likelihoods(logits: Tensor, targets: Tensor, scores: Tensor) -> Likelihoods:
    """Log-likelihoods of target tokens.

    ``log(1 - p)`` is taken as the log-sum-exp over all other tokens, not from p: it keeps its value and its gradient
    where p is 1 to rounding, which is where a model that must unlearn something needs them.

    Args:
        logits: ``(B, 1 + K, T, V)``, any float dtype; float64 is kept, others are computed in float32.
        targets: ``(B, 1 + K, T)`` int64, -100 at padding.
        scores: ``(B, K)`` float32.
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    mask = targets != IGNORED  # (B, 1 + K, T)
    tokens = targets.clamp(min=0).unsqueeze(-1)  # (B, 1 + K, T, 1)
    normalizers = logits.logsumexp(-1)  # (B, 1 + K, T)
    log_probs = logits.gather(-1, tokens).squeeze(-1) - normalizers  # (B, 1 + K, T)
    others = logits[:, 1:].scatter(-1, tokens[:, 1:], -math.inf).logsumexp(-1)  # (B, K, T)
    return Likelihoods(
        log_probs.masked_fill(~mask, 0.0),
        (others - normalizers[:, 1:]).masked_fill(~mask[:, 1:], 0.0),
        (logits[:, 0].mean(-1) - normalizers[:, 0]).masked_fill(~mask[:, 0], 0.0),
        mask,
        scores,
    )


class ContrastiveLoss(ABC):
    """A loss over the candidates of a batch; see the module for the list."""

    per_token: bool

    @abstractmethod
    def total(self, found: Likelihoods) -> Tensor:
        """Sum over the batch's tokens (``per_token``) or documents; a scalar in nats."""


@dataclass(frozen=True)
class Unlikelihood(ContrastiveLoss):
    """``sum_t -log(1 - p(y-_t))``: every token of a candidate becomes less likely (Nan et al. 2021, CONSEQ).

    Range: 0 and up. The gradient at the token's logit is p: strongest where the model is sure. Needs no scores and no
    positive; it pushes tokens that are right in the candidate away too, so keep candidates few and bad.
    Counted by token, together with the positives' tokens, as in the paper.
    """

    per_token = True

    def total(self, found: Likelihoods) -> Tensor:
        return -found.log_complements.sum()


@dataclass(frozen=True)
class Hellinger(ContrastiveLoss):
    """``sum_t (1 - sqrt(1 - p(y-_t)))^2``: bounded, so that no token can dominate.

    Range: 0 to 1 a token. Its gradient at the token's logit is ``p (1 - s) s`` with ``s = sqrt(1 - p)``: it vanishes at
    both ends, gentler than :class:`Unlikelihood`, and without effect on tokens of which the model is certain.
    """

    per_token = True

    def total(self, found: Likelihoods) -> Tensor:
        distances = (1.0 - (0.5 * found.log_complements).exp()) ** 2  # (B, K, T); 0 at padding
        return distances.sum()


@dataclass(frozen=True)
class Margin(ContrastiveLoss):
    """BRIO's ranking loss: mean over comparisons of ``max(0, f(worse) - f(better) + margin * (rank difference))``.

    f is the length-normalised log-likelihood. The positive ranks first, candidates follow by score; those without a
    score are compared with the positive alone. Range: 0 and up, 0 where the model's order has the margins. Learns an
    order among all candidates, so give it several of them (BRIO: 16) with scores.

    Args:
        margin: nats (to the length penalty's scale) that neighbours in rank are to differ by. BRIO: 0.001.
        length_penalty: BRIO has 2.0 for CNN/DM, 0.6 for XSum.
    """

    margin: float = 0.001
    length_penalty: float = 1.0
    per_token = False

    def total(self, found: Likelihoods) -> Tensor:
        better, gaps = found.comparisons()  # (B, 1 + K, 1 + K)
        values = found.sequence(self.length_penalty)  # (B, 1 + K)
        excess = (values[:, None, :] - values[:, :, None] + self.margin * gaps).clamp(min=0)  # (B, 1 + K, 1 + K)
        return _mean_of_documents(excess, better)


@dataclass(frozen=True)
class Hinge(ContrastiveLoss):
    """SLiC's calibration: mean over candidates of ``max(0, margin - f(positive) + f(candidate))``.

    Range: 0 and up, 0 where the positive leads by the margin. Candidates' scores are not read.

    Args:
        margin: nats that the positive is to lead by. SLiC: 1.0.
        length_penalty: 0 (SLiC) compares the log-likelihoods of whole sequences, 1 their means a token.
    """

    margin: float = 1.0
    length_penalty: float = 0.0
    per_token = False

    def total(self, found: Likelihoods) -> Tensor:
        values = found.sequence(self.length_penalty)  # (B, 1 + K)
        excess = (self.margin - values[:, :1] + values[:, 1:]).clamp(min=0)  # (B, K)
        return _mean_of_documents(excess, found.present[:, 1:])


@dataclass(frozen=True)
class Preference(ContrastiveLoss):
    """Reference-free preference: mean over candidates of ``-log sigmoid(beta (f(positive) - f(candidate)) - gamma)``.

    The defaults are SimPO's form; ``Preference(beta=0.1, gamma=0.0, length_penalty=0.0)`` is CPO's (whose likelihood
    term is the objective's own). No second copy of the model is needed. Range: 0 and up. Its gradient lives on
    candidates that the model does not yet tell from the positive.

    Args:
        beta: sharpness, 1 / nats.
        gamma: margin of the reward, SimPO's.
        length_penalty: 1 (SimPO) is the mean a token, 0 (CPO) the whole sequence.
        label_smoothing: probability, from 0 to below 0.5, that a preference is the wrong way round.
    """

    beta: float = 2.0
    gamma: float = 1.0
    length_penalty: float = 1.0
    label_smoothing: float = 0.0
    per_token = False

    def total(self, found: Likelihoods) -> Tensor:
        values = found.sequence(self.length_penalty)  # (B, 1 + K)
        rewards = self.beta * (values[:, :1] - values[:, 1:]) - self.gamma  # (B, K)
        log_sigmoid = torch.nn.functional.logsigmoid
        losses = -(1 - self.label_smoothing) * log_sigmoid(rewards) - self.label_smoothing * log_sigmoid(-rewards)
        return _mean_of_documents(losses, found.present[:, 1:])


LOSSES: dict[str, Callable[..., ContrastiveLoss]] = {
    "unlikelihood": Unlikelihood,
    "hellinger": Hellinger,
    "margin": Margin,
    "hinge": Hinge,
    "preference": Preference,
}


def make_loss(name: str, **options: float) -> ContrastiveLoss:
    """A loss by its name, with its own options.

    Raises:
        ValueError: there is no such loss, or it has no such option.
    """
    if name not in LOSSES:
        raise ValueError(f"contrastive_loss is {name!r}: give one of {', '.join(LOSSES)}.")
    known: dict[str, Any] = getattr(LOSSES[name], "__dataclass_fields__", {})
    for option, value in options.items():
        if option not in known:
            raise ValueError(
                f"The loss {name!r} has no option {option!r} (it has {', '.join(known) or 'none'}): leave it out."
            )
        if not math.isfinite(value):
            raise ValueError(f"The option {option!r} of the loss {name!r} is {value!r}: give a finite number.")
    return LOSSES[name](**options)


@dataclass(frozen=True)
class Counts:
    """What the objective divides by: of one batch, or of all batches and ranks of an optimiser step.

    Attributes:
        positive_tokens, negative_tokens: target tokens of positives and of candidates.
        documents: documents with a candidate.
    """

    positive_tokens: Tensor
    negative_tokens: Tensor
    documents: Tensor

    @classmethod
    def of(cls, labels: Tensor, candidate_labels: Tensor | None) -> Counts:
        """Of ``labels`` ``(B, T)`` and ``candidate_labels`` ``(B, K, T)``."""
        positive = (labels != IGNORED).sum()
        if candidate_labels is None:
            return cls(positive, torch.zeros_like(positive), torch.zeros_like(positive))
        tokens = (candidate_labels != IGNORED).sum((1, 2))  # (B,)
        return cls(positive, tokens.sum(), (tokens > 0).sum())

    def stacked(self) -> Tensor:
        """``(3,)`` float32, for sums over batches and ranks."""
        return torch.stack([self.positive_tokens, self.negative_tokens, self.documents]).float()

    @classmethod
    def unstacked(cls, counts: Tensor) -> Counts:
        """The inverse of :meth:`stacked`."""
        return cls(*counts.unbind())


@dataclass(frozen=True)
class Objective:
    """What training minimises: likelihood of the positives, and a contrastive loss over the candidates.

    For a loss counted by token, as in the paper, with n+ and n- target tokens of positives and candidates:
    ``(mle_weight * sum -log p(y+) + weight * loss) / (n+ + n-)``. For one counted by document:
    ``mle_weight * sum -log p(y+) / n+ + weight * loss / documents``.

    Args:
        loss: the contrastive loss.
        weight, mle_weight: of the two parts.
        label_smoothing: of the positives' likelihood, 0 to below 1, as in transformers (the paper has 0.1).
    """

    loss: ContrastiveLoss
    weight: float = 1.0
    mle_weight: float = 1.0
    label_smoothing: float = 0.0

    def parts(self, found: Likelihoods) -> tuple[Tensor, Tensor]:
        """Two sums over the batch, in nats: smoothed ``-log p`` of the positives; the contrastive loss."""
        exact, spread = found.log_probs[:, 0].sum(), found.mean_log_probs.sum()
        return -(1 - self.label_smoothing) * exact - self.label_smoothing * spread, self.loss.total(found)

    def value(self, mle: Tensor, contrastive: Tensor, counts: Counts) -> Tensor:
        """The objective, from the sums of :meth:`parts` and the counts that they are to be divided by."""
        positive = counts.positive_tokens.clamp(min=1)
        if self.loss.per_token:
            return (self.mle_weight * mle + self.weight * contrastive) / (positive + counts.negative_tokens)
        return self.mle_weight * mle / positive + self.weight * contrastive / counts.documents.clamp(min=1)


def _mean_of_documents(values: Tensor, where: Tensor) -> Tensor:
    """Sum over documents of the mean of the document's values; both ``(B, ...)``."""
    values, where = values.flatten(1), where.flatten(1)
    return (values.masked_fill(~where, 0.0).sum(1) / where.sum(1).clamp(min=1)).sum()
