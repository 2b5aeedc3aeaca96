"""The head that points at why: which tokens it is taught, and what its loss is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.classifiers import save_classifier
from torch.nn.functional import cross_entropy
from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding

from trainer_ext.recipes.factcc.claims import Claim
from trainer_ext.recipes.factcc.data import NO_SPAN, claim_rows, fitting
from trainer_ext.recipes.factcc.spans import ClassifierWithSpans

DOCUMENT = "the cat was red . the king was in paris ."
AS_IT_IS = Claim(DOCUMENT, "the king was in paris .", "sentence", 18, 41)
CHANGED = Claim(DOCUMENT, "the king was in london .", "names", 18, 41, 4, 4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_classifier(tmp_path / "classifier")


def test_spans_are_of_the_tokens_that_hold_the_characters(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = claim_rows([AS_IT_IS, CHANGED], tokenizer, 64, spans=True)
    assert rows["labels"] == [0, 1]
    as_it_is, changed = rows["span_positions"]
    assert as_it_is[2:] == [NO_SPAN, NO_SPAN]
    ids = rows["input_ids"][1]
    assert tokenizer.decode(ids[changed[0] : changed[1] + 1]) == "the king was in paris ."
    assert tokenizer.decode(ids[changed[2] : changed[3] + 1]) == "london"
    assert changed[2] > changed[1]


def test_a_sentence_that_was_cut_off_is_not_pointed_at(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = claim_rows([CHANGED], tokenizer, 14, spans=True)
    assert len(rows["input_ids"][0]) == 14
    assert rows["span_positions"][0][:2] == [NO_SPAN, NO_SPAN]
    assert rows["span_positions"][0][2] != NO_SPAN


def test_claims_that_are_too_long_are_left_out(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    long = Claim(DOCUMENT, "the king was in paris . " * 4, "sentence", 18, 41)
    assert fitting([AS_IT_IS, long, CHANGED], tokenizer, 40) == [AS_IT_IS, CHANGED]
    assert fitting([], tokenizer, 40) == []
    assert fitting([long], tokenizer, 40) == []


def test_claims_about_what_was_cut_off_are_left_out(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    early = Claim(DOCUMENT, "the cat was red .", "sentence", 0, 17)
    assert fitting([AS_IT_IS, early], tokenizer, 15) == [early]
    whole = len(tokenizer(DOCUMENT, AS_IT_IS.text)["input_ids"])
    assert fitting([AS_IT_IS], tokenizer, whole) == [AS_IT_IS]
    assert fitting([AS_IT_IS], tokenizer, whole - 1) == []


def test_the_loss_is_the_labels_and_the_mean_of_the_pointers(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    classifier = AutoModelForSequenceClassification.from_pretrained(folder)
    torch.manual_seed(0)
    model = ClassifierWithSpans(classifier, weight=0.5).eval()
    short = Claim("the cat .", "the king .", "names", 0, 9, 1, 1)
    rows = claim_rows([AS_IT_IS, CHANGED, short], tokenizer, 64, spans=True)
    batch = DataCollatorWithPadding(tokenizer)(rows.to_list())
    found = model(**batch)
    pointers = []
    for row in rows.to_list():
        inputs = {name: torch.tensor([row[name]]) for name in ("input_ids", "attention_mask")}
        states = classifier(**inputs, output_hidden_states=True).hidden_states[-1]
        for head, place in enumerate(row["span_positions"]):
            if place != NO_SPAN:
                pointers.append(cross_entropy(model.spans(states)[0, :, head], torch.tensor(place)))
    assert len(pointers) == 10
    labels = batch.pop("labels")
    positions = batch.pop("span_positions")
    alone = classifier(**batch, labels=labels)
    assert found["loss"].item() == pytest.approx(alone.loss.item() + 0.5 * torch.stack(pointers).mean().item())
    torch.testing.assert_close(found["logits"], alone.logits)
    assert model(**batch, labels=labels)["loss"].item() == pytest.approx(alone.loss.item())
    assert set(model(**batch)) == {"logits"}
    nowhere = torch.full_like(positions, NO_SPAN)
    loss = model(**batch, labels=labels, span_positions=nowhere)["loss"]
    assert loss.item() == pytest.approx(alone.loss.item())
