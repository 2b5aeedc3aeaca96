"""Texts of many lengths as padded batches of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerBase

from .inputs import require


def token_budget_batches(
    lengths: Sequence[int], rows: Sequence[int], widths: Sequence[int], budget: int
) -> Iterator[list[int]]:
    """Indices in batches of similar length, longest first.

    Args:
        lengths: tokens of each text.
        rows: decoder rows of each text.
        widths: tokens that the decoder computes at once for the longest of them.
        budget: most tokens of a batch on either side, padding included; a text that is larger is a batch of its own.
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    batch: list[int] = []
    longest = decoded = width = 0
    for index in order:
        source = (len(batch) + 1) * max(longest, lengths[index])
        target = (decoded + rows[index]) * max(width, widths[index])
        if batch and max(source, target) > budget:
            yield batch
            batch, longest, decoded, width = [], 0, 0, 0
        batch.append(index)
        longest, decoded, width = max(longest, lengths[index]), decoded + rows[index], max(width, widths[index])
    if batch:
        yield batch


def sliced(sizes: Sequence[int], most: int = 2**21) -> Iterator[slice]:
    """Neighbours together as long as their sizes sum up to ``most``; one that is larger is alone.

    What is tokenized together is held together: by default of so many characters, half a million tokens or so.
    """
    first = total = 0
    for place, size in enumerate(sizes):
        if place > first and total + size > most:
            yield slice(first, place)
            first, total = place, 0
        total += size
    if first < len(sizes):
        yield slice(first, len(sizes))


def encode_texts(
    sequences: Sequence[Sequence[int]], pad_token_id: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token lists as ``input_ids`` and ``attention_mask``, both ``(B, S)`` int64, padded on the right."""
    longest = max(map(len, sequences))
    ids = torch.tensor([[*ids, *[pad_token_id] * (longest - len(ids))] for ids in sequences])  # (B, S)
    mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids in sequences])  # (B, S)
    return ids.to(device), mask.to(device)


LONG_SOURCES = ("windows", "truncate")


@dataclass(frozen=True)
class Windows:
    """What is read of some texts.

    Attributes:
        owners: for each window the place of its text, ascending.
        input_ids: for each window its token ids, special tokens included.
        truncated: for each text whether its end is in no window.
    """

    owners: list[int]
    input_ids: list[list[int]]
    truncated: list[bool]


def first_window(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], limit: int) -> Windows:
    """Each text's first ``limit`` tokens; what a text says is never taken for a special token."""
    if not texts:
        return Windows([], [], [])
    ids = tokenizer(list(texts), split_special_tokens=True, verbose=False)["input_ids"]
    truncated = [len(sequence) > limit for sequence in ids]
    long = [place for place, is_long in enumerate(truncated) if is_long]
    if long:  # the tokenizer knows which of the last tokens are its marks and must stay
        cut = tokenizer([texts[place] for place in long], split_special_tokens=True, truncation=True, max_length=limit)
        for place, sequence in zip(long, cut["input_ids"], strict=True):
            ids[place] = sequence
    return Windows(list(range(len(texts))), ids, truncated)


def all_windows(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], limit: int, overlap: int) -> Windows:
    """All of each text in windows of at most ``limit`` tokens that share ``overlap`` tokens with their neighbours.

    Raises:
        ValueError: the tokenizer is one that cannot say where it cut.
    """
    if not texts:
        return Windows([], [], [])
    require(tokenizer.is_fast, f"{type(tokenizer).__name__} cannot make windows: give long_sources='truncate'.")
    encoded = tokenizer(
        list(texts),
        split_special_tokens=True,
        truncation=True,
        max_length=limit,
        stride=overlap,
        return_overflowing_tokens=True,
    )
    return Windows(list(encoded["overflow_to_sample_mapping"]), list(encoded["input_ids"]), [False] * len(texts))
