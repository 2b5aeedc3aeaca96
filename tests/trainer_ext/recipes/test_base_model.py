"""A base model that is not whole is refused in a sentence, and what is whole comes in float32."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.readers import save_reader, tiny_reader
from transformers import AutoModelForQuestionAnswering

from trainer_ext.recipes.base_model import load_base


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_reader(tmp_path / "base", tiny_reader())


def test_weights_come_in_float32_with_their_tokenizer(folder: Path) -> None:
    model, tokenizer = load_base(AutoModelForQuestionAnswering, str(folder))
    assert model.dtype == torch.float32
    assert tokenizer("a")["input_ids"]


@pytest.mark.parametrize("keep", [0, 4, 100])
def test_cut_off_weights_are_refused(folder: Path, keep: int) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(ValueError, match="cannot be read") as caught:
        load_base(AutoModelForQuestionAnswering, str(folder))
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("missing", ["model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_refused(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(ValueError, match="cannot be read"):
        load_base(AutoModelForQuestionAnswering, str(folder))
