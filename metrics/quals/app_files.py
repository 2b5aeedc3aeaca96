"""Uploaded tables of sources and summaries for the app: read with clear refusals, written back with their scores."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_ROWS = 200
MOST_BYTES = 5_000_000
SOURCE_COLUMNS = ("source", "document", "article")
SUMMARY_COLUMNS = ("summary", "prediction")
SUFFIXES = (".csv", ".jsonl")


@dataclass(frozen=True)
class Table:
    """Rows of a file.

    Attributes:
        rows: as read.
        sources, summaries: the texts to score, one a row.
        suffix: of the file, which the scored one gets too.
    """

    rows: tuple[dict[str, Any], ...]
    sources: tuple[str, ...]
    summaries: tuple[str, ...]
    suffix: str


def read_table(path: Path) -> Table:
    """The rows of a CSV or JSON lines file.

    Raises:
        ValueError: the file is too large, is neither, or lacks the columns; the message says what to do.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"The file ends in {suffix or 'nothing'}: give one that ends in {' or '.join(SUFFIXES)}.")
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"The file is larger than {MOST_BYTES // 1_000_000} MB: give a part of it.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"The file is not UTF-8 ({error.reason} at byte {error.start}): save it so.") from error
    rows = _csv_rows(text) if suffix == ".csv" else _json_rows(text)
    if not rows:
        raise ValueError("The file has no rows: give one with a source and a summary in each.")
    if len(rows) > MOST_ROWS:
        raise ValueError(f"The file has {len(rows)} rows, and here it may have {MOST_ROWS}: give a part of it.")
    source, summary = _column(rows[0], SOURCE_COLUMNS), _column(rows[0], SUMMARY_COLUMNS)
    for number, row in enumerate(rows, start=1):
        for name in (source, summary):
            if not isinstance(row.get(name), str):
                raise ValueError(f"Row {number} has no text in {name!r}: put it there, or leave out the row.")
        try:
            json.dumps(row, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"Row {number} holds half a character (a lone surrogate): mend it.") from error
    return Table(tuple(rows), tuple(row[source] for row in rows), tuple(row[summary] for row in rows), suffix)


def write_scored(table: Table, scores: Sequence[float], num_pairs: Sequence[int], folder: Path) -> Path:
    """The table with the columns ``quals`` (empty, or null, where undefined) and ``num_pairs``, as ``scored`` there."""
    path = folder / f"scored{table.suffix}"
    rows = [
        {**row, "quals": None if math.isnan(score) else score, "num_pairs": count}
        for row, score, count in zip(table.rows, scores, num_pairs, strict=True)
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        if table.suffix == ".csv":
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        else:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return path


def _csv_rows(text: str) -> list[dict[str, Any]]:
    csv.field_size_limit(MOST_BYTES)
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        rows = list(reader)
    except csv.Error as error:
        raise ValueError(f"Line {reader.line_num} of the file is no CSV ({error}): mend it.") from error
    names = list(reader.fieldnames or ())
    if len(set(names)) < len(names):
        raise ValueError("The first line names a column twice: give each a name of its own.")
    for number, row in enumerate(rows, start=1):
        if None in row:
            raise ValueError(f"Row {number} has more cells than the first line names columns: quote what holds commas.")
    return rows


def _json_rows(text: str) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"Line {number} of the file is no JSON ({error}): mend it.") from error
        if not isinstance(row, dict):
            raise ValueError(f"Line {number} of the file is no JSON object: write one a line.")
        rows.append(row)
    return rows


def _column(row: dict[str, Any], names: Sequence[str]) -> str:
    found = next((name for name in names if name in row), None)
    if found is None:
        raise ValueError(f"The file has no column {' or '.join(map(repr, names))}: name one so.")
    return found
