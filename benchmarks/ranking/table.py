"""The table of rankers: how many pairs of one document's summaries they put in the ratings' order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from trainer_ext.study.statistics import Floats, Integers, bootstrap, cluster_resamples, interval

Group = Sequence[int]
"""Rows of one document's summaries."""


def markdown(
    scores: Mapping[str, Floats],
    labels: Mapping[str, str],
    ratings: Floats,
    groups: Sequence[Group],
    margin: float,
    resamples: int,
) -> str:
    """One row per ranker: share of pairs right, and the mean rating of what it puts first and last.

    Args:
        scores: by ranker, ``(n,)``; NaN where there is no score.
        labels: names of the rankers.
        ratings: ``(n,)``.
        groups: rows of each document.
        margin: least difference of two ratings that makes a pair.
        resamples: number of resamples of documents.
    """
    lines = ["| ranker | pairs right | pairs | rating of its first | of its last |", "|---|---:|---:|---:|---:|"]
    draws = cluster_resamples(range(len(groups)), resamples, seed=0)
    for name, values in scores.items():
        counts = np.array([pairs_right(values, ratings, group, margin) for group in groups])  # (documents, 2)

        def share(documents: Integers, counts: Floats = counts) -> float:
            right, pairs = counts[documents].sum(0)
            return float(right / pairs) if pairs else math.nan

        low, high = interval(bootstrap(share, draws))
        first, last = (_rating_of_first(way * values, ratings, groups) for way in (1, -1))
        right = f"{share(np.arange(len(groups))):.2f} [{low:.2f}, {high:.2f}]"
        lines.append(f"| {labels[name]} | {right} | {int(counts[:, 1].sum()):,} | {first:.2f} | {last:.2f} |")
    first, last = (_rating_of_first(way * ratings, ratings, groups) for way in (1, -1))
    mean = float(np.mean([ratings[list(group)].mean() for group in groups]))
    lines.append(f"| the ratings themselves | 1.00 | | {first:.2f} | {last:.2f} |")
    lines.append(f"| chance | 0.50 | | {mean:.2f} | {mean:.2f} |")
    return "\n".join(lines)


def pairs_right(scores: Floats, ratings: Floats, group: Group, margin: float) -> tuple[float, int]:
    """Of a document's pairs whose ratings differ by ``margin``: how many are in the ratings' order, and how many.

    A tie is half right; a pair without two scores does not count.
    """
    right, pairs = 0.0, 0
    for better in group:
        for worse in group:
            lead = scores[better] - scores[worse]
            if ratings[better] - ratings[worse] >= margin and not math.isnan(lead):
                pairs += 1
                right += (1 + np.sign(lead)) / 2
    return right, pairs


def _rating_of_first(scores: Floats, ratings: Floats, groups: Sequence[Group]) -> float:
    """Mean rating of what has the highest score, over the documents where something has one."""
    places = [[place for place in group if not math.isnan(scores[place])] for group in groups]
    return float(np.mean([ratings[max(known, key=lambda place: float(scores[place]))] for known in places if known]))
