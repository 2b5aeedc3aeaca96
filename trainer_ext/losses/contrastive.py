"""Losses that push a summarizer away from inaccurate candidates, as functions of token log-likelihoods.

Each loss reads :class:`Likelihoods`: the teacher-forced log-likelihoods of a document's target summary (row 0) and of
its candidates (rows 1 to K). Each returns a sum over the batch. :class:`Objective` divides that sum by what was counted
over the whole optimiser step, so that batch size, accumulation and ranks do not change the result.

====================  ==========  ===========================================  =====================================
Loss                  counted by  reads                                        from
====================  ==========  ===========================================  =====================================
:class:`Unlikelihood` token       candidates                                   Nan et al. 2021, Welleck et al. 2020
:class:`Hellinger`    token       candidates                                   the code of Nan et al. 2021
:class:`Margin`       document    target, candidates and their scores          BRIO, Liu et al. 2022
:class:`Hinge`        document    target against each candidate                SLiC, Zhao et al. 2022
:class:`Preference`   document    target against each candidate                CPO, Xu et al. 2024; SimPO, Meng et al.
====================  ==========  ===========================================  =====================================

In the equations y+ is the target, y- a candidate, x the source, and ``f(y) = sum_t log p(y_t | y_<t, x) / |y|^a`` with
the length penalty a. All values are in nats.

To add a loss, write a subclass of :class:`ContrastiveLoss` here and name it in ``LOSSES``. The trainer also takes an
object of any such class: ``ContrastiveSeq2SeqTrainer(..., contrastive_loss=MyLoss())``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trainer_ext.losses.likelihoods import Likelihoods


class ContrastiveLoss(ABC):
    """A loss over the candidates of a batch; the module lists them.

    Attributes:
        per_token: whether the loss is counted by candidate token, or by document.
    """

    per_token: bool

    @abstractmethod
    def total(self, batch: Likelihoods) -> Tensor:
        """Sum over the batch's candidate tokens (``per_token``) or documents: a scalar in nats, lower is better."""


@dataclass(frozen=True)
class Unlikelihood(ContrastiveLoss):
    """Makes every token of a candidate less likely (CONSEQ, Nan et al. 2021)::

        sum_t -log(1 - p(y-_t | y-_<t, x))

    Counted by token, together with the targets' tokens. Range: 0 and up. The gradient at a token's logit is p, so it
    is strongest where the model is sure.

    Inputs: candidates only; it reads neither scores nor the target.
    Relations: it also pushes away the tokens that are right in a candidate, so keep candidates few and bad.
    :class:`Hellinger` is the bounded form; :class:`Hinge` and :class:`Preference` compare whole summaries instead.

    Example:
        >>> from trainer_ext.losses import likelihoods
        >>> even = likelihoods(torch.zeros(1, 2, 1, 2), torch.tensor([[[0], [1]]]), torch.tensor([[-1.0]]))
        >>> Unlikelihood().total(even)  # -log(1 - 0.5): each of two tokens has probability 0.5
        tensor(0.6931)
    """

    per_token = True

    def total(self, batch: Likelihoods) -> Tensor:
        return -batch.log_complements.sum()


@dataclass(frozen=True)
class Hellinger(ContrastiveLoss):
    """Makes the tokens of a candidate less likely, with a bound, so that no token dominates::

        sum_t (1 - sqrt(1 - p(y-_t | y-_<t, x)))^2

    Counted by token. Range: 0 to 1 per token. With ``s = sqrt(1 - p)`` the gradient at a token's logit is
    ``p (1 - s) s``, which vanishes at both ends.

    Inputs: candidates only; it reads neither scores nor the target.
    Relations: it is gentler than :class:`Unlikelihood`, and does nothing to tokens of which the model is certain.

    Example:
        >>> from trainer_ext.losses import likelihoods
        >>> even = likelihoods(torch.zeros(1, 2, 1, 2), torch.tensor([[[0], [1]]]), torch.tensor([[-1.0]]))
        >>> Hellinger().total(even)  # (1 - sqrt(0.5))^2
        tensor(0.0858)
    """

    per_token = True

    def total(self, batch: Likelihoods) -> Tensor:
        distances = (1.0 - (0.5 * batch.log_complements).exp()) ** 2  # (B, K, T); 0 at padding
        return distances.sum()


