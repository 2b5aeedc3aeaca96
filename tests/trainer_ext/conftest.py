"""A tiny QAGen that asks: a plain random one almost never writes a pair that survives the filter."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from support.tiny import train_tiny_qagen
from transformers import AutoTokenizer, BartForConditionalGeneration, set_seed


@pytest.fixture(scope="session")
def asking_qagen(tiny_qagen: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny random BART QAGen that leans towards the separator and towards an early end.

    With 30 groups and a diversity of 2 it writes pairs for about a third of short texts.
    """
    config = BartForConditionalGeneration.from_pretrained(tiny_qagen).config
    tokenizer = AutoTokenizer.from_pretrained(tiny_qagen)
    set_seed(2)
    model = BartForConditionalGeneration(config)
    with torch.no_grad():
        model.final_logits_bias[0, tokenizer.convert_tokens_to_ids(["<pad>", "<s>", "<unk>"])] = -20.0
        model.final_logits_bias[0, tokenizer.convert_tokens_to_ids("<sep>")] = 6.0
        model.final_logits_bias[0, tokenizer.eos_token_id] = 8.0
    folder = tmp_path_factory.mktemp("asking")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def qagen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny QAGen whose pairs survive."""

    def ask(rng: random.Random, text: list[str]) -> str:
        return f"who did what in the city ? <sep> {rng.choice(text)}"

    return train_tiny_qagen(tmp_path_factory.mktemp("qagen"), ask)


@pytest.fixture(scope="session")
def summarizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny BART that has learnt to copy a document's first three words."""
    return train_tiny_qagen(tmp_path_factory.mktemp("summarizer"), lambda rng, text: " ".join(text[:3]))
