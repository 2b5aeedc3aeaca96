"""Batches with candidates: padding, missing candidates, and everything else untouched."""

from __future__ import annotations

import math

import pytest
import torch
from datasets import Dataset
from support.tiny import tiny_model, tiny_tokenizer
from transformers import DataCollatorForSeq2Seq

from trainer_ext.collator import ContrastiveCollator, contrastive_collator

STOCK = DataCollatorForSeq2Seq(tiny_tokenizer())
ROWS = [
    {
        "input_ids": [1, 5, 2],
        "attention_mask": [1, 1, 1],
        "labels": [1, 6, 2],
        "candidate_labels": [[1, 7, 8, 2], [1, 2]],
        "candidate_scores": [-0.5, None],
        "reference_score": -0.1,
    },
    {
        "input_ids": [1, 5, 6, 7, 2],
        "attention_mask": [1] * 5,
        "labels": [1, 2],
        "candidate_labels": [[1, 9, 2]],
        "candidate_scores": [-2.0],
        "reference_score": -0.2,
    },
]


def without(rows: list[dict], *names: str) -> list[dict]:
    return [{key: value for key, value in row.items() if key not in names} for row in rows]


def test_candidates_are_padded_in_both_directions() -> None:
    batch = ContrastiveCollator(STOCK)(ROWS)
    assert batch["candidate_labels"].tolist() == [
        [[1, 7, 8, 2], [1, 2, -100, -100]],
        [[1, 9, 2, -100], [-100] * 4],
    ]
    scores = batch["candidate_scores"].tolist()
    assert scores[0][0] == -0.5
    assert [math.isnan(scores[0][1]), math.isnan(scores[1][1])] == [True, True]
    assert "reference_score" not in batch, "nothing in a step reads it"


def test_without_candidates_the_batch_is_the_stock_collators() -> None:
    stock = DataCollatorForSeq2Seq(tiny_tokenizer(), model=tiny_model("bart"))
    rows = without(ROWS, "candidate_labels", "candidate_scores", "reference_score")
    expected, batch = stock([dict(row) for row in rows]), ContrastiveCollator(stock)(rows)
    assert list(batch) == list(expected)
    assert all(torch.equal(batch[name], expected[name]) for name in expected)


def test_without_a_tokenizer_rows_of_equal_lengths_become_a_batch_and_others_are_refused() -> None:
    collator = contrastive_collator(None, tiny_model("bart"))
    assert collator([ROWS[0], ROWS[0]])["input_ids"].tolist() == [[1, 5, 2]] * 2
    with pytest.raises(ValueError, match="processing_class"):
        collator(ROWS)


def test_a_stock_collator_is_wrapped_once() -> None:
    stock = DataCollatorForSeq2Seq(tiny_tokenizer())
    wrapped = contrastive_collator(stock, tiny_model("bart"))
    assert wrapped.base is stock
    assert contrastive_collator(wrapped, tiny_model("bart")) is wrapped
    assert wrapped.tokenizer is stock.tokenizer


def test_candidates_without_scores_or_none_at_all() -> None:
    batch = ContrastiveCollator(STOCK)(without(ROWS, "candidate_scores", "reference_score"))
    assert batch["candidate_scores"].isnan().all()
    empty = [{**row, "candidate_labels": [], "candidate_scores": []} for row in ROWS]
    assert ContrastiveCollator(STOCK)(empty)["candidate_labels"].tolist() == [[[-100]], [[-100]]]


@pytest.mark.parametrize("form", ["torch", "numpy"])
def test_formats_of_data_sets_change_nothing(form: str) -> None:
    rows = [*ROWS, {**ROWS[0], "candidate_labels": [[1, 5, 2], [1, 6, 2]]}, {**ROWS[0], "candidate_labels": []}]
    rows[-1] = {**rows[-1], "candidate_scores": []}
    collator, data = ContrastiveCollator(STOCK), Dataset.from_list(rows)
    expected = collator([data[place] for place in range(4)])
    found = collator([data.with_format(form)[place] for place in range(4)])
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, equal_nan=True)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([ROWS[0], *without(ROWS[1:], "candidate_labels")], "candidate_labels"),
        ([{**ROWS[0], "candidate_scores": [1.0]}], "2 candidate_labels and 1 candidate_scores"),
    ],
)
def test_mistakes_are_named(rows: list[dict], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ContrastiveCollator(STOCK)(rows)
