"""The separator is one token with an embedding, and all that the model computed before it computes after."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from support.t5 import save_t5, t5_tokenizer, tiny_t5
from support.tiny import tiny_model, tiny_tokenizer
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from trainer_ext.recipes.base_model import load_base
from trainer_ext.recipes.qagen.separator import add_separator, resize_embeddings


def without_separator() -> PreTrainedTokenizerBase:
    """The tiny tokenizer as it was before anyone thought of a QAGen."""
    tokenizer = tiny_tokenizer()
    content = json.loads(tokenizer.backend_tokenizer.to_str().replace('"<sep>"', '"<old>"'))
    return type(tokenizer)(
        tokenizer_object=type(tokenizer.backend_tokenizer).from_str(json.dumps(content)),
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=["king"],
    )


@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_the_separator_becomes_one_token_with_an_embedding(kind: str, tmp_path: Path) -> None:
    model, tokenizer = tiny_model(kind), without_separator()
    del model.config.qagen_separator
    size = model.config.vocab_size
    separator = add_separator(model, tokenizer)
    assert separator == size == len(tokenizer) - 1
    weights = model.state_dict()
    assert {
        len(weights[name]) for name in ("shared.weight", "model.shared.weight", "lm_head.weight") if name in weights
    } == {size + 1}
    assert model.config.qagen_separator == "<sep>"
    assert "king" in tokenizer.all_special_tokens  # the extra special tokens that were there stay
    assert tokenizer("who<sep>", add_special_tokens=False)["input_ids"][-1] == separator
    assert add_separator(model, tokenizer) == separator  # a second time changes nothing
    assert model.config.vocab_size == size + 1

    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert AutoTokenizer.from_pretrained(tmp_path).convert_tokens_to_ids("<sep>") == separator
    assert AutoModelForSeq2SeqLM.from_pretrained(tmp_path).config.qagen_separator == "<sep>"


def test_a_vocabulary_with_room_keeps_its_size() -> None:
    model, tokenizer = tiny_model("t5"), without_separator()
    model.resize_token_embeddings(64)  # like T5's own, which has spare rows
    assert add_separator(model, tokenizer) == len(tokenizer) - 1
    assert model.config.vocab_size == 64


def test_the_end_of_sequence_is_the_models() -> None:
    """A BERT tokenizer names none; targets must end as the model's config says."""
    model, tokenizer = tiny_model("bart"), tiny_tokenizer()
    tokenizer.eos_token = None
    add_separator(model, tokenizer)
    assert tokenizer.eos_token_id == model.config.eos_token_id == 2


@torch.no_grad()
def logits(model: PreTrainedModel) -> torch.Tensor:
    """Of two texts, (2, 4, V)."""
    ids = torch.tensor([[3, 7, 9, 1], [11, 12, 13, 1]])
    decoder_input_ids = torch.tensor([[0, 8, 9, 10], [0, 21, 22, 23]])
    result: torch.Tensor = model.eval()(input_ids=ids, decoder_input_ids=decoder_input_ids).logits
    return result


def model_of(kind: str) -> PreTrainedModel:
    """A model whose tokenizer fills its vocabulary."""
    if kind.startswith("t5"):
        return tiny_t5(len(t5_tokenizer()), own_projection=kind == "t5 untied")
    return tiny_model("bart")


@pytest.mark.parametrize("kind", ["bart", "t5 tied", "t5 untied"])
@pytest.mark.parametrize("more", [7, 0, -5])
def test_a_resized_model_computes_what_it_computed(kind: str, more: int, tmp_path: Path) -> None:
    model_of(kind).save_pretrained(tmp_path)
    model = AutoModelForSeq2SeqLM.from_pretrained(tmp_path)
    before, rows = logits(model), model.config.vocab_size
    resize_embeddings(model, rows + more)
    kept = min(rows, rows + more)
    after = logits(model)
    assert after.shape[-1] == model.config.vocab_size == rows + more
    torch.testing.assert_close(after[..., :kept], before[..., :kept], atol=0, rtol=0)
    assert (model.get_output_embeddings().weight is model.get_input_embeddings().weight) == (kind != "t5 untied")
    model.save_pretrained(tmp_path / "again")
    again, info = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "again", output_loading_info=True)
    assert not info["missing_keys"]
    torch.testing.assert_close(logits(again), after, atol=0, rtol=0)


@pytest.mark.parametrize("spare", [0, 10])
@pytest.mark.parametrize("own_projection", [False, True])
def test_a_t5_with_a_separator_computes_what_it_computed(own_projection: bool, spare: int, tmp_path: Path) -> None:
    size = len(t5_tokenizer())
    model, tokenizer = load_base(
        AutoModelForSeq2SeqLM, str(save_t5(tmp_path, rows=size + spare, own_projection=own_projection))
    )
    before = logits(model)
    assert add_separator(model, tokenizer) == size, "the first row that no token has"
    after = logits(model)
    assert after.shape[-1] == size + max(spare, 1)
    torch.testing.assert_close(after[..., :size], before[..., :size], atol=0, rtol=0)
    assert (model.lm_head.weight is model.shared.weight) != own_projection
