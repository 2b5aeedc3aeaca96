"""Find the checkpoint that belongs to a metric's code, for a copy of that code that may lie alone.

evaluate copies a metric's Python files, not its data, into a cache of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path


def embedded_folder(module_file: str, package: str, name: str) -> Path | None:
    """The folder ``name`` beside the code: of this copy, of the installed package, or of what this was copied from.

    Args:
        module_file: ``__file__`` of the code that asks.
        package: that the metric is installed as.
        name: of the checkpoint's folder.
    """
    for folder in _candidates(Path(module_file).resolve().parent, package):
        if (folder / name / "config.json").is_file():
            return (folder / name).resolve()
    return None


def _candidates(here: Path, package: str) -> Iterator[Path]:
    yield here
    spec = find_spec(package)
    for location in (spec.submodule_search_locations or []) if spec else []:
        yield Path(location)
    note = here / f"{package}.json"  # evaluate writes {"original file path": ...} beside its copy, once
    if note.is_file():
        try:
            original = json.loads(note.read_text(encoding="utf-8"))["original file path"]
        except (ValueError, KeyError, TypeError, OSError):
            return
        yield Path(original).parent  # may be relative or stale: the caller looks whether it is there
