"""Question-answer examples as token ids, in batches of one shape."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Sampler
from transformers import PreTrainedTokenizerBase

from trainer_ext.dataset import IGNORED
from trainer_ext.recipes.qagen.examples import Example

LONGEST_TARGET = 96  # tokens of a question and its answer


def encode_targets(
    tokenizer: PreTrainedTokenizerBase, separator_id: int, targets: Sequence[tuple[str, str]]
) -> list[list[int]]:
    """Each (first, second) as the token ids of ``first <sep> second </s>``, without BOS or [CLS].

    Text is tokenized with ``split_special_tokens=True``, so that typed text can never be the separator.
    """
    if not targets:
        return []
    texts = [text for first, second in targets for text in (first, f" {second}")]
    ids = tokenizer(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    eos = tokenizer.eos_token_id
    return [[*ids[i], separator_id, *ids[i + 1], eos] for i in range(0, len(ids), 2)]


def encode_examples(
    examples: Iterable[Example],
    tokenizer: PreTrainedTokenizerBase,
    separator_id: int,
    max_tokens: int = 512,
    group: int = 6,
    max_target_tokens: int = LONGEST_TARGET,
    answer_first: bool = False,
) -> Dataset:
    """Rows of ``input_ids`` (a passage, cut at ``max_tokens``) and ``labels`` (lists of up to ``group`` targets).

    A target is question, separator, answer; with ``answer_first`` answer, separator, question. Targets longer than
    ``max_target_tokens`` are left out, and so are those whose answer was cut off with the passage's end.
    """
    examples = list(examples)
    encoded = tokenizer(
        [example.text for example in examples],
        truncation=True,
        max_length=max_tokens,
        split_special_tokens=True,
        return_offsets_mapping=True,
    )
    pairs = [target[::-1] if answer_first else target for example in examples for target in example.targets]
    targets = iter(encode_targets(tokenizer, separator_id, pairs))
    rows: list[dict[str, Any]] = []
    for example, input_ids, offsets in zip(examples, encoded["input_ids"], encoded["offset_mapping"], strict=True):
        kept = example.text[: max(end for _, end in offsets)]
        short = [
            target
            for (_, answer), target in zip(example.targets, targets, strict=False)
            if (answer in kept or answer not in example.text) and len(target) <= max_target_tokens
        ]
        for first in range(0, len(short), group):
            rows.append({"input_ids": input_ids, "labels": short[first : first + group]})
    return Dataset.from_list(rows)


class TokenBudgetBatches(Sampler[list[int]]):
    """Batches of rows that have the same number of targets and about the same length, in a fixed shuffled order.

    Rows with equally many targets fold without padding where the decoder shares encoder states.

    Args:
        rows: has ``input_ids`` and ``labels``.
        max_tokens: source tokens in a batch, padding included, and target tokens likewise.
        seed: of the order; the same rows and seed give the same batches, so that a resumed run is exact.
        multiple_of: the number of batches is cut to a multiple of this (the number of processes).
        shuffle: whether rows and batches are shuffled; without it batches go by size.
    """

    def __init__(self, rows: Dataset, max_tokens: int, seed: int, multiple_of: int = 1, shuffle: bool = True) -> None:
        rng = random.Random(seed)
        sizes = [
            (len(labels), len(ids), max(map(len, labels)))
            for ids, labels in zip(rows["input_ids"], rows["labels"], strict=True)
        ]
        # Length with a little noise, so that a batch is not always of the same neighbours in length.
        order = sorted(
            range(len(sizes)),
            key=lambda i: (sizes[i][0], (sizes[i][1] + sizes[i][2]) * (1 + 0.1 * rng.random() * shuffle)),
        )
        batches: list[list[int]] = []
        batch: list[int] = []
        source = target = 0
        for index in order:
            count, length, target_length = sizes[index]
            source, target = max(source, length), max(target, target_length)
            full = (len(batch) + 1) * max(source, count * target) > max_tokens
            if batch and (full or sizes[batch[0]][0] != count):
                batches.append(batch)
                batch, source, target = [], length, target_length
            batch.append(index)
        if batch:
            batches.append(batch)
        if shuffle:
            rng.shuffle(batches)
        self._batches = batches[: len(batches) - len(batches) % multiple_of]

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._batches)


class QAGenCollator:
    """Pad rows with equally many targets: ``input_ids``, ``attention_mask`` (B, S); ``labels`` (B * group, T).

    Where rows are of statements too, also ``stated``, ``own`` and ``unit``, (B * group,) each, see
    ``encode_statements``; units are numbered through the batch.
    """

    def __init__(self, pad_token_id: int) -> None:
        self.pad_token_id = pad_token_id

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        input_ids = _padded([row["input_ids"] for row in rows], self.pad_token_id)  # (B, S)
        attention_mask = _padded([[1] * len(row["input_ids"]) for row in rows], 0)  # (B, S)
        labels = _padded([target for row in rows for target in row["labels"]], IGNORED)  # (B * group, T)
        batch = {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}
        if "stated" in rows[0]:
            for name in ("stated", "own", "unit"):
                batch[name] = torch.tensor([row[name] for row in rows])  # (B, group)
            batch["unit"] += torch.arange(len(rows))[:, None] * batch["unit"].shape[1]
            batch |= {name: batch[name].flatten() for name in ("stated", "own", "unit")}
        return batch


def _padded(sequences: Sequence[Sequence[int]], value: int) -> Tensor:
    """Token lists as one ``(N, longest)`` int64 tensor, padded on the right."""
    return pad_sequence([torch.tensor(sequence) for sequence in sequences], batch_first=True, padding_value=value)
