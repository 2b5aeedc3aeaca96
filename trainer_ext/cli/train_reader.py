"""Train a BERT-like encoder into an extractive reader, as QAGS needs one, and write its folder, quality and card.

Killed at any moment and started again with the same options, it goes on from its last evaluation.
"""

from __future__ import annotations

import argparse

from trainer_ext.cli.recipe_options import add_recipe_arguments, recipe_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--model", required=True, help="folder or Hub name of an encoder, e.g. google-bert/bert-base-uncased")
    add(
        "--train-file",
        action="append",
        required=True,
        help="SQuAD JSON, JSON lines, or a data set's name; may be given again",
    )
    add("--validation-file", required=True, help="likewise; chooses the checkpoint that is kept, and measures it")
    add("--test-file", help="likewise, with unanswerable questions, say; measures only")
    add("--output-dir", required=True, help="where the reader goes")
    add("--unanswered", type=float, default=0.4, help="share of the questions put to a passage without the answer too")
    add("--epochs", type=float, default=2.0, help="passes over the data")
    add("--learning-rate", type=float, default=1e-4, help="peak; 3e-5 is usual for BERT-base")
    add("--batch-size", type=int, default=16, help="rows in a step")
    add("--max-tokens", type=int, default=384, help="of question and passage, or window, together")
    add("--eval-steps", type=int, default=1000, help="steps between evaluations and checkpoints")
    add("--validation-passages", type=int, default=300, help="passages of the validation file used on the way")
    add_recipe_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    from trainer_ext.recipes.reader.train import ReaderRecipe, train_reader

    print(f"Reader written to {train_reader(ReaderRecipe(**recipe_options(arguments)))}")
