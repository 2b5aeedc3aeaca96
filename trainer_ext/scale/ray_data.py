"""Rows, or a data set of Ray's, in Python: scored by the workers of a pool, in the order in which they came."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quals import QualsScorer
from quals.errors import DataError

from trainer_ext.io.chunks import Workers, WorkFolder
from trainer_ext.io.tables import column_names
from trainer_ext.scale.ray_pool import RayPool
from trainer_ext.scale.rows import ScoreRows
from trainer_ext.scale.table import Reading, Scoring

_NAME = Path("the data set")  # in messages


def score_rows(
    rows: Any,
    scorer: QualsScorer | None = None,
    *,
    pool: RayPool,
    source_column: str | None = None,
    summary_column: str | None = None,
    skip_invalid: bool = False,
    explain: bool = False,
    folder: Path | None = None,
) -> Any:
    """Rows with their scores, the same as those of one process, in the same order.

    Args:
        rows: a ``ray.data.Dataset``, or an iterable of dicts. All are read into this process: what it cannot hold
            belongs into a folder of files, see ``quals score FOLDER --engine ray``.
        scorer: loaded on the CPU; None is ``QualsScorer`` with the embedded checkpoint.
        pool: the workers, inside its ``with`` block.
        source_column, summary_column: columns of the texts; None finds them by their names.
        skip_invalid: leave rows whose source or summary is null or has no words without a score.
        explain: add each row's question-answer pairs.
        folder: keeps finished parts, so that a killed run goes on; None keeps them in memory.

    Returns:
        A ``ray.data.Dataset`` for one, else a list of dicts: all rows and columns, with ``quals`` (nats per token,
        higher is better, None where there is no score), ``num_pairs`` and what was cut.

    Raises:
        DataError: there are no rows, or one cannot be scored; the message names it, from 1.
        OSError: parts cannot be kept.
    """
    given = list(rows) if _is_plain(rows) else _in_order(rows)
    if not given:
        raise DataError("The data set holds no rows: there is nothing to score.")
    texts = Reading(source_column, summary_column, skip_invalid).texts(given, _NAME)
    work = ScoreRows(scorer or QualsScorer(device="cpu"), explain)
    features = work.columns
    taken = [name for name in column_names(given) if name in features]
    if taken:
        raise DataError(f"The data set has a column {taken[0]!r} already, which scoring adds: rename it.")
    scoring = Scoring(texts, work)
    store = WorkFolder(folder).open("scores", scoring.made_from, Workers())
    results = scoring.run(store, Workers(spread=pool.spread))
    scored = dict(zip(texts.places, results, strict=True))
    empty = dict.fromkeys(features)
    finished = [{**row, **scored.get(place, empty)} for place, row in enumerate(given)]
    if _is_plain(rows):
        return finished
    import datasets
    import ray.data

    columns = {name: [row.get(name) for row in given] for name in column_names(given)}
    added = {name: [row[name] for row in finished] for name in features}
    table = datasets.concatenate_datasets(
        [datasets.Dataset.from_dict(columns), datasets.Dataset.from_dict(added, features=datasets.Features(features))],
        axis=1,
    )
    return ray.data.from_arrow(table.with_format("arrow")[:])


def _is_plain(rows: Any) -> bool:
    return not hasattr(rows, "take_all")


def _in_order(dataset: Any) -> list[Mapping[str, Any]]:
    """All rows of a data set of Ray's, which gives them in any order unless it is told otherwise."""
    import ray.data

    options = ray.data.DataContext.get_current().execution_options
    before, options.preserve_order = options.preserve_order, True
    try:
        return list(dataset.iter_rows())
    finally:
        options.preserve_order = before
