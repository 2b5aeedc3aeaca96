"""What two summarizers' scores differ by, with an interval over documents."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.agreement.statistics import Integers, bootstrap, cluster_resamples
from trainer_ext.bootstrap import Floats, interval

RESAMPLES = 1000


def difference(one: Floats, other: Floats) -> tuple[float, float, float]:
    """Mean difference of scores ``(documents,)`` over documents that have both, and its 95 % interval."""
    change = one - other
    resamples = cluster_resamples(range(len(change)), RESAMPLES, seed=0)
    low, high = interval(bootstrap(_statistic(change), resamples))
    return mean_of(change), float(low), float(high)


def mean_of(values: Floats) -> float:
    """Mean of those that are no NaN; NaN if there are none."""
    return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")


def _statistic(values: Floats) -> Callable[[Integers], float]:
    return lambda places: mean_of(values[places])
