"""Documents from tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from quals.rows import SOURCE_COLUMNS, checked_text, find_column
from quals.typography import plain

from trainer_ext.io.tables import read_table


def read_documents(files: Sequence[str]) -> list[str]:
    """The different documents of JSON lines, CSV or parquet files, in order of their first appearance.

    They are in plain typography, as the metrics read texts.

    Raises:
        ValueError: a file is not a table, has no column of documents, or a value in it is not text.
    """
    return list(dict.fromkeys(text for name in files for text in _texts(Path(name))))


def _texts(path: Path) -> Iterator[str]:
    rows = read_table(path)
    column = find_column(rows[0], SOURCE_COLUMNS, str(path), "rename the column of documents")
    for number, row in enumerate(rows, start=1):
        if (text := checked_text(row.get(column), column, number, path)).strip():
            yield plain(text)
