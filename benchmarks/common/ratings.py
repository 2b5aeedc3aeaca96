"""Ratings of sampled summaries by another judge, such as people: a ranker that need not be a program."""

from __future__ import annotations

import math
from pathlib import Path

from datasets import Dataset
from quals.rows import checked_text
from transformers import PreTrainedTokenizerBase

from trainer_ext.dataset import CANDIDATE_SCORES
from trainer_ext.io.hashing import checksum
from trainer_ext.io.tables import read_table
from trainer_ext.mining.columns import with_columns
from trainer_ext.mining.ranker import checked_scores
from trainer_ext.mining.texts import candidate_texts

Ratings = dict[tuple[str, str], float]
"""From document and summary to a rating, higher being better."""


def read_ratings(path: Path) -> Ratings:
    """The ratings of a file with the columns ``document``, ``summary`` and ``score``; a score may be null.

    Raises:
        ValueError: a column is missing, a text is not one, a score is not a number, or one summary has two scores.
    """
    ratings: Ratings = {}
    for number, row in enumerate(read_table(path), start=1):
        if missing := {"document", "summary", "score"} - row.keys():
            raise ValueError(f"{path}, row {number} lacks {', '.join(sorted(missing))}: give all three.")
        document, summary = (checked_text(row[name], name, number, path) for name in ("document", "summary"))
        (score,) = checked_scores([row["score"]], 1, f"{path}, row {number}")
        if math.isnan(score):
            continue
        if ratings.setdefault((document, summary.strip()), score) != score:
            raise ValueError(f"{path}, row {number} rates a summary again, and otherwise: keep one of its ratings.")
    return ratings


def ratings_hash(ratings: Ratings) -> str:
    """Eight hexadecimal digits, which change when a rating does."""
    return checksum(sorted([*texts, score] for texts, score in ratings.items()))[:8]


def rated(pool: Dataset, tokenizer: PreTrainedTokenizerBase | None, ratings: Ratings, path: Path) -> Dataset:
    """The pool with ratings as its scores; a sample that has none gets NaN.

    Raises:
        ValueError: not one sample of the pool has a rating.
    """
    texts = candidate_texts(pool, tokenizer, None)
    scores = [
        [ratings.get((document, text.strip()), math.nan) for text in own]
        for document, own in zip(pool["document"], texts, strict=True)
    ]
    if all(math.isnan(score) for own in scores for score in own):
        raise ValueError(f"{path} rates not one of the samples: give the documents and the samples as they were drawn.")
    return with_columns(pool, {CANDIDATE_SCORES: scores})
