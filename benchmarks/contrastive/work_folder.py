"""A folder that holds one run's work."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from trainer_ext.tables import replacing

SETTINGS = "settings.json"


def keep_to(work: Path, settings: Mapping[str, str]) -> None:
    """Make the folder this run's; its settings are noted there at the first time.

    Raises:
        ValueError: it belongs to a run with other settings.
    """
    note = work / SETTINGS
    if note.is_file() and json.loads(note.read_text(encoding="utf-8")) != settings:
        raise ValueError(f"{work} holds a run with other settings: give another --work.")
    work.mkdir(parents=True, exist_ok=True)
    with replacing(note) as file:
        file.write((json.dumps(settings, indent=2) + "\n").encode())
