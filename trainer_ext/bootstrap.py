"""Intervals from bootstrapped values."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Interval = tuple[float, float]


def interval(values: Floats, level: float = 0.95) -> Interval:
    """Percentile interval of bootstrapped values, undefined ones left out; NaNs where all are."""
    known = values[~np.isnan(values)]
    if not len(known):
        return math.nan, math.nan
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
