"""What training minimises: the likelihood of targets and a contrastive loss, and the counts to divide them by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from trainer_ext.dataset import IGNORED
from trainer_ext.losses import ContrastiveLoss, Likelihoods


class Counts(NamedTuple):
    """What the objective divides by: counts of one batch, or of all batches and ranks of an optimiser step.

    Attributes:
        positive_tokens, negative_tokens: scalars, tokens of targets and of candidates.
        documents: scalar, documents that have a candidate.
    """

    positive_tokens: Tensor
    negative_tokens: Tensor
    documents: Tensor

    @classmethod
    def of(cls, labels: Tensor, candidate_labels: Tensor | None) -> Counts:
        """The counts of ``labels`` ``(B, T)`` and ``candidate_labels`` ``(B, K, T)``."""
        positive = (labels != IGNORED).sum()
        if candidate_labels is None:
            return cls(positive, torch.zeros_like(positive), torch.zeros_like(positive))
        tokens = (candidate_labels != IGNORED).sum((1, 2))  # (B,)
        return cls(positive, tokens.sum(), (tokens > 0).sum())


@dataclass(frozen=True)
class Objective:
    """What training minimises: the likelihood of the targets, and a contrastive loss over the candidates.

    n+ and n- are the numbers of target and candidate tokens, smoothing left out::

        (mle_weight * sum -log p(y+) + weight * loss) / (n+ + n-)            a loss per token, as in the paper
        mle_weight * sum -log p(y+) / n+ + weight * loss / documents         a loss per document

    Args:
        loss: the contrastive loss.
        weight, mle_weight: weights of the contrastive loss and of the likelihood.
        label_smoothing: smoothing of the targets' likelihood, 0 to below 1, as in transformers. The paper: 0.1.
    """

    loss: ContrastiveLoss
    weight: float = 1.0
    mle_weight: float = 1.0
    label_smoothing: float = 0.0

    def explanation(self) -> str:
        """One line on what the logged losses are, for whoever reads them."""
        smoothing = f", smoothed by {self.label_smoothing:g}" if self.label_smoothing else ""
        per = "candidate token" if self.loss.per_token else "document"
        whole = "target and candidate token" if self.loss.per_token else "target token and document"
        return (
            f"loss is the whole objective in nats per {whole}. Its parts mle_loss (per target token{smoothing}) and "
            f"contrastive_loss (per {per}) have counts of their own and do not add up to it. eval_loss is of targets "
            f"alone{smoothing}."
        )

    def parts(self, batch: Likelihoods) -> tuple[Tensor, Tensor]:
        """Two sums over the batch in nats: the smoothed ``-log p`` of the targets, and the contrastive loss."""
        mle = -(1 - self.label_smoothing) * batch.log_probs[:, 0].sum()
        if self.label_smoothing:
            mle = mle - self.label_smoothing * batch.mean_log_probs.sum()
        return mle, self.loss.total(batch)

    def value(self, mle: Tensor, contrastive: Tensor, counts: Counts) -> Tensor:
        """The objective, from the sums of :meth:`parts` and the counts to divide them by."""
        positive = counts.positive_tokens.clamp(min=1)
        if self.loss.per_token:
            return (self.mle_weight * mle + self.weight * contrastive) / (positive + counts.negative_tokens)
        return self.mle_weight * mle / positive + self.weight * contrastive / counts.documents.clamp(min=1)
