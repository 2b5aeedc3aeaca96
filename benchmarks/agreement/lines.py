"""A JSON lines file that only grows: a kill can lose its last line and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def read_lines(path: Path, convert: Callable[[Any], T]) -> Iterator[T]:
    """What ``convert`` makes of each whole line; half a line, which a kill leaves, is cut off the file.

    Args:
        path: the file; nothing is read where there is none.
        convert: raises ValueError, KeyError or TypeError where a line is not one of this file.

    Raises:
        ValueError: a line cannot be read.
    """
    if not path.is_file():
        return
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with path.open("r+b") as file:
            file.truncate(whole)
    for number, line in enumerate(data[:whole].splitlines(), start=1):
        try:
            yield convert(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path}, line {number} is not a record of this benchmark: delete it to score its row again."
            ) from error


def append_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append one line per row and flush them to disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
