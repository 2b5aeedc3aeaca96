"""A tiny QAGen whose pairs survive at the scorer's default settings, which the benchmarks use."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from tiny import WORDS, tiny_model, tiny_tokenizer


@pytest.fixture(scope="session")
def asking_qagen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny BART that has learnt to ask a question of seven words and to copy its answer from the text."""
    folder = tmp_path_factory.mktemp("asking")
    tokenizer, model = tiny_tokenizer(), tiny_model("bart").train()
    rng = random.Random(0)
    content = [word for word in WORDS if word.isalpha() and len(word) > 2]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(150):
        texts = [[rng.choice(content) for _ in range(rng.randrange(3, 12))] for _ in range(32)]
        inputs = tokenizer([" ".join(text) for text in texts], padding=True, return_tensors="pt")
        targets = [
            f"{rng.choice(['who', 'what'])} {rng.choice(['won', 'lost', 'said'])} in the red city ? <sep> "
            f"{rng.choice(text)} </s>"
            for text in texts
        ]
        labels = tokenizer(targets, add_special_tokens=False, padding=True, return_tensors="pt")["input_ids"]
        loss = model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            labels=labels.masked_fill(labels == tokenizer.pad_token_id, -100),
        ).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
