"""What every recipe refuses before its data are read, because it would fail after."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from transformers import AutoConfig, PretrainedConfig

_DTYPES = ("float32", "float16", "bfloat16")


class Recipe(Protocol):
    """What all recipes say."""

    @property
    def model(self) -> str:
        """Folder or Hub name of the base model."""

    @property
    def train_files(self) -> Sequence[str]:
        """Files or data sets, perhaps with a condition behind a question mark."""

    @property
    def validation_file(self) -> str:
        """Likewise, one."""

    @property
    def output_dir(self) -> str:
        """The trained model goes here."""

    @property
    def epochs(self) -> float:
        """Passes over the data."""

    @property
    def dtype(self) -> str:
        """Of the saved weights."""


def check_recipe(recipe: Recipe, counts: Sequence[str]) -> PretrainedConfig:
    """The base model's config, of a recipe that can be followed.

    Args:
        recipe: its options.
        counts: the names of those that are 1 or more, or None.

    Raises:
        ValueError: an option is out of range, accelerate is missing, the validation or test file is trained on, the
            output folder is a file, or no config can be loaded from the base model.
    """
    for option in counts:
        value = getattr(recipe, option)
        if value is not None and value < 1:
            raise ValueError(f"{option} is {value}: give 1 or more.")
    if not 0 < recipe.epochs < math.inf:
        raise ValueError(f"epochs is {recipe.epochs}: give a number above 0.")
    if recipe.dtype not in _DTYPES:
        raise ValueError(f"dtype is {recipe.dtype!r}: give one of {', '.join(_DTYPES)}.")
    if find_spec("accelerate") is None:
        raise ValueError("Training needs accelerate, which is not installed: pip install 'quals[train]'.")
    for name, use in ((recipe.validation_file, "validate"), (getattr(recipe, "test_file", None), "test")):
        if name is not None and any(_share_rows(name, trained) for trained in recipe.train_files):
            raise ValueError(f"{name} is to be trained on and to {use}: give another file for one.")
    if Path(recipe.output_dir).is_file():
        raise ValueError(f"The output folder {recipe.output_dir} is a file: give another name.")
    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(recipe.model)
    except (OSError, ValueError) as error:
        raise ValueError(f"No model could be loaded from {recipe.model!r}: {error}") from error
    return config


def _share_rows(one: str, other: str) -> bool:
    """Whether both are one file, and no condition parts their rows; of a named data set the splits are others."""
    (first, _, mine), (second, _, others) = one.partition("?"), other.partition("?")
    if not (Path(first).is_file() and Path(second).is_file() and Path(first).samefile(second)):
        return False
    wanted = dict(part.partition("=")[::2] for part in others.split("&"))
    return all(wanted.get(name, value) == value for name, _, value in (part.partition("=") for part in mine.split("&")))
