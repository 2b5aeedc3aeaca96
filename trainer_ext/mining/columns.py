"""Columns of a data set as plain lists, and data sets with columns put in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import datasets
from datasets import Dataset, Value

from trainer_ext.dataset import CANDIDATE_LABELS, CANDIDATE_SCORES, IGNORED, REFERENCE_SCORE

LABELS = "labels"
_BATCH = 1000
CANDIDATES = "candidates"  # the texts, where candidates come as such or are written for people
TYPES: dict[str, Any] = {
    CANDIDATES: [Value("string")],
    CANDIDATE_LABELS: [[Value("int64")]],
    CANDIDATE_SCORES: [Value("float64")],
    REFERENCE_SCORE: Value("float64"),
}


def require_dataset(dataset: Any) -> None:
    """Raise a ValueError for other data sets than :class:`datasets.Dataset`."""
    if not isinstance(dataset, Dataset):
        raise ValueError(f"Mining needs a datasets.Dataset, which has a length, and got {type(dataset).__name__}.")


def values(dataset: Dataset, column: str) -> list[Any]:
    """A column as Python values, whatever format the data set has.

    Raises:
        ValueError: there is no such column, or ``dataset`` is no :class:`datasets.Dataset`.
    """
    return [value for batch in batches(dataset, [column]) for value in batch[column]]


def batches(dataset: Dataset, columns: Sequence[str]) -> Iterator[dict[str, list[Any]]]:
    """As :func:`values`, for several columns and some rows at a time: tokens take ten times their room as Python's."""
    require_dataset(dataset)
    for column in columns:
        if column not in dataset.column_names:
            found = ", ".join(map(repr, dataset.column_names)) or "none"
            raise ValueError(
                f"The data set has no column {column!r} (columns found: {found}): add it, or name another."
            )
    plain = dataset.select_columns(list(columns)).with_format(None)
    for first in range(0, len(plain), _BATCH):
        yield plain[first : first + _BATCH]


def label_ids(dataset: Dataset) -> list[list[int]]:
    """Token ids of each reference, without what no loss counts (-100)."""
    return [[token for token in ids if token != IGNORED] for ids in values(dataset, LABELS)]


def candidate_scores(dataset: Dataset) -> list[list[float]]:
    """Scores of each document's candidates; NaN where there is none."""
    return [list(map(_number, scores or [])) for scores in values(dataset, CANDIDATE_SCORES)]


def reference_scores(dataset: Dataset) -> list[float]:
    """Score of each document's reference; NaN where there is none, or no such column."""
    if REFERENCE_SCORE not in dataset.column_names:
        return [math.nan] * len(dataset)
    return list(map(_number, values(dataset, REFERENCE_SCORE)))


def fits(column: str, value: Any) -> bool:
    """Whether a value from somewhere else is what one of these columns holds: pyarrow makes text of anything."""
    if column == REFERENCE_SCORE:
        return value is None or _is_number(value)
    if not isinstance(value, list):
        return False
    if column == CANDIDATES:
        return all(isinstance(text, str) for text in value)
    if column == CANDIDATE_SCORES:
        return all(score is None or _is_number(score) for score in value)
    return all(isinstance(ids, list) and all(type(token) is int for token in ids) for ids in value)


def with_columns(dataset: Dataset, columns: Mapping[str, Sequence[Any]]) -> Dataset:
    """``dataset`` with columns put in, or in the stead of those of the same name, which keep their type."""
    if not columns:
        return dataset
    kinds = {name: TYPES[name] if name in TYPES else dataset.features[name] for name in columns}
    extra = Dataset.from_dict(dict(columns), features=datasets.Features(kinds))
    kept = [name for name in dataset.column_names if name not in columns]
    if not kept:  # a data set without columns has no rows
        return extra
    return datasets.concatenate_datasets([dataset.with_format(None).select_columns(kept), extra], axis=1)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
