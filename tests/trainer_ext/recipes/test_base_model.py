"""A base model that is not whole is refused in a sentence; a whole one comes in float32, with a new head if need be."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.readers import save_reader, tiny_reader
from transformers import AutoModelForQuestionAnswering, AutoModelForSequenceClassification

from trainer_ext.recipes.base_model import load_base


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_reader(tmp_path / "base", tiny_reader())


def test_weights_come_in_float32_with_their_tokenizer(folder: Path) -> None:
    tiny_reader().half().save_pretrained(folder)
    model, tokenizer = load_base(AutoModelForQuestionAnswering, str(folder))
    assert model.dtype == torch.float32
    assert tokenizer("a")["input_ids"]


def test_another_head_is_made_anew_and_the_rest_is_kept(folder: Path) -> None:
    model, _ = load_base(AutoModelForSequenceClassification, str(folder), new_head=True, num_labels=3)
    assert model.classifier.out_features == 3
    for name, weight in tiny_reader().bert.named_parameters():
        assert torch.equal(model.bert.get_parameter(name), weight), name
    with pytest.raises(ValueError, match=r"lack .*classifier"):
        load_base(AutoModelForSequenceClassification, str(folder), num_labels=3)


@pytest.mark.parametrize("other_shape", [False, True])
def test_weights_that_a_new_head_does_not_replace_are_not_drawn_at_random(folder: Path, other_shape: bool) -> None:
    weights = load_file(folder / "model.safetensors")
    name = "bert.encoder.layer.0.output.dense.weight"
    taken = weights.pop(name)
    if other_shape:
        weights[name] = taken[:-1].clone()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=f"lack {name}"):
        load_base(AutoModelForQuestionAnswering, str(folder), new_head=True)


def test_a_model_that_the_recipe_cannot_use_is_refused_before_its_weights_are_read(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="a bert model is not enough"):
        load_base(
            AutoModelForQuestionAnswering, str(folder), lambda config: f"a {config.model_type} model is not enough"
        )


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
