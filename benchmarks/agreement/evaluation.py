"""The figures of one set: each metric's agreement with people, with bootstrap intervals over documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.agreement.data import PAIRWISE, PARTIAL, Row
from benchmarks.agreement.scoring import FLOORS
from benchmarks.common.statistics import pairwise_accuracy, pearson, spearman
from trainer_ext.study.statistics import Floats, Integers, auroc, bootstrap, cluster_resamples, interval

Mask = NDArray[np.bool_]
Statistic = Callable[[Floats, Integers], float]  # from the units' scores and the indices of the units that count


@dataclass(frozen=True)
class Figure:
    """Agreement of one metric with people on one set, by one statistic.

    Attributes:
        set, metric, statistic: what was measured; higher is better for every statistic.
        value: over all scored units; NaN where it is undefined.
        low, high: 95 % percentile interval over resampled documents.
        floor: the higher of the two floors' values on the same units; None for a floor.
        above_floors: share of the resamples in which the metric beats both floors on the same units; None for a floor.
        units: rows, or pairs where the set is pairwise.
        scored: units that the metric scores, over which the statistic is computed.
        documents: distinct documents among the units.
    """

    set: str
    metric: str
    statistic: str
    value: float
    low: float
    high: float
    floor: float | None
    above_floors: float | None
    units: int
    scored: int
    documents: int

    @property
    def coverage(self) -> float:
        """Share of the units that were scored, 0 to 1."""
        return self.scored / self.units


def evaluate(
    name: str, kind: str, rows: Sequence[Row], metrics: Mapping[str, Floats], resamples: int, seed: int
) -> list[Figure]:
    """Figures of every metric by every statistic of this kind of set.

    Args:
        name: name of the set in the figures.
        kind: kind of the set, as in :class:`benchmarks.agreement.data.SetSpec`.
        rows: at least one.
        metrics: by name, scores of shape (rows,), the floors among them; NaN where there is no score.
        resamples: number of bootstrap resamples.
        seed: seed of the resamples, which are the same for every metric.
    """
    if kind == PAIRWISE:
        places = _pair_places(rows)
        clusters = [rows[better].document for better, _ in places]
        units = {metric: scores[places] for metric, scores in metrics.items()}  # (pairs, 2)
        statistics = _pairwise_statistics()
    else:
        clusters = [row.document for row in rows]
        units = {metric: scores[:, None] for metric, scores in metrics.items()}  # (rows, 1)
        statistics = _correlations(rows, partial=kind == PARTIAL)
    draws = cluster_resamples(clusters, resamples, seed)
    figures = []
    for statistic_name, statistic in statistics.items():
        floors: dict[bytes, Floats] = {}
        for metric, scores in units.items():
            scored: Mask = ~np.any(np.isnan(scores), axis=1)
            everything = np.arange(len(scores))
            values = _on(statistic, scores, scored, draws)
            floor = above = None
            if metric not in FLOORS:
                key = scored.tobytes()
                if key not in floors:
                    floors[key] = np.max([_on(statistic, units[base], scored, draws) for base in FLOORS], axis=0)
                above = _share_above(values, floors[key])
                both = [statistic(units[base], everything[_usable(units[base], scored)]) for base in FLOORS]
                floor = max((value for value in both if not np.isnan(value)), default=float("nan"))
            low, high = interval(values)
            figures.append(
                Figure(
                    set=name,
                    metric=metric,
                    statistic=statistic_name,
                    value=statistic(scores, everything[scored]),
                    low=low,
                    high=high,
                    floor=floor,
                    above_floors=above,
                    units=len(scores),
                    scored=int(scored.sum()),
                    documents=len(set(clusters)),
                )
            )
    return figures


def split_by_origin(rows: Sequence[Row], at_least: int = 50) -> dict[str, list[Row]]:
    """The rows of each origin that has enough of them; empty where all rows are of one origin."""
    origins: dict[str, list[Row]] = {}
    for row in rows:
        origins.setdefault(row.origin, []).append(row)
    if len(origins) < 2:
        return {}
    return {origin: part for origin, part in sorted(origins.items()) if origin and len(part) >= at_least}


def _on(statistic: Statistic, scores: Floats, scored: Mask, draws: Sequence[Integers]) -> Floats:
    usable = _usable(scores, scored)
    return bootstrap(lambda indices: statistic(scores, indices[usable[indices]]), draws)


def _usable(scores: Floats, scored: Mask) -> Mask:
    return scored & ~np.any(np.isnan(scores), axis=1)


def _share_above(values: Floats, floors: Floats) -> float | None:
    known = ~np.isnan(values) & ~np.isnan(floors)
    return float(np.mean(values[known] > floors[known])) if known.any() else None


def _pair_places(rows: Sequence[Row]) -> Integers:
    """Shape (pairs, 2): indices of the consistent and of the inconsistent row."""
    better = {row.pair: index for index, row in enumerate(rows) if row.label == 1}
    return np.array([(better[row.pair], index) for index, row in enumerate(rows) if row.label == 0], dtype=np.int64)


def _pairwise_statistics() -> dict[str, Statistic]:
    return {"pairwise": lambda scores, indices: pairwise_accuracy(scores[indices, 0], scores[indices, 1])}


def _correlations(rows: Sequence[Row], partial: bool) -> dict[str, Statistic]:
    human = np.array([row.human for row in rows])
    labels = np.array([row.label for row in rows])
    groups = np.unique([row.group for row in rows], return_inverse=True)[1] if partial else None

    def grouped(indices: Integers) -> Integers | None:
        return None if groups is None else groups[indices]

    prefix = "partial " if partial else ""
    return {
        f"{prefix}Pearson": lambda scores, indices: pearson(scores[indices, 0], human[indices], grouped(indices)),
        f"{prefix}Spearman": lambda scores, indices: spearman(scores[indices, 0], human[indices], grouped(indices)),
        "AUROC": lambda scores, indices: auroc(scores[indices, 0], labels[indices]),
    }
