"""Targets as token ids, and batches of one shape within a budget of tokens."""

from __future__ import annotations

from itertools import chain, pairwise
from typing import Any

import pytest
import torch
from datasets import Dataset
from support.tiny import tiny_tokenizer
from transformers import PreTrainedTokenizerFast

from trainer_ext.dataset import IGNORED
from trainer_ext.recipes.qagen.batches import (
    QAGenCollator,
    TokenBudgetBatches,
    encode_examples,
    encode_targets,
)
from trainer_ext.recipes.qagen.examples import Example


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return tiny_tokenizer()


@pytest.fixture(scope="module")
def separator(tokenizer: PreTrainedTokenizerFast) -> int:
    return int(tokenizer.get_vocab()["<sep>"])


@pytest.mark.parametrize("typed", ["<sep>", "[SEP]", "</s>", "<s>", "the<sep>cat", "<pad> <unk>"])
def test_targets_have_one_separator_whatever_was_typed(
    tokenizer: PreTrainedTokenizerFast, separator: int, typed: str
) -> None:
    [ids] = encode_targets(tokenizer, separator, [(f"who {typed}", f"{typed} dog")])
    assert ids.count(separator) == 1
    assert ids.count(tokenizer.eos_token_id) == 1
    assert ids[-1] == tokenizer.eos_token_id
    assert tokenizer.bos_token_id not in ids
    assert tokenizer.pad_token_id not in ids


def test_targets_are_question_separator_answer_end(tokenizer: PreTrainedTokenizerFast, separator: int) -> None:
    ids = encode_targets(tokenizer, separator, [("who won ?", "the cat"), ("what ?", "dog")])
    assert [tokenizer.convert_ids_to_tokens(target) for target in ids] == [
        ["who", "won", "?", "<sep>", "the", "cat", "</s>"],
        ["what", "?", "<sep>", "dog", "</s>"],
    ]
    assert encode_targets(tokenizer, separator, []) == []


def test_examples_become_rows_of_limited_groups(tokenizer: PreTrainedTokenizerFast, separator: int) -> None:
    many = Example("the cat won <sep> . " * 30, tuple((f"who {i} ?", "cat") for i in ("1", "2", "3", "the", "a")))
    long = Example("the dog", (("who ?", "dog"), ("who ?", "the dog " * 50)))
    hopeless = Example("the mat", (("who ?", "the dog " * 50),))
    rows = encode_examples([many, long, hopeless], tokenizer, separator, max_tokens=16, group=2, max_target_tokens=20)
    assert [len(labels) for labels in rows["labels"]] == [2, 2, 1, 1]  # what is too long is left out
    assert list(map(len, rows["input_ids"])) == [16, 16, 16, 4]
    assert all(separator not in ids for ids in rows["input_ids"])
    first = encode_targets(tokenizer, separator, many.targets)
    assert list(chain.from_iterable(rows["labels"][:3])) == first  # in order, none lost


def random_rows(count: int = 200, seed: int = 0) -> Dataset:
    draw = torch.Generator().manual_seed(seed)

    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=draw))

    return Dataset.from_list(
        [
            {"input_ids": [5] * number(3, 40), "labels": [[6] * number(4, 12) for _ in range(number(1, 7))]}
            for _ in range(count)
        ]
    )


def padded_sizes(rows: Dataset, batch: list[int]) -> tuple[int, int]:
    """Source and target tokens of the batch as the model computes them, padding included."""
    collated = QAGenCollator(0)([rows[index] for index in batch])
    return collated["input_ids"].numel(), collated["labels"].numel()


def test_pairs_whose_answer_was_cut_off_are_left_out(tokenizer: PreTrainedTokenizerFast, separator: int) -> None:
    targets = (("who", "cat"), ("where", "Paris"), ("what", "nothing of the text"))
    [row] = encode_examples([Example("The cat . " * 5 + "Paris", targets)], tokenizer, separator, max_tokens=9)
    assert row["labels"] == encode_targets(tokenizer, separator, [targets[0], targets[2]])
    [row] = encode_examples([Example("The cat . " * 5 + "Paris", targets)], tokenizer, separator, max_tokens=50)
    assert len(row["labels"]) == 3


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("budget", [64, 256, 100_000])
def test_batches_hold_every_row_once_within_the_budget(budget: int, shuffle: bool) -> None:
    rows = random_rows()
    batches = list(TokenBudgetBatches(rows, budget, seed=1, shuffle=shuffle))
    assert sorted(chain.from_iterable(batches)) == list(range(len(rows)))
    for batch in batches:
        assert len(batch) == 1 or max(padded_sizes(rows, batch)) <= budget
        assert len({len(rows[index]["labels"]) for index in batch}) == 1
    if budget == 100_000:
        assert len(batches) == 6  # one for each number of targets


def test_no_batch_ends_before_it_is_full() -> None:
    rows = random_rows(300)
    batches = list(TokenBudgetBatches(rows, 256, seed=0, shuffle=False))
    followed = 0
    for batch, following in pairwise(batches):
        if len(rows[batch[0]]["labels"]) == len(rows[following[0]]["labels"]):
            assert max(padded_sizes(rows, [*batch, following[0]])) > 256
            followed += 1
    assert followed > 10


def test_a_row_over_the_budget_is_a_batch_of_its_own() -> None:
    rows = Dataset.from_list([{"input_ids": [5] * n, "labels": [[6]]} for n in (90, 4, 4, 80)])
    assert sorted(map(sorted, TokenBudgetBatches(rows, 10, seed=0))) == [[0], [1, 2], [3]]


def test_the_seed_decides_the_batches() -> None:
    rows = random_rows()

    def batches(**options: Any) -> list[list[int]]:
        return list(TokenBudgetBatches(rows, 128, **options))

    assert batches(seed=1) == batches(seed=1)
    assert batches(seed=1) != batches(seed=2)
    assert sorted(map(sorted, batches(seed=1))) != sorted(map(sorted, batches(seed=2)))  # others meet, not only later
    assert batches(seed=1, shuffle=False) == batches(seed=2, shuffle=False)
    sampler = TokenBudgetBatches(rows, 128, seed=1)
    assert list(sampler) == list(sampler)  # iterating changes nothing


@pytest.mark.parametrize("ranks", [1, 2, 3, 7])
def test_the_number_of_batches_is_cut_to_a_multiple(ranks: int) -> None:
    rows = random_rows()
    everything = list(TokenBudgetBatches(rows, 128, seed=1))
    sampler = TokenBudgetBatches(rows, 128, seed=1, multiple_of=ranks)
    assert len(sampler) == len(list(sampler)) == len(everything) // ranks * ranks
    assert list(sampler) == everything[: len(sampler)]


def test_collator_pads_on_the_right() -> None:
    batch = QAGenCollator(pad_token_id=9)(
        [
            {"input_ids": [1, 2, 3], "labels": [[4], [5, 6]]},
            {"input_ids": [1], "labels": [[7, 8, 2], [3, 2]]},
        ]
    )
    assert batch["input_ids"].tolist() == [[1, 2, 3], [1, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["labels"].tolist() == [[4, IGNORED, IGNORED], [5, 6, IGNORED], [7, 8, 2], [3, 2, IGNORED]]
    assert all(tensor.dtype == torch.int64 for tensor in batch.values())
