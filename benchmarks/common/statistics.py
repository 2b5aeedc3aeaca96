"""Agreement between two lists of numbers and its uncertainty: correlations, AUROC, pairs, cluster bootstrap."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from trainer_ext.study.statistics import Floats

Integers = NDArray[np.int64]


def pearson(x: Floats, y: Floats, groups: Integers | None = None) -> float:
    """Correlation coefficient, -1 to 1; NaN where either side is constant.

    Args:
        x, y: shape (n,).
        groups: shape (n,), from 0 up. With them the correlation is partial: each group's mean is first subtracted from
            both sides.
    """
    x, y = _residuals(x, groups), _residuals(y, groups)
    norms = float(np.sqrt((x @ x) * (y @ y)))
    # A constant side leaves rounding errors instead of zeros.
    if len(x) < 2 or np.ptp(x) < 1e-12 or np.ptp(y) < 1e-12:
        return math.nan
    return float(np.clip(x @ y / norms, -1.0, 1.0))


def spearman(x: Floats, y: Floats, groups: Integers | None = None) -> float:
    """:func:`pearson` of the ranks, where ties share their mean rank."""
    return pearson(rankdata(x), rankdata(y), groups) if len(x) else math.nan


def auroc(scores: Floats, labels: Integers) -> float:
    """Chance that a row of label 1 scores above one of label 0; ties count half; NaN unless both labels occur."""
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return math.nan
    ranks = rankdata(scores)
    return float((ranks[labels == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def pairwise_accuracy(better: Floats, worse: Floats) -> float:
    """Share of pairs, shape (n,) each, whose better side scores higher; ties count half; NaN without pairs."""
    if not len(better):
        return math.nan
    return float(np.mean(np.where(better == worse, 0.5, better > worse)))


def cluster_resamples(clusters: Sequence[Hashable], resamples: int, seed: int) -> list[Integers]:
    """Indices of bootstrap resamples that draw whole clusters (documents), with replacement.

    Rows of one document are not independent, so intervals over rows would be too narrow.
    """
    members: dict[Hashable, list[int]] = {}
    for index, cluster in enumerate(clusters):
        members.setdefault(cluster, []).append(index)
    groups = [np.asarray(indices, dtype=np.int64) for indices in members.values()]
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(groups), size=(resamples, len(groups)))
    return [np.concatenate([groups[place] for place in draw]) for draw in draws]


def bootstrap(statistic: Callable[[Integers], float], resamples: Sequence[Integers]) -> Floats:
    """The statistic of each resample, shape (resamples,); NaN where a resample leaves it undefined."""
    return np.array([statistic(indices) for indices in resamples])


def _residuals(values: Floats, groups: Integers | None) -> Floats:
    if groups is None:
        return values - values.mean() if len(values) else values
    counts = np.bincount(groups)
    means = np.bincount(groups, weights=values) / np.maximum(counts, 1)
    return values - means[groups]
