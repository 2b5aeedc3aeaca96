"""From question-answer data and an encoder to an extractive reader with its card, as QAGS needs one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from qags.reader import load_reader
from quals.loading import longest_input
from transformers import AutoModelForQuestionAnswering, DataCollatorWithPadding, Trainer, set_seed

from trainer_ext.recipes.base_model import load_base
from trainer_ext.recipes.checkpoints import prepare_checkpoints, save_trained
from trainer_ext.recipes.checks import check_length, check_recipe
from trainer_ext.recipes.qa_data import read_passages
from trainer_ext.recipes.reader.card import write_card
from trainer_ext.recipes.reader.data import asked_questions, reader_rows
from trainer_ext.recipes.reader.quality import measure_reader
from trainer_ext.recipes.reader.recipe import ReaderRecipe
from trainer_ext.recipes.training import encoder_arguments, with_precision


def train_reader(recipe: ReaderRecipe) -> Path:
    """Train, keep the checkpoint with the lowest validation loss, measure it, and write its folder and card.

    If the process is killed, the same recipe continues from the last evaluation.

    Returns:
        The folder of the reader.

    Raises:
        DataError: a data file cannot be read, or leaves nothing to train on.
        OptionError: an option does not suit the base model, or the folder holds another recipe's checkpoints.
        CheckpointError: the base model cannot be used.
    """
    check_recipe(recipe)
    recipe = with_precision(recipe)
    set_seed(recipe.seed)
    model, tokenizer = load_base(
        AutoModelForQuestionAnswering,
        recipe.model,
        new_head=True,
        num_labels=2,  # an answer's start and its end, however many the base had for another task
    )
    tokenizer.padding_side = tokenizer.truncation_side = "right"  # as places in a row are counted
    check_length(recipe.max_tokens, longest_input(model, tokenizer))
    passages = [passage for name in recipe.train_files for passage in read_passages(name, unanswerable=True)]
    measuring = [recipe.validation_file, *([recipe.test_file] if recipe.test_file else [])]
    measured = [read_passages(name, split="validation", unanswerable=True) for name in measuring]
    validation = measured[0][: recipe.validation_passages]
    train_rows, validation_rows = (
        reader_rows(
            list(asked_questions(part, recipe.unanswered, random.Random(recipe.seed))), tokenizer, recipe.max_tokens
        )
        for part in (passages, validation)
    )
    trainer = Trainer(
        model,
        encoder_arguments(recipe, "eval_loss", higher_is_better=False),
        train_dataset=train_rows,
        eval_dataset=validation_rows,
        data_collator=DataCollatorWithPadding(tokenizer),
        processing_class=tokenizer,
    )
    trainer.train(resume_from_checkpoint=prepare_checkpoints(recipe, [passages, validation]))
    output = save_trained(model, tokenizer, recipe)
    reader = load_reader(str(output), device=model.device)
    quality = [measure_reader(reader, part) for part in measured]
    write_card(recipe, dict(zip(_short_names(measuring), quality, strict=True)), trainer.state, passages)
    return output


def _short_names(files: Sequence[str]) -> list[str]:
    """The last parts of the files' paths, as few as tell them apart."""
    paths = [Path(name).parts for name in files]
    depths = range(1, max(map(len, paths)) + 1)
    depth = next(d for d in depths if len({path[-d:] for path in paths}) == len(set(paths)))
    return [str(Path(*path[-depth:])) for path in paths]
