"""How encoders are fine-tuned: what recipes for them have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import torch
from transformers import TrainingArguments

_LEAST_TOKENS = 16  # as in the FactCC metric


class EncoderRecipe(Protocol):
    """What a recipe says of its training."""

    @property
    def epochs(self) -> float:
        """Passes over the data."""

    @property
    def learning_rate(self) -> float:
        """Peak of AdamW's, reached after a tenth of the steps, then falling linearly to 0."""

    @property
    def batch(self) -> int:
        """Rows in a step."""

    @property
    def eval_steps(self) -> int:
        """Steps between evaluations and checkpoints."""

    @property
    def bf16(self) -> bool:
        """Autocast to bfloat16."""

    @property
    def seed(self) -> int:
        """Of the order."""


def check_length(max_tokens: int, limit: int) -> None:
    """Refuse rows that the model cannot read, or that have no room for two texts.

    Raises:
        ValueError: ``max_tokens`` is less than 16 or more than ``limit``.
    """
    if max_tokens < _LEAST_TOKENS:
        raise ValueError(f"max_tokens is {max_tokens}: give {_LEAST_TOKENS} or more.")
    if max_tokens > limit:
        raise ValueError(f"max_tokens is {max_tokens}, but the model reads at most {limit}: give that or less.")


def training_arguments(
    recipe: EncoderRecipe, folder: Path, metric: str, *, higher_is_better: bool
) -> TrainingArguments:
    """Arguments that keep the checkpoint with the best ``metric``."""
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        warmup_steps=0.1,  # below 1 it is a share of all steps
        lr_scheduler_type="linear",
        per_device_train_batch_size=recipe.batch,
        per_device_eval_batch_size=2 * recipe.batch,
        train_sampling_strategy="group_by_length",
        weight_decay=0.01,
        bf16=recipe.bf16,
        eval_strategy="steps",
        save_strategy="steps",
        eval_steps=recipe.eval_steps,
        save_steps=recipe.eval_steps,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model=metric,
        greater_is_better=higher_is_better,
        logging_steps=50,
        report_to="none",
        seed=recipe.seed,
        use_cpu=not torch.cuda.is_available(),
    )
