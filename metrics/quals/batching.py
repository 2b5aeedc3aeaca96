"""Texts of any length as token ids: tokenized, cut into windows, and padded in batches of bounded size."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import torch
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence
from transformers import BatchEncoding, PreTrainedTokenizerBase

from .errors import OptionError
from .matmul import rounded_up

LONG_SOURCES = ("windows", "truncate")

# A fast tokenizer keeps the truncation of its latest call, and refuses a change while another thread is in it.
_one_thread = Lock()


def tokenize(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], second_texts: Sequence[str] | None = None, **options: Any
) -> BatchEncoding:
    """Call ``tokenizer`` on texts, or on pairs of texts, from any thread; no text is taken for a special token."""
    pairs = () if second_texts is None else (list(second_texts),)
    with _one_thread:
        encoded: BatchEncoding = tokenizer(list(texts), *pairs, split_special_tokens=True, verbose=False, **options)
    return encoded


def decode(tokenizer: PreTrainedTokenizerBase, sequences: Sequence[Sequence[int]]) -> list[str]:
    """The text of each sequence, without special tokens and white space around it, from any thread."""
    if not sequences:  # transformers 5.20 makes one text of no sequences
        return []
    with _one_thread:
        texts = tokenizer.batch_decode([list(ids) for ids in sequences], skip_special_tokens=True)
    return [text.strip() for text in texts]


def token_budget_batches(
    lengths: Sequence[int],
    budget: int,
    *,
    rows: Sequence[int] | None = None,
    widths: Sequence[int] | None = None,
    kinds: Sequence[Hashable] | None = None,
) -> Iterator[list[int]]:
    """Places of texts in batches of similar length, longest first; equal lengths stay in their order.

    Args:
        lengths: tokens of each text.
        budget: most tokens of a batch on either side, padding included; a text that is larger is a batch of its own.
        rows: decoder rows of each text; None is no decoder.
        widths: tokens of its longest decoder row that are computed at once.
        kinds: texts of different kinds share no batch; the kind that comes first goes first.
    """
    rows, widths = rows or [0] * len(lengths), widths or [0] * len(lengths)
    places: dict[Hashable, list[int]] = {}
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        places.setdefault(kinds[place] if kinds else None, []).append(place)
    for same in places.values():
        batch: list[int] = []
        longest = decoded = width = 0
        for place in same:
            encoder = (len(batch) + 1) * max(longest, lengths[place])
            decoder = (decoded + rows[place]) * max(width, widths[place])
            if batch and max(encoder, decoder) > budget:
                yield batch
                batch, longest, decoded, width = [], 0, 0, 0
            batch.append(place)
            longest, decoded, width = max(longest, lengths[place]), decoded + rows[place], max(width, widths[place])
        yield batch


def sliced(sizes: Sequence[int], most: int = 2**21) -> Iterator[slice]:
    """Neighbours whose sizes sum up to ``most`` at most; one that is larger is alone.

    Texts that are tokenized together are held together. The default is a sum of characters, about half a million
    tokens.
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
    sequences: Sequence[Sequence[int]], pad_token_id: int, device: torch.device, *, most: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token lists as ``input_ids`` and ``attention_mask``, both ``(B, S)`` int64, padded on the right.

    With ``most``, S is one of few numbers, and ``most`` at most where no sequence is longer.
    """
    rows = [torch.tensor(list(ids), dtype=torch.long) for ids in sequences]
    ids = pad_sequence(rows, batch_first=True, padding_value=pad_token_id)  # (B, S)
    mask = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)  # (B, S)
    fill = max(0, min(most, rounded_up(ids.shape[1])) - ids.shape[1])
    return pad(ids, (0, fill), value=pad_token_id).to(device), pad(mask, (0, fill)).to(device)


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
    """Each text's first ``limit`` tokens."""
    if not texts:
        return Windows([], [], [])
    ids = list(tokenize(tokenizer, texts)["input_ids"])
    truncated = [len(sequence) > limit for sequence in ids]
    long = [place for place, is_long in enumerate(truncated) if is_long]
    if long:  # the tokenizer knows which of the last tokens are its marks and must stay
        cut = tokenize(tokenizer, [texts[place] for place in long], truncation=True, max_length=limit)
        for place, sequence in zip(long, cut["input_ids"], strict=True):
            ids[place] = sequence
    return Windows(list(range(len(texts))), ids, truncated)


