"""Options that all training recipes have."""

from __future__ import annotations

import argparse
from typing import Any


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """What is common to recipes, after what is each one's own."""
    add = parser.add_argument
    add("--seed", type=int, default=17, help="of data and order")
    add("--dtype", choices=["float32", "float16"], default="float16", help="of the saved weights")
    add("--no-bf16", action="store_true", help="train in float32 throughout")
    add("--no-resume", action="store_true", help="start anew although there are checkpoints")
    add("--credit", action="append", default=[], help="a line for the card: a data set, its licence and source")
    add("--base-credit", default="", help="what the card says of the base model: where it is from, its licence")


def recipe_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The arguments as fields of a recipe; options are called as the fields are, but for a few."""
    values = {name: value for name, value in vars(arguments).items() if name not in ("command", "run")}
    values |= {"bf16": not values.pop("no_bf16"), "resume": not values.pop("no_resume")}
    values |= {"data_credit": values.pop("credit"), "train_files": values.pop("train_file")}
    renamed = {"batch_size": "batch", "gradient_accumulation_steps": "accumulation"}
    return {renamed.get(name, name): value for name, value in values.items()}
