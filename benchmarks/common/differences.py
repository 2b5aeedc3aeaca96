"""By how much two summarizers' scores differ, with an interval over documents and seeds."""

from __future__ import annotations

import numpy as np

from trainer_ext.study.statistics import Floats, cluster_resamples, interval

RESAMPLES = 1000


def difference(one: Floats, other: Floats) -> tuple[float, float, float]:
    """Mean difference of scores over documents that have both, and its 95 % interval.

    A document's difference is the mean over the seeds that have both. The interval comes from resampling the documents
    and, where there are several, the seeds: another run would have other documents and other seeds.

    Args:
        one, other: ``(documents,)`` or ``(seeds, documents)``, NaN where there is no score. A single row is compared
            with each row of the other; several rows on both sides are compared seed by seed.
    """
    change = np.atleast_2d(one) - np.atleast_2d(other)  # (S, D)
    seeds = np.random.default_rng(1).integers(len(change), size=(RESAMPLES, len(change)))  # (R, S)
    documents = cluster_resamples(range(change.shape[1]), RESAMPLES, seed=0)
    resampled = [mean_of(change[rows][:, places]) for rows, places in zip(seeds, documents, strict=True)]
    low, high = interval(np.array(resampled))
    return mean_of(change), low, high


def mean_of(scores: Floats) -> float:
    """Mean over documents of the means over their seeds; NaN if there are none.

    Args:
        scores: ``(documents,)`` or ``(seeds, documents)``, NaN where there is no score.
    """
    means = document_means(scores)
    return float(np.nanmean(means)) if not np.isnan(means).all() else float("nan")


def document_means(scores: Floats) -> Floats:
    """Each document's mean over the seeds that have a score, ``(documents,)``; NaN if there are none."""
    rows = np.atleast_2d(scores)  # (S, D)
    known = (~np.isnan(rows)).sum(0)  # (D,)
    return np.where(known > 0, np.nansum(rows, 0) / np.maximum(known, 1), np.nan)
