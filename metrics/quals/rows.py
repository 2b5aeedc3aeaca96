"""CSV and JSON files as rows: read with the row and the reason named where something is wrong, and written strictly.

The standard library reads them, so that every value stays as it was written: a reader that guesses types makes a date
of a summary that looks like one.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, TextIO

from .errors import DataError
from .inputs import has_words, lone_surrogate

JSON_LINES = (".jsonl", ".ndjson", ".json")
SEPARATED = (".csv", ".tsv")
COMPRESSED = ".gz"  # may follow any of these
# Names of columns, in the order in which they are looked for.
SOURCE_COLUMNS = ("source", "document", "article", "dialogue", "context", "text")
REFERENCE_COLUMNS = ("summary", "highlights", "reference", "target")
SUMMARY_COLUMNS = ("summary", "prediction")
_LONGEST_FIELD = 2**31 - 1  # the csv module refuses fields above 128 KB unless told otherwise
_SHOWN = 40  # characters of a wrong value


def file_format(path: Path) -> str:
    """The suffix that says what a file holds, such as ``".csv"``, with ``.gz`` taken off."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return ([""] + [suffix for suffix in suffixes if suffix != COMPRESSED])[-1]


def read_rows(path: Path, name: str | None = None) -> list[dict[str, Any]]:
    """The rows of a file of JSON lines, a JSON array of objects, CSV or TSV; the suffix says which.

    A CSV file's columns may be separated by semicolons, and each file may be compressed (``.jsonl.gz``).

    Args:
        path: the file, in UTF-8.
        name: what messages call it; None is its path.

    Returns:
        A dict per row, by column name; values of CSV and TSV are strings.

    Raises:
        DataError: another suffix, or not what the suffix says; the message names the line or the row, from 1.
        OSError: the file cannot be read.
    """
    name, suffix = name or str(path), file_format(path)
    if suffix not in JSON_LINES + SEPARATED:
        formats = ", ".join(JSON_LINES + SEPARATED)
        raise DataError(f"{name} ends in {path.suffix or 'nothing'!r}: give a file that ends in {formats}, or in .gz.")
    try:
        # newline="" leaves line ends inside quoted fields alone; utf-8-sig drops the mark that Excel puts first.
        if path.suffix.lower() == COMPRESSED:
            with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
                return list(_rows(file, suffix, name))
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(_rows(file, suffix, name))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name} is not UTF-8 text ({error.reason} at byte {error.start}): save it as UTF-8."
        ) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{name} is not a whole gzip file ({error}): compress it again.") from error


def find_column(names: Iterable[str], wanted: Sequence[str], name: str, advice: str) -> str:
    """The first of the ``wanted`` columns that is among ``names``.

    Args:
        names: columns of the file.
        wanted: names to look for, best first.
        name: what the message calls the file.
        advice: what to do where none is there.

    Raises:
        DataError: none is there; the message lists what is.
    """
    names = list(names)
    column = next((column for column in wanted if column in names), None)
    if column is None:
        raise DataError(
            f"{name} has no column {' or '.join(map(repr, wanted))} (columns found: "
            f"{', '.join(map(repr, names)) or 'none'}): {advice}."
        )
    return column


def checked_text(value: Any, column: str, number: int, name: str | Path) -> str:
    """A row's value, which must be a text.

    Raises:
        DataError: it is not; the message names the file, the row, from 1, and the column.
    """
    if not isinstance(value, str):
        kind = "null" if value is None else f"{type(value).__name__} {str(value)[:_SHOWN]!r}"
        raise DataError(f"{name}, row {number}: {column!r} is {kind}, not text; give every row a string.")
    if lone_surrogate(value) is not None:
        raise DataError(
            f"{name}, row {number}: {column!r} holds half a surrogate pair, which is not a character; correct the text."
        )
    return value


def scorable(value: Any) -> bool:
    """Whether a value is a text, as :func:`checked_text` demands, and has words."""
    return isinstance(value, str) and lone_surrogate(value) is None and has_words(value)


