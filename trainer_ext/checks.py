"""What a training checks before its work, so that nothing fails after hours."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import datasets
import torch
from transformers.trainer_utils import get_last_checkpoint

from trainer_ext.dataset import CANDIDATE_LABELS, CANDIDATE_SCORES

logger = logging.getLogger(__name__)


def check_model(model: Any) -> None:
    """Refuse a model or adapters that contrastive training cannot work with.

    Weights in half precision are warned of: at the rates of contrastive training they hardly move. transformers 5 loads
    a checkpoint in the dtype of its file (findings/half-precision-checkpoint-stands-still.sh).

    Raises:
        ValueError: the model is not an encoder-decoder, or it has learnt prompts.
    """
    if not getattr(getattr(model, "config", None), "is_encoder_decoder", False):
        raise ValueError(f"{type(model).__name__} is not an encoder-decoder: this trainer needs one (BART, T5, ...).")
    if getattr(getattr(model, "active_peft_config", None), "is_prompt_learning", False):
        raise ValueError(
            "peft puts learnt prompts (prefix and prompt tuning) before each row, and rows that share an encoded "
            "source cannot have them: use LoRA or another adapter of weights."
        )
    half = {weight.dtype for weight in model.parameters() if weight.requires_grad} & {torch.bfloat16, torch.float16}
    if half:
        logger.warning(
            "The model's weights are %s, in which steps as small as 3e-6 are rounded away: load it with "
            "from_pretrained(..., dtype=torch.float32), and set bf16=True for the computation.",
            " and ".join(sorted(map(str, half))),
        )


def check_targets(rows: Any, make_batch: Callable[[datasets.Dataset], Mapping[str, Any]]) -> None:
    """Refuse rows that have no labels. A stream is not read: its first batch tells soon enough.

    Args:
        rows: the training set.
        make_batch: what the trainer makes of a data set of one row.

    Raises:
        ValueError: the batch has no labels.
    """
    if not isinstance(rows, datasets.Dataset) or "labels" in rows.column_names or not len(rows):
        return
    if make_batch(rows.select([0])).get("labels") is None:
        raise ValueError(
            "The training set has no labels, and candidates do not replace them: add a column 'labels' with the "
            "token ids of target summaries."
        )


def check_scores(rows: datasets.Dataset, selection: str) -> None:
    """Refuse to select among candidates without scores.

    Raises:
        ValueError: there is no column ``candidate_scores``.
    """
    if CANDIDATE_SCORES not in rows.column_names:
        raise ValueError(
            f"selection is {selection!r} and the training set has {CANDIDATE_LABELS} without {CANDIDATE_SCORES}: "
            "score them first (trainer_ext.mining.score_candidates), or leave selection out."
        )


def usable_checkpoint(resume_from_checkpoint: str | bool | None, output_dir: str) -> str | bool | None:
    """What to resume from: None instead of True where there is no checkpoint yet.

    The work before the training resumes by itself, so a run that was killed there has no checkpoint.
    """
    if resume_from_checkpoint is True and get_last_checkpoint(output_dir) is None:
        return None
    return resume_from_checkpoint
