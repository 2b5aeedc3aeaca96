"""Questions and passages as rows for an extractive reader, with questions that a passage does not answer."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from datasets import Dataset
from qags.reader import cut_questions
from quals.batching import pair_windows
from quals.errors import DataError
from transformers import PreTrainedTokenizerBase

from trainer_ext.recipes.qa_data import Passage


@dataclass(frozen=True)
class Asked:
    """A question about a passage.

    Attributes:
        question, passage: texts.
        start, end: character span of the answer in the passage; None where there is no answer.
    """

    question: str
    passage: str
    start: int | None
    end: int | None


def asked_questions(passages: Sequence[Passage], unanswered: float, rng: random.Random) -> Iterator[Asked]:
    """Every question with its passage, and some again with a passage that does not hold the answer.

    Args:
        passages: passages with the same title are parts of one article.
        unanswered: share of the questions that are put to another passage too, 0 to 1. That passage is of the same
            article if possible, because the difference is harder to see.
        rng: draws questions and passages.
    """
    by_title: dict[str, list[Passage]] = defaultdict(list)
    for passage in passages:
        by_title[passage.title].append(passage)
    for passage in passages:
        for pair in passage.pairs:
            if not pair.answers:
                yield Asked(pair.question, passage.text, None, None)
                continue
            if pair.start is not None:
                yield Asked(pair.question, passage.text, pair.start, pair.start + len(pair.answers[0]))
            if rng.random() < unanswered:
                others = by_title[passage.title] if passage.title else passages
                other = _without(pair.answers, others, rng) or _without(pair.answers, passages, rng)
                if other is not None:
                    yield Asked(pair.question, other.text, None, None)


def _without(answers: Sequence[str], passages: Sequence[Passage], rng: random.Random) -> Passage | None:
    """A passage without any of the answers; None if eight draws find none."""
    for _ in range(8):
        passage = rng.choice(passages)
        text = passage.text.casefold()
        if not any(answer.casefold() in text for answer in answers):
            return passage
    return None


def reader_rows(
    asked: Sequence[Asked], tokenizer: PreTrainedTokenizerBase, max_tokens: int, overlap: int = 128
) -> Dataset:
    """Rows ``input_ids``, ``attention_mask``, perhaps ``token_type_ids``, ``start_positions`` and ``end_positions``.

    A row is a question and a window of its passage. Both positions are 0, the first token's, if the window does not
    hold the whole answer. Long questions are cut as the reader cuts them.

    Raises:
        DataError: there is no question.
    """
    if not asked:
        raise DataError(
            "There is no question to make rows of: no answer occurs in its passage word for word, and none is put to "
            "another passage. Give other data, or a larger share as unanswered."
        )
    windows = pair_windows(
        tokenizer,
        cut_questions([question.question for question in asked], tokenizer, max_tokens),
        [question.passage for question in asked],
        cut="second",
        limit=max_tokens,
        overlap=min(overlap, max_tokens // 3),
        offsets=True,
    )
    spans = [_token_span(asked[owner], row) for owner, row in zip(windows.owners, windows.offsets, strict=True)]
    starts, ends = [start for start, _ in spans], [end for _, end in spans]
    return Dataset.from_dict({**windows.inputs, "start_positions": starts, "end_positions": ends})


def _token_span(asked: Asked, offsets: Sequence[tuple[int, int] | None]) -> tuple[int, int]:
    """First and last token of the answer; both 0 where the row does not hold the whole answer."""
    start, end = asked.start, asked.end
    if start is None or end is None:
        return 0, 0
    inside = [(place, *span) for place, span in enumerate(offsets) if span is not None]
    first = next((place for place, left, right in inside if left <= start < right), None)
    last = next((place for place, left, right in inside if left < end <= right), None)
    return (0, 0) if first is None or last is None else (first, last)
