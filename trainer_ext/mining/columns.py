"""Columns of a data set as plain lists, and data sets with columns put in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import datasets
from datasets import Dataset, Value

from trainer_ext.dataset import CANDIDATE_LABELS, CANDIDATE_SCORES, IGNORED, REFERENCE_SCORE
from trainer_ext.io.progress import without_noise

LABELS = "labels"
_BATCH = 1000
CANDIDATES = "candidates"  # texts of the candidates, where they come as texts or are written for people
TYPES: dict[str, Any] = {
    CANDIDATES: [Value("string")],
    CANDIDATE_LABELS: [[Value("int64")]],
    CANDIDATE_SCORES: [Value("float64")],
    REFERENCE_SCORE: Value("float64"),
}


def require_dataset(dataset: Any) -> None:
    """Raise a ValueError unless this is a :class:`datasets.Dataset`."""
    if not isinstance(dataset, Dataset):
        raise ValueError(f"Mining needs a datasets.Dataset, which has a length, and got {type(dataset).__name__}.")


def values(dataset: Dataset, column: str) -> list[Any]:
    """A column as Python values, whatever format the data set has.

    Raises:
        ValueError: there is no such column, or ``dataset`` is not a :class:`datasets.Dataset`.
    """
    return [value for batch in batches(dataset, [column]) for value in batch[column]]


def batches(dataset: Dataset, columns: Sequence[str]) -> Iterator[dict[str, list[Any]]]:
    """Like :func:`values`, for several columns and some rows at a time: Python's integers take ten times the room."""
    require_dataset(dataset)
    for column in columns:
        if column not in dataset.column_names:
            names = ", ".join(map(repr, dataset.column_names)) or "none"
            raise ValueError(
                f"The data set has no column {column!r} (columns found: {names}): add it, or name another."
            )
    plain = dataset.select_columns(list(columns)).with_format(None)
    for first in range(0, len(plain), _BATCH):
        yield plain[first : first + _BATCH]


def label_ids(dataset: Dataset) -> list[list[int]]:
    """Token ids of each reference, without the padding (-100)."""
    return [[token for token in ids if token != IGNORED] for ids in values(dataset, LABELS)]


def candidate_scores(dataset: Dataset) -> list[list[float]]:
    """Scores of each document's candidates; NaN where there is no score."""
    return [list(map(_number, scores or [])) for scores in values(dataset, CANDIDATE_SCORES)]


def reference_scores(dataset: Dataset) -> list[float]:
    """Score of each document's reference; NaN where there is no score, or no such column."""
    if REFERENCE_SCORE not in dataset.column_names:
        return [math.nan] * len(dataset)
    return list(map(_number, values(dataset, REFERENCE_SCORE)))


def fits(column: str, value: Any) -> bool:
    """Whether a value of a file is what this column holds. It is asked first, since pyarrow makes text of anything."""
    if column == REFERENCE_SCORE:
        return value is None or is_number(value)
    if not isinstance(value, list):
        return False
    if column == CANDIDATES:
        return all(isinstance(text, str) for text in value)
    if column == CANDIDATE_SCORES:
        return all(score is None or is_number(score) for score in value)
    return all(isinstance(ids, list) and all(type(token) is int for token in ids) for ids in value)


def with_columns(dataset: Dataset, columns: Mapping[str, Sequence[Any]]) -> Dataset:
    """``dataset`` with columns added, or replaced where it has them; these keep their type.

    A new column of a name that is not in ``TYPES`` holds lists of texts.
    """
    if not columns:
        return dataset
    kinds = {name: TYPES.get(name) or dataset.features.get(name) or TYPES[CANDIDATES] for name in columns}
    extra = Dataset.from_dict(dict(columns), features=datasets.Features(kinds))
    kept = [name for name in dataset.column_names if name not in columns]
    if not kept:  # a data set without columns has no rows
        return extra
    with without_noise():
        return datasets.concatenate_datasets([dataset.with_format(None).select_columns(kept), extra], axis=1)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def is_number(value: Any) -> bool:
    """Whether this is an int or a float; True and False are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
