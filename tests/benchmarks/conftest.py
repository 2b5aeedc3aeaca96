"""A tiny QAGen whose pairs survive at the scorer's default settings, which the benchmarks use."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support.tiny import train_tiny_qagen


@pytest.fixture(scope="session")
def asking_qagen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny BART that has learnt to ask a question of seven words and to copy its answer from the text."""

    def ask(rng: random.Random, text: list[str]) -> str:
        who, did = rng.choice(["who", "what"]), rng.choice(["won", "lost", "said"])
        return f"{who} {did} in the red city ? <sep> {rng.choice(text)}"

    return train_tiny_qagen(tmp_path_factory.mktemp("asking"), ask, longest=11)
