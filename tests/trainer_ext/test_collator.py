"""Batches with candidates: padding, missing candidates, and everything else untouched."""

from __future__ import annotations

import math

import pytest
import torch
from datasets import Dataset
from support.tiny import tiny_model, tiny_tokenizer
from transformers import DataCollatorForSeq2Seq

from trainer_ext.collator import Collator, ContrastiveCollator, PaddingCollator, contrastive_collator

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
    batch = ContrastiveCollator(PaddingCollator(0))(ROWS)
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


def test_the_default_needs_no_tokenizer() -> None:
    batch = contrastive_collator(None, tiny_model("bart"))(without(ROWS, "attention_mask"))
    assert batch["input_ids"].tolist() == [[1, 5, 2, 0, 0], [1, 5, 6, 7, 2]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1] * 5]
    assert batch["labels"].tolist() == [[1, 6, 2], [1, 2, -100]]


def test_other_columns_are_padded_or_stacked_too() -> None:
    rows = [
        {"input_ids": [1, 5, 2], "global_attention_mask": [1, 0, 0], "weight": 0.5},
        {"input_ids": [1, 2], "global_attention_mask": [1, 0], "weight": 2.0},
    ]
    batch = PaddingCollator(0)(rows)
    assert batch["global_attention_mask"].tolist() == [[1, 0, 0], [1, 0, 0]]
    assert batch["weight"].tolist() == [0.5, 2.0]


def test_a_stock_collator_is_wrapped_once() -> None:
    stock = DataCollatorForSeq2Seq(tiny_tokenizer())
    wrapped = contrastive_collator(stock, tiny_model("bart"))
    assert wrapped.base is stock
    assert contrastive_collator(wrapped, tiny_model("bart")) is wrapped
    assert wrapped.tokenizer is stock.tokenizer


def test_candidates_without_scores_or_none_at_all() -> None:
    batch = ContrastiveCollator(PaddingCollator(0))(without(ROWS, "candidate_scores", "reference_score"))
    assert batch["candidate_scores"].isnan().all()
    empty = [{**row, "candidate_labels": [], "candidate_scores": []} for row in ROWS]
    assert ContrastiveCollator(PaddingCollator(0))(empty)["candidate_labels"].tolist() == [[[-100]], [[-100]]]


@pytest.mark.parametrize("form", ["torch", "numpy"])
@pytest.mark.parametrize("base", [PaddingCollator(0), DataCollatorForSeq2Seq(tiny_tokenizer())])
def test_formats_of_data_sets_change_nothing(form: str, base: Collator) -> None:
    rows = [*ROWS, {**ROWS[0], "candidate_labels": [[1, 5, 2], [1, 6, 2]]}, {**ROWS[0], "candidate_labels": []}]
    rows[-1] = {**rows[-1], "candidate_scores": []}
    collator, data = ContrastiveCollator(base), Dataset.from_list(rows)
    expected = collator([data[place] for place in range(4)])
    found = collator([data.with_format(form)[place] for place in range(4)])
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, equal_nan=True)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([ROWS[0], *without(ROWS[1:], "candidate_labels")], "give all rows a list"),
        ([{**ROWS[0], "candidate_scores": [1.0]}], "2 candidate_labels and 1 candidate_scores"),
    ],
)
def test_mistakes_are_named(rows: list[dict], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ContrastiveCollator(PaddingCollator(0))(rows)
