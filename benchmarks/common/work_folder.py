"""A folder that holds one run's work."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainer_ext.io.atomic import replacing

SETTINGS, DONE = "settings.json", "done.json"


def texts_hash(texts: Any) -> str:
    """A hash of documents and summaries, given as plain JSON values."""
    return hashlib.sha256(json.dumps(texts, sort_keys=True).encode()).hexdigest()


def finish(folder: Path, note: Mapping[str, Any]) -> None:
    """Note that a stage is done, and what came of it."""
    with replacing(folder / DONE) as file:
        file.write((json.dumps(note, indent=2) + "\n").encode())


def keep_to(work: Path, settings: Mapping[str, str]) -> None:
    """Reserve the folder for this run: the first call notes the settings there.

    Raises:
        ValueError: the folder belongs to a run with other settings.
    """
    note = work / SETTINGS
    if note.is_file() and json.loads(note.read_text(encoding="utf-8")) != settings:
        raise ValueError(f"{work} holds a run with other settings: give another --work.")
    work.mkdir(parents=True, exist_ok=True)
    with replacing(note) as file:
        file.write((json.dumps(settings, indent=2) + "\n").encode())
