"""A recipe's fields as the options of its command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import MISSING, fields
from typing import Any, TypeVar, get_args, get_type_hints

from trainer_ext.recipes.recipe import Recipe, settings

R = TypeVar("R", bound=Recipe)


def add_recipe_arguments(parser: argparse.ArgumentParser, recipe: type[Recipe]) -> None:
    """An option for each field: called as the field is, or as its metadata say."""
    types, metadata = get_type_hints(recipe), settings(recipe)
    for setting in sorted(fields(recipe), key=lambda setting: setting.default is not MISSING):
        known = metadata[setting.name]
        name = known.get("option", setting.name).replace("_", "-")
        options: dict[str, Any] = {"dest": setting.name, "help": known["help"]}
        if setting.default is MISSING:
            options["required"] = True
        # A default that says nothing is left to the recipe, so that the help does not show it.
        options["default"] = argparse.SUPPRESS if setting.default in (MISSING, None, "", ()) else setting.default
        several = types[setting.name] == Sequence[str]
        # The type itself, or the first of "int | None".
        kind = (*get_args(types[setting.name]), types[setting.name])[0]
        if several:
            options |= {"action": "append", "metavar": _metavar(name)}
        elif kind is bool:
            options["action"] = argparse.BooleanOptionalAction
        elif "choices" in known:
            options["choices"] = known["choices"]
        else:
            options |= {"type": kind, "metavar": _metavar(name)}
        parser.add_argument(f"--{name}", **options)


def _metavar(name: str) -> str:
    return name.rpartition("-")[2].upper()


def recipe_of(arguments: argparse.Namespace, recipe: type[R]) -> R:
    """The recipe that the options describe.

    Raises:
        OptionError: an option is out of its range.
    """
    given = vars(arguments)
    return recipe(**{setting.name: given[setting.name] for setting in fields(recipe) if setting.name in given})
