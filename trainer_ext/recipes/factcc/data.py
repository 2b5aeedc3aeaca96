"""Claims as rows for a classifier."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from datasets import Dataset
from transformers import BatchEncoding, PreTrainedTokenizerBase

from trainer_ext.recipes.factcc.claims import Claim

CONSISTENT, INCONSISTENT = 0, 1  # FactCC's order
NO_SPAN = -100  # ignored by cross-entropy
LABELS = {CONSISTENT: "CORRECT", INCONSISTENT: "INCORRECT"}  # FactCC's names


def fitting(claims: Sequence[Claim], tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> list[Claim]:
    """The claims that can be judged from a row of ``max_tokens``.

    Such a claim takes half of the row at most, as in the metric, and the row holds the sentence that it was made of.
    """
    if not claims:
        return []
    texts = [claim.text for claim in claims]
    ids = tokenizer(texts, add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"]
    short = [claim for claim, tokens in zip(claims, ids, strict=True) if len(tokens) <= max_tokens // 2]
    if not short:
        return []
    encoded = _encoded(short, tokenizer, max_tokens)
    return [
        claim
        for row, claim in enumerate(short)
        if _read_to(encoded["offset_mapping"][row], encoded.sequence_ids(row))
        >= claim.start + len(claim.document[claim.start : claim.end].rstrip())
    ]


def _encoded(claims: Sequence[Claim], tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> BatchEncoding:
    return tokenizer(
        [claim.document for claim in claims],
        [claim.text for claim in claims],
        truncation="only_first",
        max_length=max_tokens,
        return_offsets_mapping=True,
        split_special_tokens=True,
    )


def _read_to(offsets: Sequence[tuple[int, int]], sequences: Sequence[int | None]) -> int:
    """End of the part of the document that a row holds, in characters of the document."""
    return max((end for of, (_, end) in zip(sequences, offsets, strict=True) if of == 0), default=0)


def claim_rows(
    claims: Iterable[Claim], tokenizer: PreTrainedTokenizerBase, max_tokens: int, *, spans: bool = False
) -> Dataset:
    """Rows ``input_ids``, ``attention_mask``, perhaps ``token_type_ids``, and ``labels`` (0 consistent, 1 not).

    A document that is too long beside its claim is cut at its end: see :func:`fitting`.

    Args:
        claims: claims to judge.
        tokenizer: the classifier's tokenizer.
        max_tokens: most tokens of document and claim together.
        spans: whether rows have ``span_positions`` too, four numbers each: first and last token of the sentence in the
            document, first and last token of the changed words in the claim; -100 where there are none.
    """
    listed = list(claims)
    encoded = _encoded(listed, tokenizer, max_tokens)
    offsets = encoded.pop("offset_mapping")
    rows: dict[str, list[Any]] = {"labels": [CONSISTENT if claim.consistent else INCONSISTENT for claim in listed]}
    if spans:
        rows["span_positions"] = [
            [
                *_tokens(offsets[row], encoded.sequence_ids(row), 0, None if claim.told else (claim.start, claim.end)),
                *_tokens(offsets[row], encoded.sequence_ids(row), 1, _changed_characters(claim)),
            ]
            for row, claim in enumerate(listed)
        ]
    return Dataset.from_dict({**encoded, **rows})


def _changed_characters(claim: Claim) -> tuple[int, int] | None:
    if claim.first is None or claim.last is None:
        return None
    words = claim.text.split(" ")
    start = len(" ".join(words[: claim.first])) + (claim.first > 0)
    return start, len(" ".join(words[: claim.last + 1]))


def _tokens(
    offsets: Sequence[tuple[int, int]], sequences: Sequence[int | None], sequence: int, span: tuple[int, int] | None
) -> tuple[int, int]:
    """First and last token that lie in a span of characters of one of the two texts; -100 where there is none."""
    if span is None:
        return NO_SPAN, NO_SPAN
    inside = [
        place
        for place, (of, (start, end)) in enumerate(zip(sequences, offsets, strict=True))
        if of == sequence and start < span[1] and end > span[0]
    ]
    return (inside[0], inside[-1]) if inside else (NO_SPAN, NO_SPAN)
