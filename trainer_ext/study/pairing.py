"""Two tables of summaries, matched document by document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from quals.rows import SOURCE_COLUMNS, SUMMARY_COLUMNS

from trainer_ext.io.tables import Rows, named_column, read_table, text_column

_SHOWN = 60  # characters of a document in a message


@dataclass(frozen=True)
class Columns:
    """Names of columns.

    Attributes:
        source, summary: columns of the texts; None finds them by their usual names in each table.
        identifier: column that rows are matched by; None matches by the source text.
    """

    source: str | None
    summary: str | None
    identifier: str | None


@dataclass(frozen=True)
class Pair:
    """A document and both systems' summaries of it.

    Attributes:
        key: its identifier, or else its row in the first table (from 1).
        document: the source text.
        summaries: the first system's and the second's.
    """

    key: str
    document: str
    summaries: tuple[str, str]


def read_pairs(first: Path, second: Path, documents: Path | None, columns: Columns) -> list[Pair]:
    """The documents of both tables, in the first table's order.

    Args:
        first, second: one table of summaries per system, as :func:`trainer_ext.io.tables.read_table` takes them.
        documents: a table of the source texts, if the other two lack them; it may hold more documents.
        columns: the names of their columns; ``documents`` needs an identifier.

    Raises:
        ValueError: a table is unreadable, has a document twice, lacks a document of the other table, or has another
            text for it; or a document is blank. The message names the row.
        OSError: a file cannot be read.
    """
    if documents is not None and columns.identifier is None:
        raise ValueError(f"Matching rows with {documents} needs an identifier: name its column with --id-column.")
    own = documents is None
    tables = [_Table(path, columns, with_summaries=True, with_documents=own) for path in (first, second)]
    _check_same_documents(tables[0], tables[1], columns)
    source = tables[0] if documents is None else _Table(documents, columns, with_summaries=False, with_documents=True)
    pairs = []
    for key, row in tables[0].rows.items():
        if key not in source.rows:
            raise ValueError(
                f"{source.path} has no row with {columns.identifier} {key!r}, which {first} has in row {row + 1}: add "
                "it, or take the row out of both systems' tables."
            )
        document = source.documents[source.rows[key]]
        if not document.strip():
            raise ValueError(f"{source.path}, row {source.rows[key] + 1}: the document is blank; take it out.")
        name = key if columns.identifier is not None else str(row + 1)
        summaries = (tables[0].summaries[row], tables[1].summaries[tables[1].rows[key]])
        pairs.append(Pair(name, document, summaries))
    return pairs


class _Table:
    """A table's columns, and the row (from 0) of each document."""

    def __init__(self, path: Path, columns: Columns, *, with_summaries: bool, with_documents: bool) -> None:
        self.path = path
        table = read_table(path)
        self.documents = _texts(table, columns.source, SOURCE_COLUMNS, "--source-column", path, with_documents)
        self.summaries = _texts(table, columns.summary, SUMMARY_COLUMNS, "--summary-column", path, with_summaries)
        name = columns.identifier
        keys = [_folded(text) for text in self.documents] if name is None else _identifiers(table, name, path)
        self.rows: dict[str, int] = {}
        for row, key in enumerate(keys):
            if key in self.rows:
                same = "document" if name is None else f"{name} {key!r}"
                hint = "name a column that tells them apart with --id-column" if name is None else "give each its own"
                raise ValueError(
                    f"{path}: rows {self.rows[key] + 1} and {row + 1} have the same {same}; {hint}, or take one out."
                )
            self.rows[key] = row


def _check_same_documents(first: _Table, second: _Table, columns: Columns) -> None:
    key = "their documents" if columns.identifier is None else repr(columns.identifier)
    for table, other in ((first, second), (second, first)):
        missing = [key for key in table.rows if key not in other.rows]
        if missing:
            row = table.rows[missing[0]]
            raise ValueError(
                f"{table.path} has {len(missing)} of {len(table.rows)} documents that {other.path} lacks, the first in "
                f"row {row + 1} ({_shown(missing[0])}): both tables must hold the same documents, matched by "
                f"{key}; --id-column names another column."
            )
    if columns.identifier is None or not first.documents:
        return
    for key, row in first.rows.items():
        other_row = second.rows[key]
        if _folded(first.documents[row]) != _folded(second.documents[other_row]):
            raise ValueError(
                f"{first.path}, row {row + 1}, and {second.path}, row {other_row + 1}, have the {columns.identifier} "
                f"{key!r} with different documents: correct one, or give the documents with --documents."
            )


def _texts(table: Rows, given: str | None, wanted: Sequence[str], option: str, path: Path, there: bool) -> list[str]:
    """The texts of a column, if the table has such; else none."""
    return text_column(table, named_column(table, given, wanted, option, path), option, path) if there else []


def _identifiers(table: Rows, column: str, path: Path) -> list[str]:
    """A column of texts or whole numbers, as texts."""
    rows: Sequence[Mapping[str, object]] = [
        {**row, column: str(row[column])} if type(row.get(column)) is int else row for row in table
    ]
    return text_column(rows, column, "--id-column", path)


def _folded(text: str) -> str:
    """The text with single spaces, because tables differ in line ends."""
    return " ".join(text.split())


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
