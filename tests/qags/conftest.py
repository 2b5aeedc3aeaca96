"""A tiny pair that works: one asks "who did WORD ?" for the answer WORD, the other finds WORD in a text."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language
from support.readers import CONTENT, train_reader_that_finds
from support.tiny import train_tiny_qagen


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the reader."""
    return train_reader_that_finds(tmp_path_factory.mktemp("reader"))


@pytest.fixture(scope="session")
def questioner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the question generator, which writes the answer first."""

    def ask(rng: random.Random, text: list[str]) -> str:
        word = rng.choice(text)
        return f"{word} <sep> who did {word} ?"

    folder = train_tiny_qagen(tmp_path_factory.mktemp("questioner"), ask, steps=600)
    config = json.loads((folder / "config.json").read_text())
    config["questioner_separator"] = config.pop("qagen_separator")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="session")
def pipeline() -> Language:
    """A pipeline of rules, in which some words are names; the trained one need not be installed."""
    rules = spacy.blank("en")
    entities: Any = rules.add_pipe("entity_ruler")
    entities.add_patterns([{"label": "PERSON", "pattern": [{"LOWER": word}]} for word in CONTENT[::2]])
    return rules
