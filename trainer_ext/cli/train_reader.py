"""Train a BERT-like encoder into an extractive reader, as QAGS needs one, and write its folder, quality and card.

Killed at any moment and started again with the same options, it goes on from its last evaluation.
"""

from __future__ import annotations

import argparse


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
    add("--seed", type=int, default=17, help="of data and order")
    add("--dtype", choices=["float32", "float16"], default="float16", help="of the saved weights")
    add("--no-bf16", action="store_true", help="train in float32 throughout")
    add("--no-resume", action="store_true", help="start anew although there are checkpoints")
    add("--credit", action="append", default=[], help="a line for the card: a data set, its licence and source")
    add("--base-credit", default="", help="what the card says of the base model: where it is from, its licence")


def run(arguments: argparse.Namespace) -> None:
    from trainer_ext.recipes.train_reader import ReaderRecipe, train_reader

    recipe = ReaderRecipe(
        model=arguments.model,
        train_files=arguments.train_file,
        validation_file=arguments.validation_file,
        test_file=arguments.test_file,
        output_dir=arguments.output_dir,
        unanswered=arguments.unanswered,
        epochs=arguments.epochs,
        learning_rate=arguments.learning_rate,
        batch=arguments.batch_size,
        max_tokens=arguments.max_tokens,
        eval_steps=arguments.eval_steps,
        validation_passages=arguments.validation_passages,
        bf16=not arguments.no_bf16,
        seed=arguments.seed,
        dtype=arguments.dtype,
        resume=not arguments.no_resume,
        data_credit=arguments.credit,
        base_credit=arguments.base_credit,
    )
    print(f"Reader written to {train_reader(recipe)}")
