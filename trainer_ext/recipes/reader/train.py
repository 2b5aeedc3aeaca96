"""From question-answer data and an encoder to an extractive reader with its card, as QAGS needs one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from qags.overlap import squad_words, token_f1
from qags.reader import Reader, load_reader
from quals.loading import longest_input
from transformers import (
    AutoModelForQuestionAnswering,
    DataCollatorWithPadding,
    Trainer,
    set_seed,
)

from trainer_ext.recipes.base_model import load_base
from trainer_ext.recipes.checkpoints import prepare_checkpoints, save
from trainer_ext.recipes.checks import check_recipe
from trainer_ext.recipes.qa_data import Passage, read_passages
from trainer_ext.recipes.reader.data import asked_questions, reader_rows
from trainer_ext.recipes.training import check_length, training_arguments


@dataclass(frozen=True)
class ReaderRecipe:
    """What to train, on what, for how long.

    Attributes:
        model: folder or Hub name of a BERT-like encoder.
        train_files: question-answer data, see :func:`~trainer_ext.recipes.qa_data.read_passages`.
        validation_file: likewise; chooses the checkpoint that is kept, and measures it.
        test_file: likewise, with questions that have no answer, say; it measures only.
        output_dir: the reader goes here, its training checkpoints into ``checkpoints/`` below.
        unanswered: questions that are put to a passage without the answer too, as a share of all.
        epochs: passes over the data.
        learning_rate: peak of AdamW's, reached after a tenth of the steps, then falling linearly to 0.
        batch: questions in a step.
        max_tokens: of question and passage, or window, together.
        eval_steps: steps between evaluations, which are also the points to resume from.
        validation_passages: that choose the checkpoint, from the start of the file.
        dtype: of the saved weights.
        data_credit: lines for the card, a data set each; none is the names of the files.
        base_credit: what the card says of the base model; none is its name.
    """

    model: str
    train_files: Sequence[str]
    validation_file: str
    output_dir: str
    test_file: str | None = None
    unanswered: float = 0.4
    epochs: float = 2.0
    learning_rate: float = 1e-4
    batch: int = 16
    max_tokens: int = 384
    eval_steps: int = 1000
    validation_passages: int = 300
    bf16: bool = True
    seed: int = 17
    dtype: str = "float16"
    resume: bool = True
    data_credit: Sequence[str] = field(default_factory=tuple)
    base_credit: str = ""


@dataclass(frozen=True)
class ReaderQuality:
    """Figures of a reader on data that it was not trained on, all from 0 to 1.

    Attributes:
        answered_f1: token F1 of the answers to questions that have one.
        answered: how many questions that is.
        unanswered_right: share of the questions without an answer for which it finds none; NaN without such questions.
        unanswered: how many questions that is.
        f1: mean over all questions, finding none being right or wrong.
        exact: share of all questions answered exactly.
    """

    answered_f1: float
    answered: int
    unanswered_right: float
    unanswered: int
    f1: float
    exact: float


def train_reader(recipe: ReaderRecipe) -> Path:
    """Train, keep the checkpoint with the lowest validation loss, measure it, and write its folder and card.

    Killed at any moment and run again with the same recipe, it goes on from its last evaluation.

    Returns:
        The folder of the reader.

    Raises:
        FileNotFoundError: a data file is not there.
        ValueError: the data, an option or the base model is wrong, or the folder holds another recipe's checkpoints.
    """
    _check(recipe)
    set_seed(recipe.seed)
    output = Path(recipe.output_dir)
    passages = [passage for name in recipe.train_files for passage in read_passages(name, unanswerable=True)]
    validation = read_passages(recipe.validation_file, split="validation", unanswerable=True)
    test = read_passages(recipe.test_file, split="validation", unanswerable=True) if recipe.test_file else None
    model, tokenizer = load_base(
        AutoModelForQuestionAnswering,
        recipe.model,
        num_labels=2,  # an answer's start and its end, however many the base had for another task
        ignore_mismatched_sizes=True,
    )
    tokenizer.padding_side = tokenizer.truncation_side = "right"  # as places in a row are counted
    check_length(recipe.max_tokens, longest_input(model, tokenizer))
    rows = [
        reader_rows(
            list(asked_questions(some, recipe.unanswered, random.Random(recipe.seed))), tokenizer, recipe.max_tokens
        )
        for some in (passages, validation[: recipe.validation_passages])
    ]
    trainer = Trainer(
        model,
        training_arguments(recipe, output / "checkpoints", "eval_loss", higher_is_better=False),
        train_dataset=rows[0],
        eval_dataset=rows[1],
        data_collator=DataCollatorWithPadding(tokenizer),
        processing_class=tokenizer,
    )
    data = [passages, validation[: recipe.validation_passages]]
    trainer.train(resume_from_checkpoint=prepare_checkpoints(output / "checkpoints", recipe, data))
    tokenizer.model_max_length = recipe.max_tokens  # what it was trained to read
    save(model.to(getattr(torch, recipe.dtype)), tokenizer, output)
    reader = load_reader(str(output), device=model.device)
    names = _short_names([recipe.validation_file, *([recipe.test_file] if recipe.test_file else [])])
    measured = {names[0]: measure_reader(reader, validation)}
    if test:
        measured[names[1]] = measure_reader(reader, test)

    from trainer_ext.recipes.reader.card import write_card

    write_card(output, recipe, measured, trainer.state, passages)
    return output


def measure_reader(reader: Reader, passages: Sequence[Passage]) -> ReaderQuality:
    """Let it answer every question of the passages; of several accepted answers the nearest counts.

    Raises:
        ValueError: there are none.
    """
    rows = [(pair, passage.text) for passage in passages for pair in passage.pairs]
    if not rows:
        raise ValueError("There are no questions to measure a reader on.")
    found = reader.read([pair.question for pair, _ in rows], [text for _, text in rows])
    f1 = [
        max((token_f1(one.answer, gold) for gold in pair.answers), default=float(not one.answer))
        for (pair, _), one in zip(rows, found, strict=True)
    ]
    exact = [
        any(squad_words(one.answer) == squad_words(gold) for gold in pair.answers) if pair.answers else not one.answer
        for (pair, _), one in zip(rows, found, strict=True)
    ]
    has = [bool(pair.answers) for pair, _ in rows]
    answered = [score for score, yes in zip(f1, has, strict=True) if yes]
    others = [score for score, yes in zip(f1, has, strict=True) if not yes]
    return ReaderQuality(
        answered_f1=sum(answered) / len(answered) if answered else float("nan"),
        answered=len(answered),
        unanswered_right=sum(others) / len(others) if others else float("nan"),
        unanswered=len(others),
        f1=sum(f1) / len(f1),
        exact=sum(exact) / len(exact),
    )


def _short_names(files: Sequence[str]) -> list[str]:
    """The last parts of the files' paths, as few as tell them apart."""
    paths = [Path(name).parts for name in files]
    depths = range(1, max(map(len, paths)) + 1)
    depth = next(d for d in depths if len({path[-d:] for path in paths}) == len(set(paths)))
    return [str(Path(*path[-depth:])) for path in paths]


def _check(recipe: ReaderRecipe) -> None:
    """Refuse before the data are read what would fail after."""
    if not 0 <= recipe.unanswered <= 1:
        raise ValueError(f"unanswered is {recipe.unanswered}: give a share from 0 to 1.")
    check_recipe(recipe, ("batch", "eval_steps", "validation_passages"))
