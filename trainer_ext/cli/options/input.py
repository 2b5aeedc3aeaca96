"""The table that a command reads: a file by its suffix, or a split of a data set on the Hub."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer_ext.io.tables import Rows

FILES = "JSON lines, JSON, CSV, TSV or parquet file, or hub:ORG/NAME for a data set of the Hub, with one {} per row"
_OPTIONS = ("dataset_config", "dataset_split", "dataset_revision")


def add_hub_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that :func:`read_input` reads, beside ``file``."""
    add = parser.add_argument_group("data set of the Hub").add_argument
    add("--dataset-config", help="configuration of a data set that is given as hub:ORG/NAME")
    add("--dataset-split", help="split of that data set, or a part such as 'test[:100]'; needed if it has several")
    add("--dataset-revision", help="branch, tag or commit of that data set; the newest version if not given")


def is_of_hub(arguments: argparse.Namespace) -> bool:
    """Whether the input is a data set of the Hub.

    Raises:
        OptionError: it is not, and an option says of which configuration, split or version.
    """
    from quals.errors import OptionError

    from trainer_ext.io.hub_tables import PREFIX

    if arguments.file is not None and str(arguments.file).startswith(PREFIX):
        return True
    given = [name for name in _OPTIONS if getattr(arguments, name) is not None]
    if given:
        option = f"--{given[0].replace('_', '-')}"
        raise OptionError(f"{option} is of a data set on the Hub: name that as hub:ORG/NAME, or leave {option} out.")
    return False


def read_input(arguments: argparse.Namespace) -> tuple[Rows, list[Path]]:
    """The rows of ``arguments.file``, and the files that the output must not replace.

    Raises:
        DataError: it is not a table, or has no rows.
        OptionError: an option is for the other kind of input.
        OSError: it cannot be read.
    """
    from trainer_ext.io.hub_tables import HubTable
    from trainer_ext.io.tables import read_table

    if is_of_hub(arguments):
        return HubTable(arguments.file, *(getattr(arguments, name) for name in _OPTIONS)).read(), []
    return read_table(arguments.file), [arguments.file]