def json_line(values: Any) -> bytes:
    """One line of strict JSON. Half a surrogate pair, which UTF-8 cannot hold, is written as its escape.

    Raises:
        ValueError: a number is NaN or infinite; :func:`json_value` makes it null.
    """
    return (json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "backslashreplace")


def json_value(value: Any, column: str, number: int) -> Any:
    """A value as strict JSON has it: NaN and infinity are null, dates are ISO 8601.

    Raises:
        DataError: JSON has no form for it, or it is nested too deep; the message names the row and the column.
    """
    try:
        return as_json(value)
    except TypeError as error:
        raise DataError(
            f"Row {number}: column {column!r} holds {error}, which JSON has no form for; write parquet."
        ) from error
    except RecursionError as error:
        raise DataError(f"Row {number}: column {column!r} is nested too deep: leave it out of the file.") from error


def write_csv(file: TextIO, rows: Sequence[Mapping[str, Any]], delimiter: str = ",") -> None:
    """Rows as CSV, with the columns of the first; None and NaN become empty cells. ``file`` has ``newline=""``."""
    writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    for row in rows:
        writer.writerow({name: None if isinstance(v, float) and math.isnan(v) else v for name, v in row.items()})


def _rows(file: TextIO, suffix: str, name: str) -> Iterator[dict[str, Any]]:
    if suffix in SEPARATED:
        return _csv_rows(file, suffix, name)
    if suffix == ".json" and _first_character(file) == "[":
        return _array_rows(file, name)
    return _json_rows(file, name)


def _first_character(file: TextIO) -> str:
    """The first that is not white space; the file is at its beginning again."""
    first = next((line.lstrip()[0] for line in file if line.strip()), "")
    file.seek(0)
    return first


def _array_rows(file: TextIO, name: str) -> Iterator[dict[str, Any]]:
    text = file.read()
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{name} is not JSON ({_reason(error)}): give an array of objects, or an object per line."
        ) from error
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise DataError(f"{name}, row {number}: this is a {type(row).__name__}; give an array of JSON objects.")
        yield row


def _json_rows(lines: Iterable[str], name: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{name}, line {number}: this is not JSON ({_reason(error)}); give one object per line."
            ) from error
        if not isinstance(row, dict):
            raise DataError(f"{name}, line {number}: this is a {type(row).__name__}; give one JSON object per line.")
        yield row


def _reason(error: ValueError | RecursionError) -> str:
    return "it is nested too deep" if isinstance(error, RecursionError) else str(error)


def _csv_rows(file: TextIO, suffix: str, name: str) -> Iterator[dict[str, Any]]:
    before = csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(file, delimiter=_delimiter(file, suffix), strict=True)
    try:
        header = next(reader, [])
        if len(set(header)) < len(header):
            raise DataError(f"{name}: the header names a column twice ({', '.join(header)}); rename one.")
        number = 0
        for fields in reader:
            if not fields:
                continue
            number += 1
            if len(fields) != len(header):
                raise DataError(
                    f"{name}, row {number}: there are {len(fields)} fields and the header has {len(header)}; put texts "
                    "with separators or line ends in double quotes."
                )
            yield dict(zip(header, fields, strict=True))
    except csv.Error as error:
        raise DataError(f"{name}, line {reader.line_num}: this is not CSV ({error}).") from error
    finally:
        csv.field_size_limit(before)


def _delimiter(file: TextIO, suffix: str) -> str:
    """What separates the columns; the file is at its beginning again."""
    if suffix == ".tsv":
        return "\t"
    header = next(csv.reader(file), [])
    file.seek(0)
    return ";" if len(header) == 1 and ";" in header[0] else ","  # Excel writes ; where a comma is the decimal sign


def as_json(value: Any) -> Any:
    """A value as strict JSON has it, see :func:`json_value`.

    Raises:
        TypeError: JSON has no form for it.
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    raise TypeError(type(value).__name__)
