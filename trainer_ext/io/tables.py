"""Tables of texts: JSON lines, CSV and parquet in; JSON lines and parquet out, whole or not at all.

JSON lines and CSV are read by the standard library, so that every value stays as it was written (a reader that
guesses types makes a date of a summary that looks like one) and every complaint can name its row. Parquet, which
has types of its own, goes through ``datasets``.
"""

from __future__ import annotations

import csv
import glob
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, BinaryIO

from trainer_ext.io.atomic import json_line, replacing

Rows = Sequence[Mapping[str, Any]]  # a list of dicts, or a datasets.Dataset where the file was parquet
JSON_LINES = (".jsonl", ".ndjson", ".json")
PARQUET = ".parquet"
READABLE = (*JSON_LINES, ".csv", PARQUET)
WRITABLE = (*JSON_LINES, PARQUET)
_LONGEST_FIELD = 2**31 - 1  # the csv module refuses fields above 128 KB unless told otherwise


def read_table(path: Path) -> Rows:
    """The rows of a JSON lines, CSV or parquet file, by its suffix.

    Raises:
        ValueError: another suffix, no rows, or not what the suffix says; the message names the line.
        OSError: the file cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix not in READABLE:
        raise ValueError(f"{path} ends in {suffix or 'nothing'!r}: give a file that ends in {', '.join(READABLE)}.")
    try:
        if suffix == PARQUET:
            rows = _read_parquet(path)
        else:
            # newline="" leaves line ends inside quoted fields alone; utf-8-sig drops the mark that Excel puts first.
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = list(_csv_rows(path, file) if suffix == ".csv" else _json_rows(path, file))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text (byte {error.start}): save it as UTF-8.") from error
    if len(rows) == 0:
        raise ValueError(f"{path} holds no rows: there is nothing to score.")
    return rows


def text_column(rows: Rows, column: str, option: str, path: Path) -> list[str]:
    """The texts of a column.

    Args:
        rows: as :func:`read_table` gives them.
        column: its name.
        option: the command-line option that names the column, for the message.
        path: where the rows come from, for the message.

    Raises:
        ValueError: a row has no such column, or something other than text in it; the message names the row, from 1.
    """
    texts: list[str] = []
    if column in getattr(rows, "column_names", ()):
        rows = rows.select_columns([column])  # type: ignore[attr-defined]  # a Dataset reads whole rows otherwise
    for number, row in enumerate(rows, start=1):
        if column not in row:
            found = ", ".join(map(repr, row)) or "none"
            raise ValueError(
                f"{path}, row {number}: there is no column {column!r} (columns found: {found}); name it with {option}."
            )
        texts.append(checked_text(row[column], column, number, path))
    return texts


def checked_text(value: Any, column: str, number: int, path: Path) -> str:
    """A row's value, which is a text.

    Raises:
        ValueError: it is none; the message names the file, the row, from 1, and the column.
    """
    if not isinstance(value, str):
        kind = "null" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
        raise ValueError(f"{path}, row {number}: {column!r} is {kind}, not text; give every row a string.")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(
            f"{path}, row {number}: {column!r} holds half a surrogate pair, which is no character; mend the text."
        )
    return value


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
        ValueError: a value has no counterpart in the format.
        OSError: the file could not be written.
    """
    with replacing(path) as file:
        _write_rows(file, path, rows, added, features)


def check_rows(path: Path, rows: Rows) -> None:
    """Find out before the work whether the format of ``path`` can hold these rows.

    Raises:
        ValueError: a value has no counterpart in it.
    """
    with open(os.devnull, "wb") as nowhere:
        _write_rows(nowhere, path, rows, {}, {})


