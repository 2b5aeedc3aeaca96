"""Files that visitors of the page upload: read within bounds, written back with their scores, removed after an hour."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import DataError
from .results import QualsResult
from .rows import (
    JSON_LINES,
    SEPARATED,
    SOURCE_COLUMNS,
    SUMMARY_COLUMNS,
    checked_text,
    file_format,
    find_column,
    json_line,
    json_value,
    read_rows,
    write_csv,
)

MOST_ROWS = 200
MOST_BYTES = 5_000_000
MOST_CHARACTERS = {"document": 100_000, "summary": 5_000}
MOST_TEXT = 1_000_000  # characters of all texts of a file together: some minutes of work on two cores
SUFFIXES = (*JSON_LINES, *SEPARATED)
KEPT = 3600  # seconds that uploaded and scored files stay
ADDED = ("quals", "num_pairs")


@dataclass(frozen=True)
class Upload:
    """An uploaded file.

    Attributes:
        rows: as read.
        sources, summaries: the texts to score, one of each per row.
        suffix: the file's format; the scored file gets the same.
    """

    rows: tuple[dict[str, Any], ...]
    sources: tuple[str, ...]
    summaries: tuple[str, ...]
    suffix: str


def read_upload(path: Path) -> Upload:
    """Read an uploaded file.

    Raises:
        DataError: it is too large, in another format, or lacks a column or a text; the message says what to do.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"The file ends in {path.suffix or 'nothing'}: give one that ends in {' or '.join(SUFFIXES)}.")
    if path.stat().st_size > MOST_BYTES:
        raise DataError(f"The file is larger than {MOST_BYTES // 1_000_000} MB: give a part of it.")
    rows = read_rows(path, path.name)
    if not rows:
        raise DataError("The file has no rows: give one with a source and a summary in each.")
    if len(rows) > MOST_ROWS:
        raise DataError(f"The file has {len(rows)} rows, and the limit is {MOST_ROWS}: give a part of it.")
    names = list(dict.fromkeys(name for row in rows for name in row))
    taken = [name for name in names if name in ADDED]
    if taken:
        raise DataError(f"The file has a column {taken[0]!r} already, which the scores would replace: rename it.")
    source = find_column(names, SOURCE_COLUMNS, path.name, "rename the column of sources")
    summary = find_column(names, SUMMARY_COLUMNS, path.name, "rename the column of summaries")
    sources, summaries = _texts(rows, source, "document", path), _texts(rows, summary, "summary", path)
    total = sum(map(len, sources)) + sum(map(len, summaries))
    if total > MOST_TEXT:
        raise DataError(
            f"The file has {total:,} characters of text, and the limit is {MOST_TEXT:,}: give a part of it, or score "
            "it with `quals score`, which has no such limit."
        )
    checked = [{name: json_value(v, name, n) for name, v in row.items()} for n, row in enumerate(rows, start=1)]
    return Upload(tuple(checked), sources, summaries, file_format(path))


def check_length(kind: str, text: str, advice: str) -> None:
    """Raise a DataError if a text is too long for the page; ``kind`` is ``"document"`` or ``"summary"``."""
    if len(text) > MOST_CHARACTERS[kind]:
        raise DataError(
            f"The {kind} has {len(text):,} characters, and the limit is {MOST_CHARACTERS[kind]:,}: {advice}, or score "
            "it with `quals score`, which has no such limit."
        )


def write_scored(upload: Upload, results: Sequence[QualsResult], folder: Path) -> Path:
    """The upload with the columns ``quals`` (empty, or null, where undefined) and ``num_pairs``, as a new file.

    Args:
        upload: what was scored.
        results: one per row.
        folder: where the file ``scored`` goes, in a folder of its own.
    """
    path = Path(tempfile.mkdtemp(dir=folder)) / f"scored{upload.suffix}"
    rows = []
    for row, result in zip(upload.rows, results, strict=True):
        values = result.to_dict()
        rows.append({**row, "quals": values["score"], "num_pairs": values["num_pairs"]})
    if upload.suffix in SEPARATED:
        with path.open("w", encoding="utf-8", newline="") as file:
            write_csv(file, rows, "\t" if upload.suffix == ".tsv" else ",")
    else:
        path.write_bytes(b"".join(map(json_line, rows)))
    return path


def uploads_folder() -> Path:
    """This user's folder of uploads; only the user may look into it. What a killed run left goes by age."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"quals-app-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or (hasattr(os, "getuid") and folder.stat().st_uid != user):
        return Path(tempfile.mkdtemp(prefix="quals-app-"))  # somebody else made that name
    remove_expired(folder)
    return folder


def remove_expired(folder: Path) -> None:
    """Remove files older than an hour, whichever run of the app they are of, and folders that are then empty."""
    before = time.time() - KEPT
    for current, _, names in os.walk(folder, topdown=False):
        with suppress(OSError):  # another run may do the same
            for path in (Path(current) / name for name in names):
                if path.lstat().st_mtime < before:
                    path.unlink()
            if Path(current) != folder and os.lstat(current).st_mtime < before:
                os.rmdir(current)


def _texts(rows: Sequence[dict[str, Any]], column: str, kind: str, path: Path) -> tuple[str, ...]:
    texts = []
    for number, row in enumerate(rows, start=1):
        texts.append(checked_text(row.get(column), column, number, path.name))
        check_length(kind, texts[-1], f"cut it in row {number}")
    return tuple(texts)
