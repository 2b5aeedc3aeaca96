"""Let evaluate.load("quals") find this package from any folder, by one small file in evaluate's cache of modules.

Example: quals install, and to undo it: quals install --remove

It may be run again at any time. evaluate asks the Hub first for a metric of that name; where the network swallows
requests instead of refusing them, set HF_EVALUATE_OFFLINE=1. HF_MODULES_CACHE and HF_HOME say where the cache is.
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--remove", action="store_true", help="remove the file again, and nothing else")


def run(arguments: argparse.Namespace) -> None:
    from trainer_ext.cli.evaluate_cache import install, module_file, uninstall

    if not arguments.remove:
        print(f'evaluate.load("quals") is this package now, from any folder. Written: {install()}')
        return
    removed = uninstall()
    print(f"Removed: {removed}" if removed else f"There was nothing to remove: {module_file()} does not exist.")
