"""The arguments of transformers' trainer that all recipes share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import TrainingArguments

from trainer_ext.recipes.checkpoints import checkpoints_folder
from trainer_ext.recipes.recipe import EncoderRecipe, Recipe

R = TypeVar("R", bound=Recipe)


def with_precision(recipe: R) -> R:
    """The recipe with ``bf16`` decided: if it is not given, whether the device computes in bfloat16.

    torch runs bfloat16 on any CPU, but one without instructions for it takes several times as long as with float32.
    """
    if recipe.bf16 is not None:
        return recipe
    return replace(recipe, bf16=torch.cuda.is_bf16_supported() if torch.cuda.is_available() else _cpu_has_bf16())


def _cpu_has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:  # not Linux
        return False
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(flags)


def common_arguments(recipe: Recipe, metric: str, *, higher_is_better: bool) -> dict[str, Any]:
    """Arguments that keep the checkpoint with the best ``metric``, measured every ``eval_steps``."""
    return {
        "output_dir": str(checkpoints_folder(recipe)),
        "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": "linear",
        "weight_decay": 0.01,
        "bf16": recipe.bf16,
        "eval_strategy": "steps",
        "save_strategy": "steps",
        "eval_steps": recipe.eval_steps,
        "save_steps": recipe.eval_steps,
        "save_total_limit": 2,
        "load_best_model_at_end": True,
        "metric_for_best_model": metric,
        "greater_is_better": higher_is_better,
        "logging_steps": 50,
        "report_to": "none",
        "seed": recipe.seed,
        "use_cpu": not torch.cuda.is_available(),
    }


def encoder_arguments(recipe: EncoderRecipe, metric: str, *, higher_is_better: bool) -> TrainingArguments:
    """Arguments for fine-tuning an encoder."""
    return TrainingArguments(
        **common_arguments(recipe, metric, higher_is_better=higher_is_better),
        num_train_epochs=recipe.epochs,
        warmup_steps=0.1,  # below 1 it is a share of all steps
        per_device_train_batch_size=recipe.batch,
        per_device_eval_batch_size=2 * recipe.batch,
        train_sampling_strategy="group_by_length",
    )