def check_output(path: Path, suffixes: Sequence[str], inputs: Sequence[Path] = ()) -> None:
    """Find out before the work whether ``path`` can take its result.

    Raises:
        ValueError: its suffix is none of ``suffixes``, its folder is missing, it is no plain file, or an input.
    """
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"The output {path} must end in {' or '.join(suffixes)}.")
    if not path.resolve().parent.is_dir():
        raise ValueError(f"The output {path} cannot be written: there is no folder {path.parent}; make it first.")
    if path.exists() and not path.is_file():
        raise ValueError(f"The output {path} is no plain file: give another name.")
    for source in inputs:
        if path.exists() and path.samefile(source):
            raise ValueError(f"The output {path} is the input: give another name, so that nothing is lost.")


def _json_rows(path: Path, lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}, line {number}: this is not JSON ({error}); give one object a line.") from error
        if not isinstance(row, dict):
            raise ValueError(f"{path}, line {number}: this is a {type(row).__name__}; give one JSON object a line.")
        yield row


def _csv_rows(path: Path, lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    before = csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, [])
        if len(set(header)) < len(header):
            raise ValueError(f"{path}: the header names a column twice ({', '.join(header)}); rename one.")
        number = 0
        for fields in reader:
            if not fields:
                continue
            number += 1
            if len(fields) != len(header):
                raise ValueError(
                    f"{path}, row {number}: there are {len(fields)} fields and the header has {len(header)}; put texts "
                    "with commas or line ends in double quotes."
                )
            yield dict(zip(header, fields, strict=True))
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: this is not CSV ({error}).") from error
    finally:
        csv.field_size_limit(before)


def _read_parquet(path: Path) -> Rows:
    import datasets

    if not path.is_file():
        raise OSError(f"There is no file {path}.")
    with _no_progress_bars(), tempfile.TemporaryDirectory() as cache:
        try:
            # In memory, because the cache goes: a shared one would fill up with copies of every input.
            # datasets takes the name for a pattern.
            rows: Rows = datasets.Dataset.from_parquet(glob.escape(str(path)), cache_dir=cache, keep_in_memory=True)
        except Exception as error:  # datasets and pyarrow raise many kinds
            cause = error.__cause__ or error
            raise ValueError(f"{path} is no readable parquet file ({str(cause).splitlines()[0]}).") from error
    return rows


def _write_rows(
    file: BinaryIO, path: Path, rows: Rows, added: Mapping[str, Sequence[Any]], features: Mapping[str, Any]
) -> None:
    if path.suffix.lower() == PARQUET:
        _write_parquet(file, rows, added, features)
        return
    for number, row in enumerate(rows, start=1):
        values = {**row, **{name: column[number - 1] for name, column in added.items()}}
        file.write(json_line({name: _json_value(value, name, number) for name, value in values.items()}))


def _write_parquet(file: BinaryIO, rows: Rows, added: Mapping[str, Sequence[Any]], features: Mapping[str, Any]) -> None:
    import datasets

    try:
        if not isinstance(rows, datasets.Dataset):
            rows = datasets.Dataset.from_dict({name: [row.get(name) for row in rows] for name in column_names(rows)})
        table: datasets.Dataset = rows
        if added:
            extra = datasets.Dataset.from_dict(dict(added), features=datasets.Features(features))
            table = datasets.concatenate_datasets([table, extra], axis=1)
        with _no_progress_bars():
            table.to_parquet(file)
    except (ValueError, TypeError, OverflowError, NotImplementedError) as error:  # pyarrow's errors are such
        raise ValueError(
            f"Parquet cannot hold what is in a column ({str(error).splitlines()[0]}); write JSON lines."
        ) from error


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    import datasets

    were_off = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if not were_off:
            datasets.enable_progress_bars()


def _json_value(value: Any, column: str, number: int) -> Any:
    """A value as strict JSON has it: NaN and infinity are null, dates are ISO 8601."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _json_value(item, column, number) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_value(item, column, number) for item in value]
    raise ValueError(
        f"Row {number}: column {column!r} holds {type(value).__name__}, which JSON has no form for; write parquet."
    )
