"""Train the models that the metrics need: a QAGen, a consistency classifier, a reader, or make a base for a QAGen.

A training that is killed continues from its last evaluation when the same command is given again.

Example: quals train qagen --model facebook/bart-large --train-file squad.json --validation-file dev.json
--output-dir my-qagen
"""

from __future__ import annotations

import argparse
from pathlib import Path
from pkgutil import resolve_name

from trainer_ext.cli.recipe_options import add_recipe_arguments, recipe_of
from trainer_ext.recipes.factcc.recipe import FactCCRecipe
from trainer_ext.recipes.qagen.recipe import QAGenRecipe
from trainer_ext.recipes.reader.recipe import ReaderRecipe
from trainer_ext.recipes.recipe import Recipe

# By name: the recipe, and what the command does.
_RECIPES: dict[str, tuple[type[Recipe], str]] = {
    "qagen": (QAGenRecipe, "train a seq2seq checkpoint into a question-answer generator, for QUALS"),
    "factcc": (FactCCRecipe, "train an encoder into a consistency classifier, for FactCC, on synthetic claims"),
    "reader": (ReaderRecipe, "train an encoder into an extractive reader that may find no answer, for QAGS"),
}
_BASE = "make a small BART from a BERT encoder's weights, as a base for a QAGen"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    models = parser.add_subparsers(dest="trained", required=True, metavar="MODEL")
    for name, (recipe, summary) in _RECIPES.items():
        command = models.add_parser(
            name, help=summary, description=_sentence(summary), formatter_class=parser.formatter_class
        )
        add_recipe_arguments(command, recipe)
    base = models.add_parser("base", help=_BASE, description=_sentence(_BASE), formatter_class=parser.formatter_class)
    base.add_argument("--model", required=True, help="folder or Hub name of a BERT encoder")
    base.add_argument("--output-dir", required=True, type=Path, help="folder for the BART")
    base.add_argument("--decoder-layers", type=int, default=3, help="decoder layers, copied from the encoder's")


def run(arguments: argparse.Namespace) -> None:
    name = arguments.trained
    if name == "base":
        from trainer_ext.recipes.qagen.bart_from_bert import write_bart

        folder = write_bart(arguments.model, arguments.output_dir, arguments.decoder_layers)
    else:
        recipe = recipe_of(arguments, _RECIPES[name][0])
        # Imported here, so that the help does not wait for torch.
        folder = resolve_name(f"trainer_ext.recipes.{name}.train:train_{name}")(recipe)
    print(f"Written to {folder}")


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."
