"""Token ids of texts that may be longer than the model reads: the beginning, or overlapping windows over all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from .inputs import require

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
