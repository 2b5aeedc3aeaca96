"""A table of texts to score: its rows, the store of what is scored already, and the output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from quals.errors import DataError, OptionError
from quals.rows import REFERENCE_COLUMNS, SOURCE_COLUMNS

from trainer_ext.io.chunks import ALONE, ChunkStore, Workers, WorkFolder, run_chunks
from trainer_ext.io.hashing import hash_json
from trainer_ext.io.tables import (
    WRITABLE,
    Rows,
    check_output,
    check_rows,
    column_names,
    named_column,
    read_table,
    rows_with_texts,
    text_column,
    write_table,
)
from trainer_ext.scale.rows import ScoreRows, SomeRows

CHUNK = 32  # rows that are scored together, and lost if the run is killed

Result = dict[str, Any]  # the added columns of a row


@dataclass(frozen=True)
class Texts:
    """Rows, and the texts of those to score.

    Args:
        name: where they come from, for messages.
        rows: all of them.
        places: places, from 0, of those to score.
        sources, summaries: their texts.
    """

    name: str
    rows: Rows
    places: Sequence[int]
    sources: Sequence[str]
    summaries: Sequence[str]

    @property
    def sizes(self) -> list[int]:
        """Rows of each chunk."""
        return [min(CHUNK, len(self.places) - first) for first in range(0, len(self.places), CHUNK)]

    def chunk(self, number: int) -> SomeRows:
        """The rows of a chunk."""
        part = slice(number * CHUNK, (number + 1) * CHUNK)
        return SomeRows(self.name, self.places[part], self.sources[part], self.summaries[part])


@dataclass(frozen=True)
class Reading:
    """How a file is read.

    Args:
        source_column, summary_column: columns of the texts; None finds them by their names.
        skip_invalid: leave out rows whose source or summary is null or has no words.
    """

    source_column: str | None = None
    summary_column: str | None = None
    skip_invalid: bool = False

    def read(self, path: Path, all_columns: bool = True) -> Texts:
        """The texts of a file; without ``all_columns``, a parquet file's two columns alone where both are named.

        Raises:
            DataError: it is not a table, a column is missing, or a row has no text; the message names the row.
            OSError: it cannot be read.
        """
        given = (self.source_column, self.summary_column)
        return self.texts(
            read_table(path, None if all_columns or None in given else (str(given[0]), str(given[1]))), path
        )

    def texts(self, rows: Rows, path: Path) -> Texts:
        """The texts of a file's rows.

        Raises:
            DataError: see :meth:`read`.
        """
        columns = (
            named_column(rows, self.source_column, SOURCE_COLUMNS, "--source-column", path),
            named_column(rows, self.summary_column, REFERENCE_COLUMNS, "--summary-column", path),
        )
        places, scored = list(range(len(rows))), rows
        if self.skip_invalid:
            places = rows_with_texts(rows, columns) or places  # where there is none, the first says what is wrong
            scored = [rows[place] for place in places]
        try:
            sources = text_column(scored, columns[0], "--source-column", path)
            summaries = text_column(scored, columns[1], "--summary-column", path)
        except DataError as error:
            if self.skip_invalid or not rows_with_texts(rows, columns):
                raise
            raise DataError(f"{error} Or leave such rows out with --skip-invalid (skip_invalid=True).") from error
        return Texts(str(path), rows, places, sources, summaries)


@dataclass(frozen=True)
class Scoring:
    """The scoring of a table, and its output. Work is kept beside the output, in ``OUTPUT.partial``, until the end.

    Args:
        texts: what to score.
        work: how.
        output: the file to write; None keeps the work in memory.
    """

    texts: Texts
    work: ScoreRows
    output: Path | None = None
    folder: WorkFolder = field(init=False)

    def __post_init__(self) -> None:
        partial = self.output.with_name(self.output.name + ".partial") if self.output else None
        object.__setattr__(self, "folder", WorkFolder(partial))

    @property
    def made_from(self) -> dict[str, Any]:
        """All that the results depend on."""
        texts = hash_json(sources=list(self.texts.sources), summaries=list(self.texts.summaries))
        columns = [self.work.explain, self.work.token_log_probs]
        calibration = self.work.scorer.calibration
        its_map = None if calibration is None else [calibration.slope, calibration.intercept]
        return {"signature": self.work.scorer.signature, "texts": texts, "columns": columns, "calibration": its_map}

    def store(self, resume: bool) -> ChunkStore:
        """The store of what was made from just this.

        Raises:
            OptionError: an earlier run finished some rows without ``resume``, or rows of other work.
        """
        path, made_from = self.folder.path, self.made_from
        before = {chunk.parent for chunk in path.glob("*/chunk-*.json")} if path else set()
        store = self.folder.open("scores", made_from, ALONE)
        others = before - {store.folder}
        if others:
            raise OptionError(
                f"{path} holds results of another run, with other {_difference(min(others), made_from)}: repeat that "
                "run with --resume, give this one another --output, or delete the folder."
            )
        total = len(self.texts.places)
        kept = min(total, CHUNK * len(list(store.folder.glob("chunk-*.json")))) if store.folder else 0
        if kept and not resume:
            raise OptionError(
                f"{path} holds {kept} of {total} rows of an unfinished run: add --resume to continue it, or delete "
                "the folder to start anew."
            )
        return store

    def run(self, store: ChunkStore, workers: Workers = ALONE, name: str = "Scoring") -> list[Result]:
        """The added columns of each scored row; of workers that work apart, of this one's share.

        Raises:
            DataError: a row cannot be scored; the message names it.
            OSError: results cannot be kept.
        """
        chunks = run_chunks(store, self.texts.sizes, self.work, workers, name, unit="row", inputs=self.texts.chunk)
        return list(chain.from_iterable(chunks))

    def write(self, results: Sequence[Result]) -> None:
        """Write all rows with the added columns, null where a row was left out. The store stays.

        Raises:
            OSError: the output could not be written.
        """
        if self.output is None:
            return
        features = self.work.columns
        added: dict[str, list[Any]] = {name: [None] * len(self.texts.rows) for name in features}
        for place, result in zip(self.texts.places, results, strict=True):
            for name in features:
                added[name][place] = result[name]
        write_table(self.output, self.texts.rows, added, features)


def check_writable(output: Path, texts: Texts, features: dict[str, Any], inputs: Sequence[Path]) -> None:
    """Find out before the work whether the output can be written.

    Raises:
        DataError: its name or a column will not do.
        OSError: its folder cannot be written to.
    """
    check_output(output, WRITABLE, inputs)
    check_rows(output, texts.rows)
    taken = [name for name in column_names(texts.rows) if name in features]
    if taken:
        raise DataError(f"The input has a column {taken[0]!r} already, which the output adds: rename it in the input.")


def _difference(other: Path, made_from: dict[str, Any]) -> str:
    """In what the store of another run differs, in words."""
    try:
        before = json.loads((other / "settings.json").read_bytes())
        differing = [name for name in made_from if before[name] != made_from[name]]
    except (OSError, ValueError, KeyError, TypeError):
        differing = []
    names = {"signature": "model or settings", "calibration": "probabilities"}
    if differing == ["signature"]:
        return f"settings (their signature is {before['signature']}, this run's is {made_from['signature']})"
    return " and ".join(names.get(name, name) for name in differing) or "texts, settings or columns"
