"""Score the rows that the cache does not have, and turn records into one array a metric."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from quals import QualsScorer
from tqdm.auto import tqdm

from benchmarks.agreement.aggregations import EXPERIMENTS, WEIGHTED, Aggregation
from benchmarks.agreement.cache import ScoreCache, ScoreRecord
from benchmarks.agreement.data import Row
from benchmarks.agreement.floors import ngram_share
from benchmarks.agreement.statistics import Floats

FLOORS = {"unigrams": 1, "bigrams": 2}
WINDOWS = ", windows"
_CHUNK = 32  # rows scored between two writes: what a kill can lose


def score_missing(scorer: QualsScorer, rows: Sequence[Row], cache: ScoreCache, description: str) -> tuple[int, float]:
    """Score the rows that are not in the cache, those of one document together.

    Returns:
        How many were scored, and the seconds that took.
    """
    documents = {document: place for place, document in enumerate(dict.fromkeys(row.document for row in rows))}
    pending = sorted((row for row in rows if cache.get(row) is None), key=lambda row: documents[row.document])
    start = time.perf_counter()
    with tqdm(total=len(pending), desc=description, unit="row", disable=None if pending else True) as bar:
        for first in range(0, len(pending), _CHUNK):
            chunk = pending[first : first + _CHUNK]
            scores = scorer.score([row.document for row in chunk], [row.summary for row in chunk], progress=False)
            cache.add(chunk, scores)
            bar.update(len(chunk))
    return len(pending), time.perf_counter() - start


def needs_windows(rows: Sequence[Row], truncated: ScoreCache) -> list[Row]:
    """The rows whose document was cut: the others have one window, so that both policies give them the same score."""
    return [row for row in rows if (record := truncated.get(row)) is not None and record.source_truncated]


def known_rows(rows: Sequence[Row], truncated: ScoreCache, windows: ScoreCache | None) -> list[Row]:
    """The rows that every asked-for policy has scored; all of them unless a run was killed."""
    known = [row for row in rows if truncated.get(row) is not None]
    if windows is None:
        return known
    wanted = {id(row) for row in needs_windows(known, truncated)}
    return [row for row in known if id(row) not in wanted or windows.get(row) is not None]


def metric_scores(rows: Sequence[Row], truncated: ScoreCache, windows: ScoreCache | None) -> dict[str, Floats]:
    """Scores of shape (rows,) by metric, NaN where a metric has none; higher is more consistent.

    With windows, a pair counts with the window in which the mean over all its tokens is highest, for every weighting.

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
