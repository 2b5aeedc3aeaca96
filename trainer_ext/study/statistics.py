"""The statistics of a study: verdicts by majority, sign test, bootstrap over documents, agreement of raters, AUROC.

``counts`` always has shape (documents, 3): the number of raters who judged the first system worse, equal, better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Interval = tuple[float, float]
Integers = NDArray[np.int64]
Counts = Integers
WORSE, EQUAL, BETTER = range(3)


def majority(counts: Counts) -> Counts:
    """One verdict per document, shape (documents, 3), one-hot; documents that nobody judged are left out.

    The verdict is that of more than half of the document's raters, or equal if there is none.
    """
    judged = counts[counts.sum(axis=1) > 0]
    has_majority = 2 * judged > judged.sum(axis=1, keepdims=True)  # (documents, 3), at most one a row
    verdicts = np.where(has_majority.any(axis=1), has_majority.argmax(axis=1), EQUAL)
    return np.eye(3, dtype=np.int64)[verdicts]


def sign_test(better: int, worse: int) -> float:
    """Probability of a split at least as uneven if both sides are equally likely: exact, two-sided, without ties.

    Returns:
        0 to 1; 1 if all are ties.
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

    Judgements of one document depend on one another, so intervals over judgements would be too narrow.
    """
    return np.random.default_rng(seed).integers(documents, size=(number, documents), dtype=np.int64)


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


def auroc(scores: Floats, labels: Integers) -> float:
    """Chance that a row of label 1 scores above one of label 0; ties count half; NaN unless both labels occur."""
    from scipy.stats import rankdata

    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return math.nan
    ranks = rankdata(scores)
    return float((ranks[labels == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def alpha(counts: Counts) -> float:
    """Krippendorff's alpha: 1 is full agreement, 0 is agreement by chance.

    Ordinal, because the verdicts are ordered: better and worse disagree more than better and equal, by an unknown
    amount.

    Returns:
        NaN if no document has two raters, or all verdicts are the same.
    """
    import krippendorff

    pairable = counts[counts.sum(axis=1) > 1]
    if np.count_nonzero(pairable.sum(axis=0)) < 2:
        return math.nan
    return float(krippendorff.alpha(value_counts=pairable, level_of_measurement="ordinal"))


def interval(values: Floats) -> Interval:
    """95% percentile interval of the bootstrapped values that are not NaN; NaNs if all are."""
    known = values[~np.isnan(values)]
    if not len(known):
        return math.nan, math.nan
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
