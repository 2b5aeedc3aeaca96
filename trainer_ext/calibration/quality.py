"""What probabilities are worth: Brier score beside that of the base rate, calibration error, AUROC, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer_ext.study.statistics import Floats, Integers, Interval, auroc, bootstrap, cluster_resamples, interval

_BINS = 10


@dataclass(frozen=True)
class Estimate:
    """A statistic and its 95 % interval over resampled documents."""

    value: float
    interval: Interval

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.3f} [{low:.3f}, {high:.3f}]"


@dataclass(frozen=True)
class Bin:
    """Rows of similar probability.

    Attributes:
        probability: their mean.
        share: the share of them that is consistent.
        rows: how many they are.
    """

    probability: float
    share: Estimate
    rows: int


@dataclass(frozen=True)
class Quality:
    """What probabilities are worth on judged rows.

    Attributes:
        rows, documents: how many were judged.
        base_rate: share of the rows that is consistent, 0 to 1.
        brier: mean squared distance of probability and label, 0 to 1; lower is better.
        base_brier: that of the constant ``base_rate``.
        gain: ``base_brier`` less ``brier``; above 0, the probabilities say more than the constant.
        error: expected calibration error, 0 to 1; lower is better. The mean distance of probability and share over
            ten bins of equally many rows. Few rows raise it, those of a perfect map too.
        auroc: chance that a consistent row has the higher score; 0.5 is chance.
        bins: in ascending order.
    """

    rows: int
    documents: int
    base_rate: float
    brier: Estimate
    base_brier: Estimate
    gain: Estimate
    error: Estimate
    auroc: Estimate
    bins: tuple[Bin, ...]

    @classmethod
    def of(
        cls,
        probabilities: Floats,
        scores: Floats,
        labels: Integers,
        documents: Sequence[Hashable],
        resamples: int,
        seed: int,
    ) -> Quality:
        """The quality of probabilities made of scores for labels, 1 being consistent; the three have shape (rows,)."""
        draws = cluster_resamples(documents, resamples, seed)

        def estimate(statistic: Callable[[Integers], float]) -> Estimate:
            return Estimate(statistic(np.arange(len(labels))), interval(bootstrap(statistic, draws)))

        base_rate = float(labels.mean())
        ours, base = (probabilities - labels) ** 2, (base_rate - labels) ** 2
        order = np.argsort(probabilities, kind="stable")
        bins = []
        for places in np.array_split(order, min(_BINS, len(order))):
            inside = np.zeros(len(labels), dtype=bool)
            inside[places] = True

            def share(rows: Integers, inside: NDArray[np.bool_] = inside) -> float:
                chosen = rows[inside[rows]]
                return float(labels[chosen].mean()) if len(chosen) else float("nan")

            bins.append(Bin(float(probabilities[places].mean()), estimate(share), len(places)))
        return cls(
            len(labels),
            len(set(documents)),
            base_rate,
            estimate(lambda rows: float(ours[rows].mean())),
            estimate(lambda rows: float(base[rows].mean())),
            estimate(lambda rows: float((base - ours)[rows].mean())),
            estimate(lambda rows: calibration_error(probabilities[rows], labels[rows])),
            estimate(lambda rows: auroc(scores[rows], labels[rows])),
            tuple(bins),
        )


def calibration_error(probabilities: Floats, labels: Integers) -> float:
    """The mean distance of probability and share of label 1 over ten bins of equally many rows, 0 to 1.

    Example:
        >>> calibration_error(np.full(20, 0.75), np.array([1, 0] * 10))
        0.25
    """
    order = np.argsort(probabilities, kind="stable")
    gaps = (probabilities - labels)[order]
    bins = np.array_split(gaps, min(_BINS, len(gaps)))
    return float(sum(abs(gap.sum()) for gap in bins) / len(gaps))
