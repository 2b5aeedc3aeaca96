"""Tiny sets of human judgements."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support.tiny import WORDS

CONTENT = [word for word in WORDS if word.isalpha() and len(word) > 2]


SUMMARIES = ["joshua won in paris .", "the queen lost the river city ."]


def write_set(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    """One set as the benchmark reads it."""
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def judged(documents: int, each: int = 2, **more: Any) -> list[dict[str, Any]]:
    """Rows over several documents, the first of each consistent."""
    return [
        {
            "id": f"row_{place}_{number}",
            "document": f"the {CONTENT[place % len(CONTENT)]} has a red mat in paris . {place}",
            "summary": SUMMARIES[min(number, 1)],
            "label": int(number == 0),
            "origin": "news" if place % 2 else "chat",
            **more,
        }
        for place in range(documents)
        for number in range(each)
    ]