def all_windows(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], limit: int, overlap: int) -> Windows:
    """All of each text in windows of at most ``limit`` tokens that share ``overlap`` tokens with their neighbours.

    Raises:
        OptionError: the tokenizer cannot say where it cuts.
    """
    if not texts:
        return Windows([], [], [])
    if not tokenizer.is_fast:
        raise OptionError(f"{type(tokenizer).__name__} cannot make windows: give long_sources='truncate'.")
    encoded = tokenize(
        tokenizer, texts, truncation=True, max_length=limit, stride=overlap, return_overflowing_tokens=True
    )
    return Windows(list(encoded["overflow_to_sample_mapping"]), list(encoded["input_ids"]), [False] * len(texts))


@dataclass(frozen=True)
class PairWindows:
    """What a model of two texts reads of some pairs, one text of each in windows.

    Attributes:
        inputs: for each row what the model takes, by name, as lists of token ids or of as many numbers.
        owners: for each row the place of its pair, ascending.
        counts: for each pair the windows that its long text has, whether they all have a row or not.
        offsets: for each row and token its characters in the text that is cut, None for a token of no such; or empty.
    """

    inputs: dict[str, list[list[int]]]
    owners: list[int]
    counts: list[int]
    offsets: list[list[tuple[int, int] | None]]

    def batches(self, tokenizer: PreTrainedTokenizerBase, budget: int) -> Iterator[tuple[list[int], BatchEncoding]]:
        """Rows of similar length, by place, and their padded ``(B, T)`` tensors of at most ``budget`` tokens."""
        for rows in token_budget_batches([len(ids) for ids in self.inputs["input_ids"]], budget):
            chosen = {name: [values[row] for row in rows] for name, values in self.inputs.items()}
            yield rows, tokenizer.pad(chosen, return_tensors="pt")


def pair_windows(
    tokenizer: PreTrainedTokenizerBase,
    firsts: Sequence[str],
    seconds: Sequence[str],
    *,
    cut: str,
    limit: int,
    overlap: int,
    long_texts: str = "windows",
    offsets: bool = False,
) -> PairWindows:
    """Pairs of texts as rows for a model, one text of each pair in windows.

    Args:
        tokenizer: a fast one that pads on the right.
        firsts, seconds: the two texts of each pair, one pair at least.
        cut: ``"first"`` or ``"second"``: which of them is read in windows. The other one must leave room.
        limit: most tokens of a row, special tokens included.
        overlap: tokens that neighbouring windows share.
        long_texts: ``"windows"`` has a row for each window, ``"truncate"`` for each text's first one.
        offsets: whether to say which characters a token stands for.
    """
    encoded = tokenize(
        tokenizer,
        firsts,
        seconds,
        truncation=f"only_{cut}",
        max_length=limit,
        stride=overlap,
        return_overflowing_tokens=True,
        return_offsets_mapping=offsets,
    )
    inputs = dict(encoded)
    owners, spans = list(inputs.pop("overflow_to_sample_mapping")), inputs.pop("offset_mapping", [])
    counts = [0] * len(firsts)
    for owner in owners:
        counts[owner] += 1
    rows = list(range(len(owners)))
    if long_texts == "truncate":
        rows = [row for row in rows if row == 0 or owners[row] != owners[row - 1]]
    part = 0 if cut == "first" else 1
    return PairWindows(
        {name: [values[row] for row in rows] for name, values in inputs.items()},
        [owners[row] for row in rows],
        counts,
        [
            [
                tuple(span) if text == part else None
                for span, text in zip(spans[row], encoded.sequence_ids(row), strict=True)
            ]
            for row in rows
            if offsets
        ],
    )


def cut_texts(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], most: int) -> tuple[list[str], list[bool]]:
    """The texts, each without what follows its first ``most`` tokens, and which of them were cut."""
    if not texts:
        return [], []
    spans = tokenize(tokenizer, texts, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    cut = [len(tokens) > most for tokens in spans]
    kept = [
        text[: tokens[most - 1][1]] if is_cut else text for text, tokens, is_cut in zip(texts, spans, cut, strict=True)
    ]
    return kept, cut
