"""A QAGen whose vocabulary is BERT's, with fewer pieces: what it reads and says of the words that stay is the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from quals import QualsScorer
from quals.checkpoint import load_qagen
from support.tiny import REPOSITORY, save_tiny_qagen
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from trainer_ext.cli.main import main
from trainer_ext.recipes.qagen.vocabulary import cut_vocabulary

EMBEDDED = REPOSITORY / "metrics" / "quals" / "qagen-mini"
PASSAGE = "The old iron bridge over the Arle will close on Monday, 3 June, the county council said."
QUESTION = "When will the bridge close?"
PIECES = 3_000


@torch.no_grad()
def test_wordpiece_logits_of_the_pieces_that_stay_do_not_change() -> None:
    old = AutoTokenizer.from_pretrained(EMBEDDED)
    model = AutoModelForSeq2SeqLM.from_pretrained(EMBEDDED, dtype=torch.float32).eval()
    read = old(PASSAGE, return_tensors="pt")["input_ids"]  # (1, S)
    asked = old(QUESTION, return_tensors="pt")["input_ids"]  # (1, T)
    before = model(input_ids=read, decoder_input_ids=asked).logits[0]  # (T, V)

    new = cut_vocabulary(model, old, [PASSAGE, QUESTION], PIECES)
    kept = list(new.get_vocab())
    assert len(kept) <= PIECES
    assert model.config.vocab_size % 64 == 0
    assert model.config.vocab_size > len(kept)
    read, asked = (new(text, return_tensors="pt")["input_ids"] for text in (PASSAGE, QUESTION))
    after = model(input_ids=read, decoder_input_ids=asked).logits[0]
    rows = [tokenizer.convert_tokens_to_ids(kept) for tokenizer in (old, new)]
    torch.testing.assert_close(after[:, rows[1]], before[:, rows[0]], atol=1e-4, rtol=1e-5)
    assert model.lm_head.weight is model.model.shared.weight
    assert model.model.encoder.embed_tokens.weight is model.model.shared.weight
    assert {name: getattr(new, name) for name in ("pad_token", "unk_token", "cls_token", "sep_token")} == {
        name: getattr(old, name) for name in ("pad_token", "unk_token", "cls_token", "sep_token")
    }


def test_wordpiece_words_that_are_cut_are_spelled() -> None:
    old = AutoTokenizer.from_pretrained(EMBEDDED)
    model = AutoModelForSeq2SeqLM.from_pretrained(EMBEDDED)
    new = cut_vocabulary(model, old, [PASSAGE], PIECES)
    text = "Kreuzberg's unemployment; 中 é ñandú ☃"
    pieces = new.tokenize(text)
    assert [piece for piece in pieces if piece == new.unk_token] == [
        piece for piece in old.tokenize(text) if piece == old.unk_token
    ]
    assert "unemployment" not in pieces
    spelled = "".join(piece.removeprefix("##") for piece in pieces if piece != new.unk_token)
    assert spelled.startswith("kreuzberg'sunemployment;中enandu")


def test_the_command_cuts_a_qagen_that_scores(tmp_path: Path) -> None:
    qa = tmp_path / "qa.jsonl"
    qa.write_text(json.dumps({"context": PASSAGE, "question": QUESTION, "answer": "Monday"}) + "\n")
    out = tmp_path / "out"
    words = ["train", "base", "--model", str(EMBEDDED), "--output-dir", str(out), "--pieces", str(PIECES)]
    assert main([*words, "--train-file", str(qa)]) == 0
    known = QualsScorer(load_qagen(out)).score([PASSAGE], ["The bridge will close on Monday."])[0]
    whole = QualsScorer().score([PASSAGE], ["The bridge will close on Monday."])[0]
    assert known.pairs
    assert known.score == pytest.approx(whole.score, abs=0.2)


def test_a_barts_decoder_is_not_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "base", "--model", str(EMBEDDED), "--output-dir", str(tmp_path / "out"), "--decoder-layers", "2"]
    qa = tmp_path / "qa.jsonl"
    qa.write_text(json.dumps({"context": PASSAGE, "question": QUESTION, "answer": "Monday"}) + "\n")
    assert main([*words, "--train-file", str(qa)]) == 2
    assert "only a T5's decoder can be cut" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_bart_with_another_tokenizer_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    qa = tmp_path / "qa.jsonl"
    qa.write_text(json.dumps({"context": PASSAGE, "question": QUESTION, "answer": "Monday"}) + "\n")
    folder = save_tiny_qagen(tmp_path / "qagen")
    words = ["train", "base", "--model", str(folder), "--output-dir", str(tmp_path / "out"), "--train-file", str(qa)]
    assert main(words) == 2
    assert "Only a vocabulary of T5 or BERT can be cut" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
