"""What the model cards of all recipes have in common."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers import TrainerState

from trainer_ext.recipes.recipe import Recipe


def write_card_files(folder: Path, card: str, quality: Any) -> None:
    """Write ``README.md`` and ``quality.json``, the measured figures, into a model's folder."""
    (folder / "quality.json").write_text(json.dumps(quality, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(card, encoding="utf-8")


def origins(recipe: Recipe, data: str = "Data") -> str:
    """The paragraphs that name the base model and the data, with the credits that were given for them."""
    base = recipe.base_credit or f"`{file_name(recipe.model.rstrip('/'))}`"
    credit = "\n".join(f"- {line}" for line in recipe.data_credit or map(file_name, recipe.train_files))
    return f"Base: {base}\n\n{data}:\n\n{credit}"


def passes(recipe: Recipe) -> str:
    """How often the data were shown."""
    return "1 pass" if recipe.epochs == 1 else f"{recipe.epochs:g} passes"


def precision(recipe: Recipe) -> str:
    """What training computed in."""
    return "bfloat16 autocast" if recipe.bf16 else "float32"


def evaluations(state: TrainerState, metric: str, name: str) -> str:
    """A table of a metric at every evaluation, under the name that readers know."""
    rows = [f"| {entry['step']} | {entry[metric]:.3f} |" for entry in state.log_history if metric in entry]
    return "\n".join((f"| step | {name} |", "|---:|---:|", *rows))


def file_name(name: str) -> str:
    """The last part of a path, or of a data set's name."""
    return name.rsplit("/", 1)[-1]
