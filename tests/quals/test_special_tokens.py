"""A typed special token is text, also to tokenizers whose pieces it is one of."""

from __future__ import annotations

from pathlib import Path

import pytest
from quals.special_tokens import spelled_as_text
from support.t5 import save_t5, t5_tokenizer
from support.tiny import tiny_tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerBase, T5Tokenizer


def read(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, split_special_tokens=True)["input_ids"]
    return ids


@pytest.mark.parametrize("typed", ["</s>", "the cat </s> sat", "cat</s>sat", "<pad>", "<extra_id_0>", "\uff1c/s\uff1e"])
def test_a_typed_special_token_is_text(typed: str, tmp_path: Path) -> None:
    stock = t5_tokenizer()
    special = set(stock.convert_tokens_to_ids(["</s>", "<pad>", "<extra_id_0>"]))
    assert special & set(read(stock, typed)[:-1]), "transformers has mended it: the work-around can go"
    tokenizer = spelled_as_text(stock)
    tokenizer.save_pretrained(tmp_path)
    for reader in (tokenizer, AutoTokenizer.from_pretrained(tmp_path)):
        ids = read(reader, typed)
        assert not special & set(ids[:-1])
        assert ids[-1] == reader.eos_token_id


def test_other_texts_and_the_tokens_that_it_adds_stay_as_they_are() -> None:
    stock = t5_tokenizer()
    tokenizer = spelled_as_text(stock)
    for text in ("the cat sat on the mat.", "a > b", "s /s", "cats sing"):
        assert read(tokenizer, text) == read(stock, text)
    assert tokenizer("the cat</s>")["input_ids"] == stock("the cat</s>")["input_ids"]
    assert tokenizer.get_vocab() == stock.get_vocab()
    assert (tokenizer.eos_token, tokenizer.pad_token, tokenizer.model_max_length) == ("</s>", "<pad>", 64)


def test_a_tokenizer_class_that_would_forget_it_is_replaced(tmp_path: Path) -> None:
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((piece, -3.0) for piece in "▁abs/>")]
    stock = T5Tokenizer(vocab=[*vocabulary, ("<extra_id_0>", 0.0)], extra_ids=1)
    spelled_as_text(stock).save_pretrained(tmp_path)
    assert 1 not in read(AutoTokenizer.from_pretrained(tmp_path), "a </s> b")[:-1]


def test_a_tokenizer_that_needs_nothing_is_returned_itself() -> None:
    tokenizer = tiny_tokenizer()
    assert spelled_as_text(tokenizer) is tokenizer
    twice = spelled_as_text(t5_tokenizer())
    assert spelled_as_text(twice) is twice


def test_every_loaded_checkpoint_reads_so(tmp_path: Path) -> None:
    from transformers import AutoModelForSeq2SeqLM

    from trainer_ext.recipes.base_model import load_base

    _, tokenizer = load_base(AutoModelForSeq2SeqLM, str(save_t5(tmp_path)))
    assert tokenizer.eos_token_id not in read(tokenizer, "cat</s>")[:-1]
