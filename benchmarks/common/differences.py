"""By how much two summarizers' scores differ, with an interval over documents and seeds."""

from __future__ import annotations

import numpy as np

from trainer_ext.study.statistics import Floats, interval, resamples

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
    documents = resamples(change.shape[1], RESAMPLES, seed=0)  # (R, D)
    drawn = change[seeds[:, :, None], documents[:, None, :]]  # (R, S, D)
    low, high = interval(_known_mean(document_means(drawn)))
    return mean_of(change), low, high


def mean_of(scores: Floats) -> float:
    """Mean over documents of the means over their seeds; NaN if there are none.

    Args:
        scores: ``(documents,)`` or ``(seeds, documents)``, NaN where there is no score.
    """
    return float(_known_mean(document_means(scores)))


def document_means(scores: Floats) -> Floats:
    """Each document's mean over the seeds that have a score, ``(..., documents)``; NaN if there are none.

    Args:
        scores: ``(documents,)`` or ``(..., seeds, documents)``.
    """
    return _known_mean(np.moveaxis(np.atleast_2d(scores), -2, -1))


def _known_mean(values: Floats) -> Floats:
    """Mean over the last axis of what is not NaN; NaN where all is."""
    known = (~np.isnan(values)).sum(-1)
    means: Floats = np.where(known > 0, np.nansum(values, -1) / np.maximum(known, 1), np.nan)
    return means
