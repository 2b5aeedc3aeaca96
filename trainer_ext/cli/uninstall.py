"""Undo `quals install`: remove the file that it wrote into evaluate's cache of modules, and nothing else."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none, as in `quals install`."""


def run(arguments: argparse.Namespace) -> None:
    from trainer_ext.cli.evaluate_cache import module_file, uninstall

    removed = uninstall()
    print(f"Removed: {removed}" if removed else f"There was nothing to remove: no {module_file()}")
