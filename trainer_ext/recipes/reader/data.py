"""Questions and passages as rows for an extractive reader, with questions that a passage does not answer."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from datasets import Dataset
from qags.reader import cut_questions
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
    encoded = tokenizer(
        cut_questions([question.question for question in asked], tokenizer, max_tokens),
        [question.passage for question in asked],
        truncation="only_second",
        max_length=max_tokens,
        stride=min(overlap, max_tokens // 3),
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        split_special_tokens=True,
    )
    owners, offsets = encoded.pop("overflow_to_sample_mapping"), encoded.pop("offset_mapping")
    starts, ends = [], []
    for row, owner in enumerate(owners):
        start, end = _token_span(asked[owner], offsets[row], encoded.sequence_ids(row))
        starts.append(start)
        ends.append(end)
    return Dataset.from_dict({**encoded, "start_positions": starts, "end_positions": ends})


def _token_span(asked: Asked, offsets: Sequence[tuple[int, int]], kinds: Sequence[int | None]) -> tuple[int, int]:
    if asked.start is None or asked.end is None:
        return 0, 0
    inside = [place for place, kind in enumerate(kinds) if kind == 1]
    first = next((place for place in inside if offsets[place][0] <= asked.start < offsets[place][1]), None)
    last = next((place for place in inside if offsets[place][0] < asked.end <= offsets[place][1]), None)
    return (0, 0) if first is None or last is None else (first, last)
