"""Train any seq2seq checkpoint into a QAGen, and write its folder, its measured quality and its model card.

Killed at any moment and started again with the same options, it goes on from its last evaluation.
"""

from __future__ import annotations

import argparse

from trainer_ext.cli.recipe_options import add_recipe_arguments, recipe_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--model", required=True, help="folder or Hub name of a seq2seq checkpoint, e.g. facebook/bart-large")
    add(
        "--train-file",
        action="append",
        required=True,
        metavar="FILE[?FIELD=VALUE]",
        help="SQuAD JSON, JSON lines, or a data set's name; may be given again; ?FIELD=VALUE keeps matching rows",
    )
    add("--validation-file", required=True, help="likewise; chooses the checkpoint that is kept, and measures it")
    add("--output-dir", required=True, help="where the QAGen goes")
    add("--epochs", type=float, default=2, help="passes over the data; the last may be a part, as in 1.5")
    add("--learning-rate", type=float, default=5e-4, help="peak; the paper has 3e-5 for BART-large")
    add("--warmup-steps", type=int, default=300, help="optimiser steps up to the peak")
    add("--tokens-per-batch", type=int, default=2048, help="source tokens, and target tokens, in a batch")
    add("--gradient-accumulation-steps", type=int, default=1, help="batches in one optimiser step")
    add("--max-tokens", type=int, default=512, help="longest passage in tokens; longer ones are cut")
    add("--label-smoothing", type=float, default=0.0, help="the paper has 0.1")
    add("--eval-steps", type=int, default=400, help="optimiser steps between evaluations and checkpoints")
    add("--validation-passages", type=int, default=600, help="passages of the validation file used on the way")
    add("--answer-first", action="store_true", help="a question generator for QAGS instead: answer, then question")
    add_recipe_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    from trainer_ext.recipes.qagen.train import QAGenRecipe, train_qagen

    print(f"QAGen written to {train_qagen(QAGenRecipe(**recipe_options(arguments)))}")
