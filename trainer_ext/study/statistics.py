"""Numbers of a study: verdicts by majority, sign test, bootstrap over documents, agreement of raters.

Everywhere ``counts`` has shape (documents, 3): how many raters judged a document's first system worse, equal, better.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Interval = tuple[float, float]
Counts = NDArray[np.int64]
WORSE, EQUAL, BETTER = range(3)


def majority(counts: Counts) -> Counts:
    """One verdict a document, shape (documents, 3), one-hot; documents that nobody judged are left out.

    It is what more than half of its raters said, and equal where no verdict has so many.
    """
    judged = counts[counts.sum(axis=1) > 0]
    has_majority = 2 * judged > judged.sum(axis=1, keepdims=True)  # (documents, 3), at most one a row
    verdicts = np.where(has_majority.any(axis=1), has_majority.argmax(axis=1), EQUAL)
    return np.eye(3, dtype=np.int64)[verdicts]


def sign_test(better: int, worse: int) -> float:
    """Chance of a split at least so uneven if either were as likely: exact, two-sided; ties are left out.

    Returns:
        0 to 1; 1 where nothing is left.
    """
    from scipy.stats import binomtest

    return float(binomtest(better, better + worse, 0.5).pvalue) if better + worse else 1.0


def shares(counts: Counts) -> Floats:
    """Shares of worse, equal, better among all judgements, shape (..., 3) for counts of (..., documents, 3); NaN
    without judgements."""
    sums = counts.sum(axis=-2)
    totals = sums.sum(axis=-1, keepdims=True)
    return np.where(totals > 0, sums / np.maximum(totals, 1), math.nan)


def resamples(documents: int, number: int, seed: int) -> Counts:
    """Indices of bootstrap resamples of whole documents, shape (number, documents).

    Judgements of one document are no independent evidence, so intervals over judgements would be too narrow.
    """
    return np.random.default_rng(seed).integers(documents, size=(number, documents), dtype=np.int64)


def alpha(counts: Counts) -> float:
    """Krippendorff's alpha: 1 is full agreement, 0 what chance gives.

    Ordinal, because the verdicts are ordered: to say better against worse is more of a disagreement than better against
    equal, and how much more is not known.

    Returns:
        NaN where no document has two raters, or where all of them said the same of all documents.
    """
    import krippendorff

    pairable = counts[counts.sum(axis=1) > 1]
    if np.count_nonzero(pairable.sum(axis=0)) < 2:
        return math.nan
    return float(krippendorff.alpha(value_counts=pairable, level_of_measurement="ordinal"))


def interval(values: Floats, level: float = 0.95) -> Interval:
    """Percentile interval of bootstrapped values, undefined ones left out; NaNs where all are."""
    known = values[~np.isnan(values)]
    if not len(known):
        return math.nan, math.nan
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
