"""A T5 with fewer pieces: logits of those that stay are the same, and no text loses a character."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch
from support.t5 import save_t5, t5_tokenizer, tiny_t5
from support.tiny import tiny_model, tiny_tokenizer
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from trainer_ext.cli.main import main
from trainer_ext.recipes.qagen.separator import add_separator
from trainer_ext.recipes.qagen.vocabulary import cut_vocabulary

TEXTS = ["The cat sat on the mat.", "Who won the red city? The queen won.", "The cat won."]
PIECES = 52


def texts_of(ids: list[int], tokenizer: PreTrainedTokenizerBase) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=True))


@torch.no_grad()
def logits(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, source: str, target: str) -> torch.Tensor:
    """(T, V)."""
    ids = tokenizer(source, return_tensors="pt")["input_ids"]
    labels = tokenizer(target, return_tensors="pt")["input_ids"]
    decoder_input_ids = torch.cat([torch.tensor([[0]]), labels[:, :-1]], 1)
    result: torch.Tensor = model.eval()(input_ids=ids, decoder_input_ids=decoder_input_ids).logits[0]
    return result


def read(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, split_special_tokens=True, add_special_tokens=False)["input_ids"]
    return ids


@pytest.mark.parametrize("own_projection", [False, True])
def test_logits_of_the_pieces_that_stay_do_not_change(own_projection: bool, tmp_path: Path) -> None:
    old = t5_tokenizer()
    model = tiny_t5(len(old) + 5, own_projection)
    source, target = TEXTS[0], "the cat won"
    before = logits(model, old, source, target)
    new = cut_vocabulary(model, old, TEXTS, PIECES)
    assert [new.convert_ids_to_tokens(read(new, text)) for text in (source, target)] == [
        old.convert_ids_to_tokens(read(old, text)) for text in (source, target)
    ]
    kept = [piece for piece in new.get_vocab() if piece in old.get_vocab()]
    assert len(kept) == PIECES
    assert len(new) == PIECES + 256 < model.config.vocab_size
    columns = {name: tokenizer.convert_tokens_to_ids(kept) for name, tokenizer in (("old", old), ("new", new))}
    after = logits(model, new, source, target)
    torch.testing.assert_close(after[:, columns["new"]], before[:, columns["old"]], atol=0, rtol=0)
    assert (model.lm_head.weight is model.shared.weight) != own_projection

    separator = add_separator(model, new)
    assert separator == PIECES + 256, "in a spare row"
    torch.testing.assert_close(logits(model, new, source, target), after, atol=0, rtol=0)
    model.save_pretrained(tmp_path)
    new.save_pretrained(tmp_path)
    again, info = AutoModelForSeq2SeqLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    torch.testing.assert_close(logits(again, tokenizer, source, target), after, atol=0, rtol=0)


def test_the_pieces_that_texts_use_most_stay_with_all_characters() -> None:
    old = t5_tokenizer()
    new = cut_vocabulary(tiny_t5(len(old), True), old, TEXTS, PIECES)
    pieces = set(new.get_vocab())
    assert {"▁the", "▁cat", "▁won", "<pad>", "</s>", "<unk>"} <= pieces
    assert not {"▁cats", "▁river", "<extra_id_0>"} & pieces
    assert {piece for piece in old.get_vocab() if len(piece.strip("▁")) <= 1} <= pieces
    assert new.convert_ids_to_tokens([0, 1, 2]) == ["<pad>", "</s>", "<unk>"]
    assert new("the cat")["input_ids"][-1] == 1


@pytest.mark.parametrize(
    "text",
    [
        "cats on the river", "a < b & {c}", "中文 текст", "☃ and 😀",
        "x </s> y <pad>", "<0x41><0x3C>", "<unk>", "~", "ö ̧", "\\",
    ],
)  # fmt: skip
def test_no_text_loses_a_character(text: str) -> None:
    old = t5_tokenizer()
    normal = old.backend_tokenizer.normalizer.normalize_str(text)
    new = cut_vocabulary(tiny_t5(len(old), True), old, TEXTS, PIECES)
    ids = read(new, text)
    assert new.unk_token_id not in ids
    assert new.eos_token_id not in ids
    assert texts_of(ids, new).replace(" ", "") == normal.replace(" ", "")


def test_random_texts_are_read_as_they_are() -> None:
    old = t5_tokenizer()
    new = cut_vocabulary(tiny_t5(len(old), True), old, TEXTS, PIECES)
    rng = random.Random(0)
    for _ in range(200):
        text = " ".join("".join(rng.choices("abcxyz<>/s0x41{中ф", k=rng.randrange(1, 9))) for _ in range(5))
        assert texts_of(read(new, text), new).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize("pieces", [5, 10_000])
def test_too_few_or_too_many_pieces_are_refused(pieces: int) -> None:
    old = t5_tokenizer()
    with pytest.raises(ValueError, match=f"pieces is {pieces}: give \\d+ to \\d+"):
        cut_vocabulary(tiny_t5(len(old), True), old, TEXTS, pieces)


def test_another_tokenizer_is_refused() -> None:
    with pytest.raises(ValueError, match="Only a vocabulary of T5 or BERT"):
        cut_vocabulary(tiny_model("bart"), tiny_tokenizer(), TEXTS, PIECES)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = save_t5(tmp_path / "t5")
    qa, table = tmp_path / "qa.jsonl", tmp_path / "texts.jsonl"
    qa.write_text(json.dumps({"context": TEXTS[0], "question": TEXTS[1], "answer": "the cat"}) + "\n")
    table.write_text(json.dumps({"text": "the river of paris"}) + "\n")
    words = ["train", "base", "--model", str(base), "--output-dir", str(tmp_path / "out"), "--pieces", "70"]
    assert main(words) == 2
    assert "--train-file" in capsys.readouterr().err
    assert main([*words, "--train-file", str(qa), "--text-file", str(table)]) == 0
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert {"▁river", "▁queen", "▁mat"} <= set(tokenizer.get_vocab())
    model, info = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not info["missing_keys"]
    assert model.config.vocab_size % 64 == 0
