"""Documents from tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from quals.errors import DataError
from quals.rows import checked_text

from trainer_ext.io.tables import read_table

# Names of columns with documents, in the order in which they are looked for.
COLUMNS = ("document", "source", "article", "context", "text")


def read_documents(files: Sequence[str]) -> list[str]:
    """The different documents of JSON lines, CSV or parquet files, in order of their first appearance.

    Raises:
        ValueError: a file is not a table, has no column of documents, or a value in it is not text.
    """
    return list(dict.fromkeys(text for name in files for text in _texts(Path(name))))


def _texts(path: Path) -> Iterator[str]:
    rows = read_table(path)
    column = next((name for name in COLUMNS if name in rows[0]), None)
    if column is None:
        raise DataError(f"{path} has no column of documents: name it one of {', '.join(COLUMNS)}.")
    for number, row in enumerate(rows, start=1):
        if (text := checked_text(row.get(column), column, number, path)).strip():
            yield text
