"""A tiny QAGen that has learnt to ask, texts for it, and options that suit it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from quals import QualsResult

from support.tiny import WORDS, train_tiny_qagen

OPTIONS: dict[str, Any] = {"num_groups": 8, "min_tokens": 3, "max_tokens": 8, "device": "cpu"}


def learn(kind: str, folder: Path) -> Path:
    """A tiny QAGen that asks `who <verb>?` and copies a word of its text."""
    return train_tiny_qagen(
        folder, lambda rng, text: f"who {rng.choice(['won', 'lost', 'said'])} ? <sep> {rng.choice(text)}", kind
    )


def texts(count: int, seed: int = 1) -> tuple[list[str], list[str]]:
    """Sources of 10 to 49 words and summaries of 2 to 14."""
    rng = random.Random(seed)
    words = [word for word in WORDS if word.isalpha()]

    def text(low: int, high: int) -> str:
        return " ".join(rng.choice(words) for _ in range(rng.randrange(low, high)))

    return [text(10, 50) for _ in range(count)], [text(2, 15) for _ in range(count)]


def values(results: list[QualsResult]) -> list[float]:
    """The scores."""
    return [result.score for result in results]
