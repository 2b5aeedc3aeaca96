"""Rows to score in parts, and the options at which the tiny QAGen of the tests asks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trainer_ext.cli.main import main

QUICK = ["--num-groups", "30", "--diversity", "2", "--device", "cpu"]
_WORDS = ["joshua", "won", "the", "red", "city", "in", "paris", "klitschko", "lost", "a", "blue", "dog"]


def rows(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Rows of short texts, numbered."""
    numbers = range(first, first + count)
    return [
        {"source": " ".join(_WORDS[n % 7 :]), "summary": " ".join(_WORDS[n % 5 : 5 + n % 8]), "n": n} for n in numbers
    ]


def write(path: Path, content: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
    return path


def score(qagen: Path, *arguments: str | Path) -> int:
    """Run ``quals score`` with the options above."""
    return main(["score", *map(str, arguments), "--checkpoint", str(qagen), *QUICK])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
