"""The data set as a user gave it: a ``datasets.Dataset``, a list of rows, or a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import datasets

CANDIDATE_LABELS = "candidate_labels"  # K lists of token ids, like labels
CANDIDATE_SCORES = "candidate_scores"  # K floats, higher is better; NaN: no score
REFERENCE_SCORE = "reference_score"  # float, optional
IGNORED = -100  # a label that no loss counts


def has_candidates(data: Any) -> bool:
    """Whether the rows have ``candidate_labels``: by the column names, or else by the first row.

    A stream that can be read only once counts as having none: reading its first row would take it from the training.
    """
    columns = getattr(data, "column_names", None)
    if columns is not None and not _is_transformed(data):
        return CANDIDATE_LABELS in columns
    if data is None:
        return False
    if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        first = data[0] if len(data) else {}
    else:
        first = {} if iter(data) is iter(data) else next(iter(data), {})
    return isinstance(first, Mapping) and CANDIDATE_LABELS in first


def as_dataset(data: Any) -> datasets.Dataset:
    """All rows, as a ``datasets.Dataset``; what ``with_transform`` makes of them is made once, for all.

    Raises:
        ValueError: ``data`` is a stream.
    """
    if isinstance(data, datasets.Dataset) and not _is_transformed(data):
        return data
    if isinstance(data, datasets.IterableDataset) or not (hasattr(data, "__getitem__") and hasattr(data, "__len__")):
        raise ValueError(
            f"The training set is a {type(data).__name__}, which can be read only in order and once, and mining needs "
            "all rows at hand: give a datasets.Dataset, add candidate columns, or set mine_candidates=False."
        )
    rows = [{name: _plain(value) for name, value in data[place].items()} for place in range(len(data))]
    return datasets.Dataset.from_list(rows)


def _is_transformed(data: Any) -> bool:
    """Whether the rows are made when they are read: their columns are then not those that are stored."""
    return isinstance(data, datasets.Dataset) and data.format["type"] == "custom"


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value
