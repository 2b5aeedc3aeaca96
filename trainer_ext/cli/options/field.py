"""The fields of a dataclass as the options of a command."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, TypeVar, get_args, get_type_hints

from trainer_ext.recipes.recipe import settings

T = TypeVar("T")


def add_fields(parser: Any, owner: type[Any], former: Mapping[str, str | None] | None = None) -> None:
    """An option for each field: called as the field is, or as its metadata say.

    Args:
        parser: a parser, or a group of one.
        owner: the dataclass; :func:`trainer_ext.recipes.recipe.settings` says what metadata mean.
        former: the only fields to add, each with an earlier name of its option, which works and is not shown, or None.
    """
    types, metadata = get_type_hints(owner), settings(owner)
    for setting in sorted(fields(owner), key=lambda setting: setting.default is not MISSING):
        if former is not None and setting.name not in former:
            continue
        known = metadata[setting.name]
        name = known.get("option", setting.name).replace("_", "-")
        options: dict[str, Any] = {"dest": setting.name, "help": known["help"]}
        if setting.default is MISSING:
            options["required"] = True
        # A default that says nothing is left to the dataclass, so that the help does not show it.
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
        if alias := (former or {}).get(setting.name):
            parser.add_argument(alias, **{**options, "default": argparse.SUPPRESS, "help": argparse.SUPPRESS})


def _metavar(name: str) -> str:
    return name.rpartition("-")[2].upper()


def from_options(arguments: argparse.Namespace, owner: type[T]) -> T:
    """The dataclass that the options describe.

    Raises:
        OptionError: an option is out of its range.
    """
    given = vars(arguments)
    names = [setting.name for setting in fields(owner)]  # type: ignore[arg-type]
    return owner(**{name: given[name] for name in names if name in given})
