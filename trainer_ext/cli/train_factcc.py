"""Train a BERT-like encoder into a consistency classifier (FactCC) by synthetic claims, and write its folder and card.

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
        help="JSON lines, CSV or parquet with a column document, source, article, context or text; may be given again",
    )
    add("--validation-file", required=True, help="likewise, other documents; chooses the checkpoint that is kept")
    add("--output-dir", required=True, help="where the classifier goes")
    add("--documents", type=int, help="of the training files that are used, drawn by the seed; all without it")
    add("--pipeline", default="en_core_web_sm", help="spaCy pipeline with tagger, parser and named entities")
    add("--claims-per-document", type=int, default=4, help="half of them consistent")
    add("--document-words", type=int, default=300, help="most words that are read of a document; a fifth at least")
    add("--shortened", type=float, default=0.8, help="share of claims that leave out parts of their sentence")
    add("--epochs", type=float, default=2.0, help="passes over the claims")
    add("--learning-rate", type=float, default=5e-5, help="peak; the paper has 2e-5 for BERT-base")
    add("--span-weight", type=float, default=1.0, help="of the loss for pointing at why; 0 trains by labels alone")
    add("--batch-size", type=int, default=16, help="claims in a step; the paper has 12")
    add("--max-tokens", type=int, default=512, help="of document and claim together")
    add("--eval-steps", type=int, default=500, help="steps between evaluations and checkpoints")
    add("--validation-documents", type=int, default=500, help="documents of the validation file that are used")
    add_recipe_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    from trainer_ext.recipes.factcc.train import FactCCRecipe, train_factcc

    print(f"Classifier written to {train_factcc(FactCCRecipe(**recipe_options(arguments)))}")
