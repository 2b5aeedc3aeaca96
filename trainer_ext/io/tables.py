"""Tables of texts: JSON, CSV and parquet in; JSON lines and parquet out, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from quals.errors import DataError
from quals.rows import (
    JSON_LINES,
    SEPARATED,
    checked_text,
    file_format,
    find_column,
    json_line,
    json_value,
    read_rows,
    scorable,
)

from trainer_ext.io.atomic import remove_leftovers, replacing

Rows = Sequence[Mapping[str, Any]]  # a list of dicts, or a datasets.Dataset where the file was parquet
PARQUET = ".parquet"
READABLE = (*JSON_LINES, *SEPARATED, PARQUET)
WRITABLE = (*JSON_LINES, PARQUET)


def read_table(path: Path, columns: Collection[str] | None = None) -> Rows:
    """The rows of a JSON lines, JSON, CSV, TSV or parquet file, by its suffix; all but parquet may end in ``.gz`` too.

    Args:
        path: the file.
        columns: columns of a parquet file to read, where they are all there; others may then be of any type.

    Raises:
        DataError: another suffix, no rows, or not what the suffix says; the message names the line.
        OSError: the file cannot be read.
    """
    path.stat()  # what is not there has no wrong suffix
    if file_format(path) not in READABLE:
        raise DataError(f"{path} ends in {path.suffix or 'nothing'!r}: give a file that ends in {', '.join(READABLE)}.")
    rows = _read_parquet(path, columns) if path.suffix.lower() == PARQUET else read_rows(path)
    if len(rows) == 0:
        raise DataError(f"{path} holds no rows: there is nothing to score.")
    return rows


def named_column(rows: Rows, given: str | None, wanted: Sequence[str], option: str, path: Path) -> str:
    """The column that an option names; if it names none, the column whose name says what it holds.

    Args:
        rows: as :func:`read_table` gives them.
        given: value of the option, or None.
        wanted: names to look for, best first.
        option: the command-line option, for the message.
        path: where the rows come from, for the message.

    Raises:
        DataError: no column has one of these names, or several have, and the best is not among them.
    """
    if given is not None:
        return given
    names = column_names(rows)
    column = find_column(names, wanted, str(path), f"name it with {option}")
    others = [name for name in wanted if name in names and name != column]
    if others and column != wanted[0]:
        raise DataError(
            f"{path} has the columns {', '.join(map(repr, [column, *others]))}, and either may be meant: choose with "
            f"{option}."
        )
    return column


def text_column(rows: Rows, column: str, option: str, path: Path) -> list[str]:
    """The texts of a column.

    Args:
        rows: as :func:`read_table` gives them.
        column: its name.
        option: the command-line option that names the column, for the message.
        path: where the rows come from, for the message.

    Raises:
        DataError: a row has no such column, or something other than text in it; the message names the row, from 1.
    """
    texts: list[str] = []
    if column in getattr(rows, "column_names", ()):
        rows = rows.select_columns([column])  # type: ignore[attr-defined]  # a Dataset reads whole rows otherwise
    for number, row in enumerate(rows, start=1):
        if column not in row:
            found = ", ".join(map(repr, row)) or "none"
            raise DataError(
                f"{path}, row {number}: there is no column {column!r} (columns found: {found}); name it with {option}."
            )
        texts.append(checked_text(row[column], column, number, path))
    return texts


def rows_with_texts(rows: Rows, columns: Sequence[str]) -> list[int]:
    """The places, from 0, of the rows that have a text with words in each of these columns."""
    if set(columns) <= set(getattr(rows, "column_names", ())):
        rows = rows.select_columns(list(columns))  # type: ignore[attr-defined]
    return [place for place, row in enumerate(rows) if all(map(scorable, map(row.get, columns)))]


def column_names(rows: Rows) -> list[str]:
    """All columns, in the order in which they first appear."""
    known: Sequence[str] | None = getattr(rows, "column_names", None)
    return list(known) if known is not None else list(dict.fromkeys(name for row in rows for name in row))


def write_table(path: Path, rows: Rows, added: Mapping[str, Sequence[Any]], features: Mapping[str, Any]) -> None:
    """Write rows with further columns as JSON lines or parquet, by the suffix; ``path`` changes only on success.

    Args:
        path: where to; see :func:`check_output`.
        rows: as :func:`read_table` gives them.
        added: a value for every row, by column name.
        features: parquet type of each added column, as ``datasets.Features`` takes them.

    Raises:
        DataError: a value has no counterpart in the format.
        OSError: the file could not be written.
    """
    with replacing(path) as file:
        _write_rows(file, path, rows, added, features)


def check_rows(path: Path, rows: Rows) -> None:
    """Find out before the work whether the format of ``path`` can hold these rows.

    Raises:
        DataError: a value has no counterpart in it.
    """
    with open(os.devnull, "wb") as nowhere:
        _write_rows(nowhere, path, rows, {}, {})


def check_output(path: Path, suffixes: Sequence[str], inputs: Sequence[Path] = ()) -> None:
    """Find out before the work whether ``path`` can take its result.

    Raises:
        OSError: its folder cannot be written to.
        DataError: its suffix is none of ``suffixes``, its folder is missing, it is not a plain file, or an input.
    """
    if path.suffix.lower() not in suffixes:
        raise DataError(f"The output {path} must end in {' or '.join(suffixes)}.")
    try:
        is_other = path.exists() and not path.is_file()
        os.stat(path)
    except FileNotFoundError:
        pass
    except OSError as error:  # a circle of links, say
        raise DataError(f"The output {path} cannot be written ({error.strerror}): give another name.") from error
    if not Path(os.path.realpath(path)).parent.is_dir():
        raise DataError(f"The output {path} cannot be written: there is no folder {path.parent}; make it first.")
    if is_other:
        raise DataError(f"The output {path} is not a plain file: give another name.")
    for source in inputs:
        if path.exists() and path.samefile(source):
            raise DataError(f"The output {path} is the input: give another name, so that nothing is lost.")
    remove_leftovers(path)
    try:
        with tempfile.TemporaryFile(dir=Path(os.path.realpath(path)).parent):
            pass
    except OSError as error:
        raise OSError(
            f"The output {path} cannot be written ({error.strerror or error}): choose another folder."
        ) from error


def _read_parquet(path: Path, columns: Collection[str] | None) -> Rows:
    import datasets
    import pyarrow  # type: ignore[import-untyped]
    import pyarrow.parquet  # type: ignore[import-untyped]

    if not path.is_file():
        raise OSError(f"There is no file {path}.")
    try:
        # Not by Dataset.from_parquet, which first copies the file into a cache.
        with pyarrow.parquet.ParquetFile(path) as file:
            needed = list(columns) if columns and set(columns) <= set(file.schema_arrow.names) else None
            return datasets.Dataset(datasets.table.InMemoryTable(file.read(needed)))
    except (pyarrow.ArrowException, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path} is not a readable parquet file ({str(error).splitlines()[0]}).") from error


def _write_rows(
    file: BinaryIO, path: Path, rows: Rows, added: Mapping[str, Sequence[Any]], features: Mapping[str, Any]
) -> None:
    if path.suffix.lower() == PARQUET:
        _write_parquet(file, rows, added, features)
        return
    for number, row in enumerate(rows, start=1):
        values = {**row, **{name: column[number - 1] for name, column in added.items()}}
        file.write(json_line({name: json_value(value, name, number) for name, value in values.items()}))


def _write_parquet(file: BinaryIO, rows: Rows, added: Mapping[str, Sequence[Any]], features: Mapping[str, Any]) -> None:
    import datasets

    from trainer_ext.io.progress import without_noise

    try:
        if not isinstance(rows, datasets.Dataset):
            rows = datasets.Dataset.from_dict({name: [row.get(name) for row in rows] for name in column_names(rows)})
        table: datasets.Dataset = rows
        if added:
            extra = datasets.Dataset.from_dict(dict(added), features=datasets.Features(features))
            table = datasets.concatenate_datasets([table, extra], axis=1)
        with without_noise():
            table.to_parquet(file)
    except (ValueError, TypeError, OverflowError, NotImplementedError) as error:  # pyarrow's errors are such
        raise DataError(
            f"Parquet cannot hold what is in a column ({str(error).splitlines()[0]}); write JSON lines."
        ) from error
