"""Statements about sources, true and false: read from files, and kept on files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quals.errors import DataError
from quals.pairs import fold
from quals.rows import checked_text, find_column
from quals.typography import plain

from trainer_ext.io.atomic import json_line, replacing
from trainer_ext.io.hashing import text_hash
from trainer_ext.io.tables import read_table

# Names of columns, in the order in which they are looked for: those of summaries, and those of natural language
# inference.
SOURCES = ("source", "document", "premise", "context", "text")
STATEMENTS = ("statement", "claim", "hypothesis", "summary")
LABELS = ("consistent", "label")
CHANGED = "changed"
_TRUE = ("true", "1", "consistent", "entailment", "supported", "correct")
_FALSE = ("false", "0", "inconsistent", "contradiction", "neutral", "not_entailment", "incorrect")

_HELD_OUT = 20  # each source in so many is kept for validation


@dataclass(frozen=True)
class Statement:
    """A text about a source, and whether the source states it.

    Attributes:
        source: what is known.
        text: one or more sentences.
        consistent: whether each fact of the text is in the source. A text that the source neither states nor
            contradicts is not consistent.
        changed: the words of the text that make it inconsistent; empty where that is not known.
    """

    source: str
    text: str
    consistent: bool
    changed: str = ""


def read_statements(files: Sequence[str]) -> list[Statement]:
    """The different statements of JSON lines, CSV or parquet files, in order and in plain typography.

    A row has a source (``source``, ``document``, ``premise``), a statement (``statement``, ``claim``, ``hypothesis``,
    ``summary``), and whether the one states the other (``consistent``, ``label``): a boolean, 1 or 0, or a word such as
    ``entailment`` or ``neutral``. A ``label`` of a premise or a hypothesis must be a word. The column ``changed`` may
    hold the words that make a statement inconsistent.

    Raises:
        DataError: a file has no such columns, a text is not one, a label is none of these, or changed words are not in
            the statement.
    """
    return list(dict.fromkeys(statement for name in files for statement in _statements(Path(name))))


def read_summaries(files: Sequence[str]) -> list[Statement]:
    """The different summaries of JSON lines, CSV or parquet files, as true statements, in order and plain typography.

    Columns are named as for :func:`read_statements`; a column of labels is not read.

    Raises:
        DataError: a file has no such columns, or a text is not one.
    """
    told: list[Statement] = []
    for path in map(Path, files):
        rows = read_table(path)
        source, text = (find_column(rows[0], names, str(path), "name it so") for names in (SOURCES, STATEMENTS))
        told += (
            Statement(*_texts(row, (source, text), number, path), True) for number, row in enumerate(rows, start=1)
        )
    return [statement for statement in dict.fromkeys(told) if statement.source and statement.text]


def write_statements(path: Path, statements: Iterable[Statement]) -> None:
    """Put statements into a file of JSON lines that :func:`read_statements` reads.

    Raises:
        OSError: it could not be written; what it held before is unchanged.
    """
    with replacing(path) as file:
        for told in statements:
            row = {SOURCES[0]: told.source, STATEMENTS[0]: told.text, LABELS[0]: told.consistent}
            file.write(json_line({**row, CHANGED: told.changed}))


def held_out_sources(statements: Iterable[Statement]) -> set[str]:
    """One source in 20, at least one, whose statements validate a training: by the sources' hashes.

    Raises:
        DataError: all statements are about one source.
    """
    sources = sorted({statement.source for statement in statements}, key=lambda text: (text_hash(text), text))
    if len(sources) < 2:
        raise DataError("All statements are about one source: give more, because some sources validate the training.")
    return set(sources[: max(1, len(sources) // _HELD_OUT)])


def without_conflicts(statements: Iterable[Statement]) -> list[Statement]:
    """The statements less those that are called consistent in one place and inconsistent in another."""
    listed = list(statements)
    labels: dict[tuple[str, str], set[bool]] = {}
    for statement in listed:
        labels.setdefault((statement.source, statement.text), set()).add(statement.consistent)
    return [s for s in listed if len(labels[s.source, s.text]) == 1]


def _statements(path: Path) -> Iterator[Statement]:
    rows = read_table(path)
    source, text, label = (
        find_column(rows[0], names, str(path), "name it so") for names in (SOURCES, STATEMENTS, LABELS)
    )
    for number, row in enumerate(rows, start=1):
        # Sets of natural language inference count entailment as 0.
        inference = label == "label" and bool({source, text} & {"premise", "hypothesis"})
        consistent = _consistent(row, label, number, path, numbers=not inference)
        known, told = _texts(row, (source, text), number, path)
        statement = Statement(known, told, consistent, "" if consistent else _changed(row, told, number, path))
        if statement.source and statement.text:
            yield statement


def _texts(row: Mapping[str, Any], columns: tuple[str, str], number: int, path: Path) -> tuple[str, str]:
    """Source and statement, in plain typography."""
    source, text = (plain(checked_text(row.get(column), column, number, path)).strip() for column in columns)
    return source, text


def _consistent(row: Mapping[str, Any], column: str, number: int, path: Path, numbers: bool) -> bool:
    value = row.get(column)
    word = str(int(value) if isinstance(value, float) and value.is_integer() else value).casefold()
    if word.isdecimal() and not numbers:
        raise DataError(
            f"{path}, row {number}: {column!r} is {value!r} beside a premise or a hypothesis, and most such files "
            "count entailment as 0: write entailment, neutral or contradiction, or call the column consistent, with "
            "true or false."
        )
    if word not in _TRUE + _FALSE:
        raise DataError(
            f"{path}, row {number}: {column!r} is {row.get(column)!r}; give true or false, 1 or 0, or one of "
            f"{', '.join((*_TRUE[2:], *_FALSE[2:]))}."
        )
    return word in _TRUE


def _changed(row: Mapping[str, Any], statement: str, number: int, path: Path) -> str:
    """The changed words, if the row has them."""
    value = row.get(CHANGED)
    if value is None or value == "":
        return ""
    changed = plain(checked_text(value, CHANGED, number, path)).strip()
    if not {word.folded for word in fold(changed)} & {word.folded for word in fold(statement)}:
        raise DataError(
            f"{path}, row {number}: {CHANGED!r} is {changed[:40]!r}, which the statement does not hold: give the words "
            "of the statement that make it false, or leave it empty."
        )
    return changed
