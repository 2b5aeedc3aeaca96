"""Train any seq2seq checkpoint into a QAGen, and write its folder, its measured quality and its model card.

Killed at any moment and started again with the same options, it goes on from its last evaluation.
"""

from __future__ import annotations

import argparse


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
    add("--epochs", type=int, default=2, help="passes over the data")
    add("--learning-rate", type=float, default=5e-4, help="peak; the paper has 3e-5 for BART-large")
    add("--warmup-steps", type=int, default=300, help="optimiser steps up to the peak")
    add("--tokens-per-batch", type=int, default=2048, help="source tokens, and target tokens, in a batch")
    add("--gradient-accumulation-steps", type=int, default=1, help="batches in one optimiser step")
    add("--max-tokens", type=int, default=512, help="longest passage in tokens; longer ones are cut")
    add("--label-smoothing", type=float, default=0.0, help="the paper has 0.1")
    add("--eval-steps", type=int, default=400, help="optimiser steps between evaluations and checkpoints")
    add("--validation-passages", type=int, default=600, help="passages of the validation file used on the way")
    add("--seed", type=int, default=17, help="of the data's shapes and order")
    add("--dtype", choices=["float32", "float16"], default="float16", help="of the saved weights")
    add("--no-bf16", action="store_true", help="train in float32 throughout")
    add("--answer-first", action="store_true", help="a question generator for QAGS instead: answer, then question")
    add("--no-resume", action="store_true", help="start anew although there are checkpoints")
    add("--credit", action="append", default=[], help="a line for the card: a data set, its licence and source")
    add("--base-credit", default="", help="what the card says of the base model: where it is from, its licence")


def run(arguments: argparse.Namespace) -> None:
    from trainer_ext.recipes.train_qagen import QAGenRecipe, train_qagen

    recipe = QAGenRecipe(
        model=arguments.model,
        train_files=arguments.train_file,
        validation_file=arguments.validation_file,
        output_dir=arguments.output_dir,
        epochs=arguments.epochs,
        learning_rate=arguments.learning_rate,
        warmup_steps=arguments.warmup_steps,
        tokens_per_batch=arguments.tokens_per_batch,
        accumulation=arguments.gradient_accumulation_steps,
        max_tokens=arguments.max_tokens,
        label_smoothing=arguments.label_smoothing,
        eval_steps=arguments.eval_steps,
        validation_passages=arguments.validation_passages,
        bf16=not arguments.no_bf16,
        seed=arguments.seed,
        dtype=arguments.dtype,
        resume=not arguments.no_resume,
        answer_first=arguments.answer_first,
        data_credit=arguments.credit,
        base_credit=arguments.base_credit,
    )
    print(f"QAGen written to {train_qagen(recipe)}")
