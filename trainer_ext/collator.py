"""Batches with candidates; an ordinary seq2seq collator makes all other columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import DataCollatorForSeq2Seq, PreTrainedModel, PreTrainedTokenizerBase, default_data_collator

from trainer_ext.dataset import CANDIDATE_LABELS, CANDIDATE_SCORES, IGNORED, REFERENCE_SCORE

COLUMNS = (CANDIDATE_LABELS, CANDIDATE_SCORES, REFERENCE_SCORE)
Collator = Callable[[list[dict[str, Any]]], Any]


class ContrastiveCollator:
    """Pads candidates, beside what another collator makes of the other columns.

    Where rows have candidates, the batch also has ``candidate_labels`` ``(B, K, T)`` int64, padded with -100 (missing
    candidates too), and ``candidate_scores`` ``(B, K)`` float32, padded with NaN. Other batches are unchanged.

    Args:
        base: the collator of all other columns. It never sees ``candidate_labels``, ``candidate_scores`` and
            ``reference_score``.

    Raises:
        ValueError: when called, if only some rows have candidates, or a row has more or fewer scores than candidates.
    """

    def __init__(self, base: Collator) -> None:
        self.base = base

    @property
    def tokenizer(self) -> Any:
        """The base collator's tokenizer: Trainer saves it with the model if it was given no other."""
        return getattr(self.base, "tokenizer", None)

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> Any:
        batch = self.base([{key: value for key, value in row.items() if key not in COLUMNS} for row in rows])
        if not any(CANDIDATE_LABELS in row for row in rows):
            return batch
        labels = [_candidates(row) for row in rows]
        scores = [_scores(row, len(candidates)) for row, candidates in zip(rows, labels, strict=True)]
        count = max(map(len, labels), default=0) or 1
        # A missing candidate is a row of padding alone.
        filled = [ids for candidates in labels for ids in candidates + [[IGNORED]] * (count - len(candidates))]
        tensors = [torch.tensor(ids or [IGNORED]) for ids in filled]
        padded = pad_sequence(tensors, batch_first=True, padding_value=IGNORED)  # (B * K, T)
        batch[CANDIDATE_LABELS] = padded.unflatten(0, (len(labels), count))  # (B, K, T)
        batch[CANDIDATE_SCORES] = torch.tensor([row + [math.nan] * (count - len(row)) for row in scores])  # (B, K)
        return batch


def contrastive_collator(
    collator: Collator | None, model: PreTrainedModel, processing_class: Any = None
) -> ContrastiveCollator:
    """The given collator, wrapped. Without one, transformers' own: for seq2seq models if there is a tokenizer."""
    if isinstance(collator, ContrastiveCollator):
        return collator
    if collator is None and isinstance(processing_class, PreTrainedTokenizerBase):
        collator = DataCollatorForSeq2Seq(processing_class, model=model, label_pad_token_id=IGNORED)
    return ContrastiveCollator(collator or _stacked)


def _stacked(rows: list[dict[str, Any]]) -> Any:
    """Rows of equal lengths as a batch, without padding, as Trainer makes them where it has no tokenizer."""
    try:
        return default_data_collator(rows)
    except ValueError as error:
        raise ValueError(
            "Rows of unequal lengths cannot become a batch without a tokenizer: give processing_class=tokenizer, or "
            "data_collator=DataCollatorForSeq2Seq(tokenizer, model)."
        ) from error


def _candidates(row: Mapping[str, Any]) -> list[list[int]]:
    if CANDIDATE_LABELS not in row:
        raise ValueError(f"Some rows of a batch have {CANDIDATE_LABELS} and others do not: give each row a list.")
    candidates = row[CANDIDATE_LABELS]  # lists, tensors or arrays, as the data set's format says
    return [] if candidates is None else [list(map(int, ids)) for ids in candidates]


def _scores(row: Mapping[str, Any], count: int) -> list[float]:
    scores = row.get(CANDIDATE_SCORES)
    if scores is None:
        return [math.nan] * count
    if len(scores) != count:
        raise ValueError(
            f"A row has {count} {CANDIDATE_LABELS} and {len(scores)} {CANDIDATE_SCORES}: give one score per candidate, "
            "NaN for a candidate without a score."
        )
    return [math.nan if score is None else float(score) for score in scores]
