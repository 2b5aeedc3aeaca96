"""Batches with candidates: an ordinary seq2seq collator does the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DataCollatorForSeq2Seq, PreTrainedModel, PreTrainedTokenizerBase

from trainer_ext.dataset import CANDIDATE_LABELS, CANDIDATE_SCORES, IGNORED, REFERENCE_SCORE

COLUMNS = (CANDIDATE_LABELS, CANDIDATE_SCORES, REFERENCE_SCORE)
Collator = Callable[[list[dict[str, Any]]], Any]


class ContrastiveCollator:
    """Pads candidates beside what another collator makes of the other columns.

    Adds, where the features have candidates, ``candidate_labels`` ``(B, K, T)`` int64 (padded with -100, in K too) and
    ``candidate_scores`` ``(B, K)`` float32 (padded with NaN). Features without candidates pass through unchanged.

    Args:
        base: the collator for all other columns, which never sees these three.

    Raises:
        ValueError: when called on features of which only some have candidates, or have another number of scores.
    """

    def __init__(self, base: Collator) -> None:
        self.base = base

    @property
    def tokenizer(self) -> Any:
        """The base collator's, which Trainer saves where it was given none itself."""
        return getattr(self.base, "tokenizer", None)

    def __call__(self, features: Sequence[Mapping[str, Any]]) -> Any:
        batch = self.base([{key: value for key, value in row.items() if key not in COLUMNS} for row in features])
        if not any(CANDIDATE_LABELS in row for row in features):
            return batch
        labels = [_candidates(row) for row in features]
        scores = [_scores(row, len(candidates)) for row, candidates in zip(features, labels, strict=True)]
        count = max(map(len, labels), default=0) or 1
        longest = max((len(ids) for candidates in labels for ids in candidates), default=1) or 1
        padded = [
            [[*ids, *[IGNORED] * (longest - len(ids))] for ids in candidates]
            + [[IGNORED] * longest] * (count - len(candidates))
            for candidates in labels
        ]
        batch[CANDIDATE_LABELS] = torch.tensor(padded)  # (B, K, T)
        batch[CANDIDATE_SCORES] = torch.tensor([row + [math.nan] * (count - len(row)) for row in scores])  # (B, K)
        return batch


@dataclass(frozen=True)
class PaddingCollator:
    """Pads ``input_ids``, ``labels`` and what else has a value a token on the right, for data without a tokenizer.

    ``labels`` are padded with -100, other columns than ``input_ids`` with 0; a missing ``attention_mask`` is made.

    Args:
        pad_token_id: the model's.
    """

    pad_token_id: int

    def __call__(self, features: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        fill = {"input_ids": self.pad_token_id, "labels": IGNORED}
        batch = {}
        for name in features[0]:
            value = fill.get(name, 0)
            if not hasattr(features[0][name], "__len__"):
                batch[name] = torch.tensor([row[name] for row in features])  # (B,)
                continue
            rows = [list(row[name]) for row in features]
            longest = max(map(len, rows))
            batch[name] = torch.tensor([row + [value] * (longest - len(row)) for row in rows])  # (B, S or T)
        if "attention_mask" not in batch:
            lengths = torch.tensor([len(row["input_ids"]) for row in features])  # (B,)
            batch["attention_mask"] = (torch.arange(int(lengths.max())) < lengths[:, None]).long()  # (B, S)
        return batch


def contrastive_collator(
    collator: Collator | None, model: PreTrainedModel, processing_class: Any = None
) -> ContrastiveCollator:
    """The given collator, wrapped; without one, transformers' own for seq2seq, or plain padding without a tokenizer."""
    if isinstance(collator, ContrastiveCollator):
        return collator
    if collator is None and isinstance(processing_class, PreTrainedTokenizerBase):
        collator = DataCollatorForSeq2Seq(processing_class, model=model, label_pad_token_id=IGNORED)
    return ContrastiveCollator(collator or PaddingCollator(model.config.pad_token_id))


def _candidates(row: Mapping[str, Any]) -> list[list[int]]:
    if CANDIDATE_LABELS not in row:
        raise ValueError(f"Some rows of a batch have {CANDIDATE_LABELS} and some have none: give all rows a list.")
    given = row[CANDIDATE_LABELS]  # of tensors or arrays where the data set's format says so
    return [] if given is None else [list(map(int, ids)) for ids in given]


def _scores(row: Mapping[str, Any], count: int) -> list[float]:
    scores = row.get(CANDIDATE_SCORES)
    if scores is None:
        return [math.nan] * count
    if len(scores) != count:
        raise ValueError(
            f"A row has {count} {CANDIDATE_LABELS} and {len(scores)} {CANDIDATE_SCORES}: give a score for each, NaN "
            "where there is none."
        )
    return [math.nan if score is None else float(score) for score in scores]
