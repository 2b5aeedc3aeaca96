"""The rows on which a metric and people differ most, for a person to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import shorten

import numpy as np
from scipy.stats import rankdata

from benchmarks.agreement.aggregations import pair_score
from benchmarks.agreement.cache import PairRecord
from benchmarks.agreement.data import PAIRWISE, Row
from trainer_ext.study.statistics import Floats


@dataclass(frozen=True)
class Disagreement:
    """A row whose place among its set differs between the metric and people.

    Attributes:
        set: its set.
        row: the judged summary.
        score: the metric's score of it.
        metric_rank, human_rank: place in the set, from 0 (least consistent) to 1; ties share their mean place.
    """

    set: str
    row: Row
    score: float
    metric_rank: float
    human_rank: float

    @property
    def size(self) -> float:
        """Difference of the places, 0 to 1."""
        return abs(self.metric_rank - self.human_rank)


def disagreements(name: str, kind: str, rows: Sequence[Row], scores: Floats) -> list[Disagreement]:
    """Every scored row, largest difference first; only one row per pair.

    In a pairwise set a row is ranked by its score minus that of its partner.
    """
    compared = scores
    if kind == PAIRWISE:
        places = {(row.pair, row.label): index for index, row in enumerate(rows)}
        partners = [places[row.pair, 1 - row.label] for row in rows]
        compared = scores - scores[partners]
    known: list[int] = np.flatnonzero(~np.isnan(compared)).tolist()
    if not known:
        return []
    metric_ranks = _unit_ranks(compared[known])
    human_ranks = _unit_ranks(np.array([rows[index].human for index in known]))
    differences = [
        Disagreement(name, rows[index], float(scores[index]), float(metric), float(human))
        for index, metric, human in zip(known, metric_ranks, human_ranks, strict=True)
    ]
    by_pair: dict[str, Disagreement] = {}
    for item in sorted(differences, key=lambda item: -item.size):
        by_pair.setdefault(item.row.pair, item)
    return list(by_pair.values())


def describe(item: Disagreement, pairs: Sequence[PairRecord], weighting: str = "tokens") -> str:
    """The row with its pairs, worst first, as text."""
    row = item.row
    lines = [
        f"{item.set}  {row.id}  QUALS {item.score:.3f} (place {item.metric_rank:.2f}), "
        f"people {row.human:.2f} (place {item.human_rank:.2f})",
        f"  document: {shorten(row.document, 400, placeholder=' ...')}",
        f"  summary:  {' '.join(row.summary.split())}",
    ]
    for pair in sorted(pairs, key=lambda pair: pair_score(pair, weighting)):
        lines.append(f"  {pair_score(pair, weighting):8.3f}  {pair.question}  ->  {pair.answer}")
    return "\n".join(lines)


def worst(differing: Mapping[str, Sequence[Disagreement]], count: int) -> list[Disagreement]:
    """The ``count`` largest disagreements over all sets."""
    return sorted((item for items in differing.values() for item in items), key=lambda item: -item.size)[:count]


def _unit_ranks(values: Floats) -> Floats:
    return (rankdata(values) - 1) / max(1, len(values) - 1)