@dataclass(frozen=True)
class Margin(ContrastiveLoss):
    """Puts all summaries of a document in the order of their scores (BRIO, Liu et al. 2022)::

        mean over pairs of max(0, f(worse) - f(better) + margin * (difference of their places in the order))

    Counted by document. Range: 0 and up; 0 where the model's order has the margins.

    Inputs: the target, which comes first, and candidates with scores. A candidate without a score is compared with the
    target alone. Give several candidates per document (BRIO: 16).
    Relations: :class:`Hinge` compares candidates with the target only, and needs no scores.

    Args:
        margin: lead that neighbours in the order must have, in nats per token^a. BRIO: 0.001.
        length_penalty: a; BRIO has 2.0 for CNN/DM and 0.6 for XSum.

    Example:
        >>> from trainer_ext.losses import likelihoods
        >>> even = likelihoods(torch.zeros(1, 2, 1, 2), torch.tensor([[[0], [1]]]), torch.tensor([[-1.0]]))
        >>> Margin(margin=0.5).total(even)  # equal likelihoods, so the margin is missing
        tensor(0.5000)
    """

    margin: float = 0.001
    length_penalty: float = 1.0
    per_token = False

    def total(self, batch: Likelihoods) -> Tensor:
        better, gaps = batch.comparisons()  # (B, 1 + K, 1 + K)
        values = batch.sequence(self.length_penalty)  # (B, 1 + K)
        excess = (values[:, None, :] - values[:, :, None] + self.margin * gaps).clamp(min=0)  # (B, 1 + K, 1 + K)
        return _mean_per_document(excess, better)


@dataclass(frozen=True)
class Hinge(ContrastiveLoss):
    """Makes the target lead each candidate by a margin (SLiC, Zhao et al. 2022)::

        mean over candidates of max(0, margin - f(y+) + f(y-))

    Counted by document. Range: 0 and up; 0 where the target leads by the margin.

    Inputs: the target and its candidates; it reads no scores.
    Relations: :class:`Preference` is the smooth form, :class:`Margin` also orders the candidates.

    Args:
        margin: lead of the target in nats per token^a. SLiC: 1.0.
        length_penalty: a; 0 (SLiC) compares log-likelihoods of whole summaries, 1 their means per token.

    Example:
        >>> from trainer_ext.losses import likelihoods
        >>> even = likelihoods(torch.zeros(1, 2, 1, 2), torch.tensor([[[0], [1]]]), torch.tensor([[-1.0]]))
        >>> Hinge(margin=2.0).total(even)
        tensor(2.)
    """

    margin: float = 1.0
    length_penalty: float = 0.0
    per_token = False

    def total(self, batch: Likelihoods) -> Tensor:
        values = batch.sequence(self.length_penalty)  # (B, 1 + K)
        excess = (self.margin - values[:, :1] + values[:, 1:]).clamp(min=0)  # (B, K)
        return _mean_per_document(excess, batch.present[:, 1:])


@dataclass(frozen=True)
class Preference(ContrastiveLoss):
    """Prefers the target to each candidate, without a reference model (SimPO, Meng et al. 2024)::

        mean over candidates of -log sigmoid(beta * (f(y+) - f(y-)) - gamma)

    Counted by document. Range: 0 and up. The gradient lives on candidates that the model does not yet tell from the
    target.

    Inputs: the target and its candidates; it reads no scores.
    Relations: the defaults are SimPO's. ``Preference(beta=0.1, gamma=0.0, length_penalty=0.0)`` is CPO (Xu et al.
    2024), whose likelihood term is the objective's own.

    Args:
        beta: sharpness, per nat.
        gamma: margin of the reward (SimPO).
        length_penalty: a; 1 (SimPO) is the mean per token, 0 (CPO) the whole summary.
        label_smoothing: probability that a preference is the wrong way round, 0 to below 0.5.

    Example:
        >>> from trainer_ext.losses import likelihoods
        >>> even = likelihoods(torch.zeros(1, 2, 1, 2), torch.tensor([[[0], [1]]]), torch.tensor([[-1.0]]))
        >>> Preference(gamma=0.0).total(even)  # -log sigmoid(0)
        tensor(0.6931)
    """

    beta: float = 2.0
    gamma: float = 1.0
    length_penalty: float = 1.0
    label_smoothing: float = 0.0
    per_token = False

    def total(self, batch: Likelihoods) -> Tensor:
        values = batch.sequence(self.length_penalty)  # (B, 1 + K)
        rewards = self.beta * (values[:, :1] - values[:, 1:]) - self.gamma  # (B, K)
        log_sigmoid = torch.nn.functional.logsigmoid
        losses = -(1 - self.label_smoothing) * log_sigmoid(rewards) - self.label_smoothing * log_sigmoid(-rewards)
        return _mean_per_document(losses, batch.present[:, 1:])


LOSSES: dict[str, Callable[..., ContrastiveLoss]] = {
    "unlikelihood": Unlikelihood,
    "hellinger": Hellinger,
    "margin": Margin,
    "hinge": Hinge,
    "preference": Preference,
}


def make_loss(name: str, **options: float) -> ContrastiveLoss:
    """A loss by its name, with its own options.

    Example:
        >>> make_loss("hinge", margin=2.0)
        Hinge(margin=2.0, length_penalty=0.0)

    Raises:
        ValueError: there is no such loss, it has no such option, or the option's value is not finite.
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


def _mean_per_document(values: Tensor, where: Tensor) -> Tensor:
    """Sum over documents of the mean of each document's values; both arguments are ``(B, ...)``."""
    values, where = values.flatten(1), where.flatten(1)
    return (values.masked_fill(~where, 0.0).sum(1) / where.sum(1).clamp(min=1)).sum()
