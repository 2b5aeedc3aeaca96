"""QUALS as a metric with a tiny QAGen that asks."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from quals.quals import Quals
from support.metric_texts import SOURCES, SUMMARIES
from support.tiny import same_everywhere, tiny_model, tiny_tokenizer


@pytest.fixture(scope="module")
@same_everywhere()
def asking_qagen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny QAGen that has learnt to ask who won, and where."""
    torch.manual_seed(0)
    tokenizer, model = tiny_tokenizer(), tiny_model("bart").train()
    texts, targets = [], []
    for who, did, where in product(
        ("joshua", "klitschko", "the king", "the queen"), ("won", "lost"), ("paris", "london")
    ):
        texts += [f"{who} {did} in {where} ."] * 2
        targets.append(f"who is the boxer who {did} in {where} ? <sep> {who}")
        targets.append(f"what is the city where {who} has {did} ? <sep> {where}")
    inputs = tokenizer(texts, padding=True, return_tensors="pt")
    labels = tokenizer(targets, padding=True, return_tensors="pt")["input_ids"][:, 1:]  # without <s>
    labels = labels.masked_fill(labels == tokenizer.pad_token_id, -100)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, fused=True)
    for _ in range(160):
        model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    folder = tmp_path_factory.mktemp("asking")
    model.float().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def quals(asking_qagen: Path, tmp_path: Path) -> Quals:
    return Quals(str(asking_qagen), cache_dir=str(tmp_path))


@pytest.fixture(scope="module")
def expected(asking_qagen: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The result for SUMMARIES and SOURCES with nothing special."""
    quals = Quals(str(asking_qagen), cache_dir=str(tmp_path_factory.mktemp("expected")))
    result: dict[str, Any] = quals.compute(predictions=SUMMARIES, sources=SOURCES)
    return result
