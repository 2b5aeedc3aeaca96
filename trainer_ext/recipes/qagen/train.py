"""The whole recipe: from question-answer files and a seq2seq checkpoint to a QAGen folder with its card."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, concatenate_datasets
from transformers import (
    AutoModelForSeq2SeqLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Seq2SeqTrainingArguments,
    set_seed,
)

from trainer_ext.recipes.base_model import load_base
from trainer_ext.recipes.checkpoints import prepare_checkpoints, save
from trainer_ext.recipes.checks import check_recipe
from trainer_ext.recipes.qa_data import Example, Passage, make_examples, read_passages
from trainer_ext.recipes.qagen.batches import LONGEST_TARGET, encode_examples
from trainer_ext.recipes.qagen.trainer import QAGenTrainer, add_separator
from trainer_ext.recipes.training import check_length


@dataclass(frozen=True)
class QAGenRecipe:
    """What to train, on what, for how long.

    Attributes:
        model: folder or Hub name of a seq2seq checkpoint.
        train_files: question-answer data, see :func:`~trainer_ext.recipes.qa_data.read_passages`; ``FILE?a=b``
            keeps the rows whose field ``a`` is ``b``; of a named data set its train split.
        validation_file: likewise; chooses the checkpoint that is kept; of a named data set its validation split.
        output_dir: the QAGen goes here, its training checkpoints into ``checkpoints/`` below.
        epochs: passes over the data; of the last, where it is no whole one, a share of what it would show.
        learning_rate: peak of AdamW's, reached after ``warmup_steps``, then falling linearly to 0.
        tokens_per_batch: source tokens, and target tokens, in a batch.
        accumulation: batches in one optimiser step.
        max_tokens: longest passage in tokens; longer ones are cut.
        eval_steps: optimiser steps between evaluations, which are also the points to resume from.
        validation_passages: passages that choose the checkpoint, from the start of the file.
        dtype: of the saved weights, ``float32`` or ``float16``.
        answer_first: write the answer before the question: a question generator, which QAGS uses, and no QAGen.
        data_credit: lines for the card, a data set each; none is the names of the files.
        base_credit: what the card says of the base model; none is its name.
    """

    model: str
    train_files: Sequence[str]
    validation_file: str
    output_dir: str
    epochs: float = 2
    learning_rate: float = 5e-4
    warmup_steps: int = 300
    tokens_per_batch: int = 2048
    accumulation: int = 1
    max_tokens: int = 512
    label_smoothing: float = 0.0
    eval_steps: int = 400
    validation_passages: int = 600
    bf16: bool = True
    seed: int = 17
    dtype: str = "float16"
    resume: bool = True
    answer_first: bool = False
    data_credit: Sequence[str] = field(default_factory=tuple)
    base_credit: str = ""


def train_qagen(recipe: QAGenRecipe) -> Path:
    """Train, keep the checkpoint with the best validation log-likelihood, measure it, and write its folder and card.

    Killed at any moment and run again with the same recipe, it goes on from its last evaluation.

    Returns:
        The folder of the QAGen.

    Raises:
        FileNotFoundError: a data file is not there.
        ValueError: the data, an option or the base model is wrong, or the folder holds another recipe's checkpoints.
    """
    _check(recipe)
    set_seed(recipe.seed)
    output = Path(recipe.output_dir)
    model, tokenizer = load_base(AutoModelForSeq2SeqLM, recipe.model)
    # T5's positions are relative, and nothing says how long its texts may be.
    check_length(recipe.max_tokens, getattr(model.config, "max_position_embeddings", None) or recipe.max_tokens)
    separator_id = add_separator(model, tokenizer, recipe.answer_first)

    passages = [passages for name in recipe.train_files for passages in _read(name)]
    validation = _read(recipe.validation_file, split="validation")
    train_rows = concatenate_datasets(
        [_pass(recipe, passages, number, tokenizer, separator_id) for number in range(math.ceil(recipe.epochs))]
    )
    # Every pair with its first answer, which is what a QAGen is measured by.
    chosen = validation[: recipe.validation_passages]
    examples = [Example(p.text, tuple((pair.question, pair.answers[0]) for pair in p.pairs)) for p in chosen]
    validation_rows = encode_examples(
        examples, tokenizer, separator_id, recipe.max_tokens, answer_first=recipe.answer_first
    )
    for rows, use in ((train_rows, "train on"), (validation_rows, "validate with")):
        if not len(rows):
            raise ValueError(
                f"There is no pair to {use}: with its answer each has more than {LONGEST_TARGET} tokens, or the answer "
                f"stands behind the first {recipe.max_tokens} of its passage. Give shorter ones, or more max_tokens."
            )

    trainer = QAGenTrainer(
        model,
        _arguments(recipe, output / "checkpoints"),
        tokens_per_batch=recipe.tokens_per_batch,
        train_dataset=train_rows,
        eval_dataset=validation_rows,
        processing_class=tokenizer,
    )
    trainer.train(resume_from_checkpoint=prepare_checkpoints(output / "checkpoints", recipe, [passages, validation]))

    if recipe.answer_first:
        from trainer_ext.recipes.qagen.questioner_card import write_card as write_questioner_card
        from trainer_ext.recipes.qagen.questioner_quality import measure_questioner

        measured = measure_questioner(model, tokenizer, separator_id, validation, recipe.max_tokens)
        _save(model, tokenizer, output, recipe.dtype, recipe.max_tokens)
        write_questioner_card(output, recipe, measured, trainer.state, passages)
        return output
    _save(model, tokenizer, output, recipe.dtype, recipe.max_tokens)
    from trainer_ext.recipes.qagen.card import write_card
    from trainer_ext.recipes.qagen.quality import measure_quality

    quality = measure_quality(str(output), validation)
    write_card(output, recipe, quality, trainer.state, passages)
    return output


def _read(name: str, split: str = "train") -> list[Passage]:
    source, _, condition = name.partition("?")
    parts = [part.partition("=") for part in condition.split("&")] if condition else []
    if any(not equals for _, equals, _ in parts):
        raise ValueError(f"{name!r}: the condition {condition!r} is not of the form FIELD=VALUE; write it so.")
    return read_passages(source, {field: value for field, _, value in parts}, split)


def _check(recipe: QAGenRecipe) -> None:
    """Refuse before the data are read what would fail after."""
    if not 0 <= recipe.label_smoothing < 1:
        raise ValueError(f"label_smoothing is {recipe.label_smoothing}: give 0 or more, and less than 1.")
    config = check_recipe(recipe, ("tokens_per_batch", "accumulation", "eval_steps", "validation_passages"))
    if not config.is_encoder_decoder:
        raise ValueError(
            f"{recipe.model!r} is a {config.model_type} model, and a QAGen is an encoder-decoder: give a BART, T5 or "
            "Pegasus checkpoint."
        )


def _pass(
    recipe: QAGenRecipe, passages: list[Passage], number: int, tokenizer: PreTrainedTokenizerBase, separator_id: int
) -> Dataset:
    texts = tokenizer([p.text for p in passages], split_special_tokens=True, verbose=False)["input_ids"]
    lengths = [len(ids) for ids in texts]
    rng = random.Random(f"{recipe.seed}-{number}")
    examples = list(make_examples(passages, lengths, rng, max_tokens=recipe.max_tokens))
    if (share := recipe.epochs - number) < 1:
        examples = rng.sample(examples, max(1, round(share * len(examples))))
    return encode_examples(examples, tokenizer, separator_id, recipe.max_tokens, answer_first=recipe.answer_first)


def _arguments(recipe: QAGenRecipe, folder: Path) -> Seq2SeqTrainingArguments:
    settings: dict[str, Any] = {"use_cpu": not torch.cuda.is_available()}
    return Seq2SeqTrainingArguments(
        output_dir=str(folder),
        num_train_epochs=1,  # the passes lie one after another in the training rows, each with its own shapes
        learning_rate=recipe.learning_rate,
        warmup_steps=recipe.warmup_steps,
        lr_scheduler_type="linear",
        gradient_accumulation_steps=recipe.accumulation,
        max_grad_norm=1.0,
        weight_decay=0.01,
        optim="adamw_torch_fused",
        label_smoothing_factor=recipe.label_smoothing,
        bf16=recipe.bf16,
        eval_strategy="steps",
        save_strategy="steps",
        eval_steps=recipe.eval_steps,
        save_steps=recipe.eval_steps,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        logging_steps=50,
        report_to="none",
        seed=recipe.seed,
        accelerator_config={"even_batches": False},
        **settings,
    )


def _save(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, output: Path, dtype: str, max_tokens: int
) -> None:
    model.set_attn_implementation("sdpa")
    tokenizer.model_max_length = max_tokens  # what it was trained to read
    save(model.to(getattr(torch, dtype)), tokenizer, output)
