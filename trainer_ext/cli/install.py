"""Let evaluate.load("quals") find this package from any folder: one small file in evaluate's cache of modules.

It may be run again at any time; `quals uninstall` undoes it. evaluate still asks the Hub for a metric of that name
first; where the network swallows requests instead of refusing them, set HF_EVALUATE_OFFLINE=1.
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none; evaluate's own environment variables (HF_MODULES_CACHE, HF_HOME) say where its cache is."""


def run(arguments: argparse.Namespace) -> None:
    from trainer_ext.cli.evaluate_cache import install

    print(f'evaluate.load("quals") is this package now, from any folder. Written: {install()}')
