"""Score the rows that the cache lacks, and turn its records into one array per metric."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from quals import QualsResult, QualsScorer
from quals.pairs import Pair, select
from tqdm.auto import tqdm

from benchmarks.agreement.aggregations import EXPERIMENTS, WEIGHTED, Aggregation
from benchmarks.agreement.cache import ScoreCache, ScoreRecord
from benchmarks.agreement.data import Row
from trainer_ext.mining.rankers import ngram_share
from trainer_ext.study.statistics import Floats

FLOORS = {"unigrams": 1, "bigrams": 2}
WINDOWS = ", windows"
_CHUNK = 96  # rows between two writes: what a kill can lose


@dataclass(frozen=True)
class Policies:
    """The scorers of the two policies for long documents, which share one QAGen, and their caches."""

    truncating: QualsScorer
    truncated: ScoreCache
    windowing: QualsScorer | None = None
    windows: ScoreCache | None = None


def score_missing(policies: Policies, rows: Sequence[Row], description: str) -> tuple[int, float]:
    """Score the rows that the caches lack, rows of one document together.

    Question-answer pairs are generated once for both policies. Only documents that were cut are scored in windows.

    Returns:
        The number of scored rows, and the seconds it took.
    """
    documents = {document: place for place, document in enumerate(dict.fromkeys(row.document for row in rows))}
    pending = [row for row in rows if policies.truncated.get(row) is None]
    if policies.windows is not None:
        pending += [row for row in needs_windows(rows, policies.truncated) if policies.windows.get(row) is None]
    pending.sort(key=lambda row: documents[row.document])
    start = time.perf_counter()
    with tqdm(total=len(pending), desc=description, unit="row", disable=None if pending else True) as bar:
        for first in range(0, len(pending), _CHUNK):
            _score_chunk(policies, pending[first : first + _CHUNK])
            bar.update(len(pending[first : first + _CHUNK]))
    return len(pending), time.perf_counter() - start


def _score_chunk(policies: Policies, chunk: Sequence[Row]) -> None:
    scorer = policies.truncating
    pairs = {
        id(row): select(generated, scorer.max_pairs)
        for row, generated in zip(chunk, scorer.generate_pairs([row.summary for row in chunk]), strict=True)
    }
    unknown = [row for row in chunk if policies.truncated.get(row) is None]
    policies.truncated.add(unknown, _scores(scorer, unknown, pairs))
    if policies.windowing is not None and policies.windows is not None:
        long = needs_windows(chunk, policies.truncated)
        policies.windows.add(long, _scores(policies.windowing, long, pairs))


def _scores(scorer: QualsScorer, rows: Sequence[Row], pairs: Mapping[int, list[Pair]]) -> list[QualsResult]:
    return scorer.score_pairs([row.document for row in rows], [pairs[id(row)] for row in rows])


def needs_windows(rows: Sequence[Row], truncated: ScoreCache) -> list[Row]:
    """The rows whose document was cut; the others have one window, so both policies score them alike."""
    return [row for row in rows if (record := truncated.get(row)) is not None and record.source_truncated]


def known_rows(rows: Sequence[Row], truncated: ScoreCache, windows: ScoreCache | None) -> list[Row]:
    """The rows that every policy has scored, both rows of a pair or none."""
    unknown = {row.pair for row in rows if truncated.get(row) is None}
    if windows is not None:
        unknown |= {row.pair for row in needs_windows(rows, truncated) if windows.get(row) is None}
    return [row for row in rows if row.pair not in unknown]


def metric_scores(rows: Sequence[Row], truncated: ScoreCache, windows: ScoreCache | None) -> dict[str, Floats]:
    """Scores of shape (rows,) by metric, NaN where a metric has none; higher is more consistent.

    With windows, a pair counts with the window in which its mean over all tokens is highest, for every weighting.

    Raises:
        ValueError: a row has not been scored.
    """
    values = {
        name: np.array([ngram_share(row.document, row.summary, order) for row in rows], dtype=np.float64)
        for name, order in FLOORS.items()
    }
    records = [_record(row, truncated, None) for row in rows]
    for name, aggregation in {**WEIGHTED, **EXPERIMENTS}.items():
        values[name] = _aggregate(records, aggregation)
    if windows is not None:
        records = [_record(row, truncated, windows) for row in rows]
        for name, aggregation in WEIGHTED.items():
            values[name + WINDOWS] = _aggregate(records, aggregation)
    return values


def _record(row: Row, truncated: ScoreCache, windows: ScoreCache | None) -> ScoreRecord:
    record = truncated.get(row)
    if record is not None and windows is not None and record.source_truncated:
        record = windows.get(row)
    if record is None:
        raise ValueError(f"Row {row.id!r} has not been scored: score it, or leave it out.")
    return record


def _aggregate(records: Sequence[ScoreRecord], aggregation: Aggregation) -> Floats:
    return np.array([aggregation(record.pairs) for record in records], dtype=np.float64)
