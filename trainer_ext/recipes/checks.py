"""What every recipe refuses before the work begins, because it would fail after."""

from __future__ import annotations

from pathlib import Path

from quals.errors import DataError, OptionError, require_extra

from trainer_ext.recipes.recipe import Recipe


def check_recipe(recipe: Recipe) -> None:
    """Refuse what can be known to fail before a file is read.

    Raises:
        MissingExtraError: accelerate is not installed.
        DataError: the validation or the test file shares rows with what is trained on.
        OptionError: the output folder is a file.
    """
    require_extra("train", "accelerate")
    for name, use in ((recipe.validation_file, "validate"), (getattr(recipe, "test_file", None), "test")):
        if name is not None and any(_share_rows(name, trained) for trained in recipe.train_files):
            raise DataError(f"{name} would both train and {use}: give another file for one of them.")
    if Path(recipe.output_dir).is_file():
        raise OptionError(f"The output folder {recipe.output_dir} is a file: give another name.")


def check_length(max_tokens: int, limit: int) -> None:
    """Refuse rows that are longer than the model reads.

    Raises:
        OptionError: ``max_tokens`` is more than ``limit``.
    """
    if max_tokens > limit:
        raise OptionError(f"max_tokens is {max_tokens}, but the model reads at most {limit}: give that or less.")


def _share_rows(one: str, other: str) -> bool:
    """Whether both name one file, and no condition separates their rows. The splits of a named data set are apart."""
    (first, _, condition), (second, _, others) = one.partition("?"), other.partition("?")
    if not (Path(first).is_file() and Path(second).is_file() and Path(first).samefile(second)):
        return False
    wanted = dict(part.partition("=")[::2] for part in others.split("&"))
    parts = (part.partition("=") for part in condition.split("&"))
    return all(wanted.get(name, value) == value for name, _, value in parts)
