"""Agreement between two lists of numbers: correlations and pairs."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import rankdata

from trainer_ext.study.statistics import Floats, Integers


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


def pairwise_accuracy(better: Floats, worse: Floats) -> float:
    """Share of pairs, shape (n,) each, whose better side scores higher; ties count half; NaN without pairs."""
    if not len(better):
        return math.nan
    return float(np.mean(np.where(better == worse, 0.5, better > worse)))


def _residuals(values: Floats, groups: Integers | None) -> Floats:
    if groups is None:
        return values - values.mean() if len(values) else values
    counts = np.bincount(groups)
    means = np.bincount(groups, weights=values) / np.maximum(counts, 1)
    return values - means[groups]
