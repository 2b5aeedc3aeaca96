"""The whole recipe: from question-answer files and a seq2seq checkpoint to a QAGen folder with its card."""

from __future__ import annotations

import math
import random
from pathlib import Path

from datasets import Dataset, concatenate_datasets
from quals.attention import share_encoder_states
from quals.checkpoint import QAGen, fuse_activations
from quals.errors import DataError, OptionError
from quals.loading import longest_input, model_fingerprint
from transformers import (
    AutoModelForSeq2SeqLM,
    PretrainedConfig,
    PreTrainedTokenizerBase,
    Seq2SeqTrainingArguments,
    set_seed,
)

from trainer_ext.recipes.base_model import load_base
from trainer_ext.recipes.checkpoints import prepare_checkpoints, save_trained
from trainer_ext.recipes.checks import check_length, check_recipe
from trainer_ext.recipes.qa_data import Passage, read_passages
from trainer_ext.recipes.qagen.batches import LONGEST_TARGET, encode_examples
from trainer_ext.recipes.qagen.card import write_card, write_questioner_card
from trainer_ext.recipes.qagen.contrast import as_statement_rows, statement_rows
from trainer_ext.recipes.qagen.examples import first_answers, make_examples
from trainer_ext.recipes.qagen.quality import measure_quality
from trainer_ext.recipes.qagen.questioner_quality import measure_questioner
from trainer_ext.recipes.qagen.recipe import QAGenRecipe
from trainer_ext.recipes.qagen.separator import QUESTION_FIRST, add_separator
from trainer_ext.recipes.qagen.trainer import QAGenTrainer
from trainer_ext.recipes.statements import read_statements, without_conflicts
from trainer_ext.recipes.training import common_arguments, with_precision


def train_qagen(recipe: QAGenRecipe) -> Path:
    """Train, keep the checkpoint with the best validation log-likelihood, measure it, and write its folder and card.

    If the process is killed, the same recipe continues from the last evaluation.

    Returns:
        The folder of the QAGen.

    Raises:
        DataError: a data file cannot be read, or leaves nothing to train on.
        OptionError: an option does not suit the base model, or the folder holds another recipe's checkpoints.
        CheckpointError: the base model cannot be used.
    """
    check_recipe(recipe)
    recipe = with_precision(recipe)
    set_seed(recipe.seed)
    model, tokenizer = load_base(AutoModelForSeq2SeqLM, recipe.model, _unfit)
    fuse_activations(model)
    check_length(recipe.max_tokens, longest_input(model, tokenizer))
    statements = without_conflicts(read_statements(recipe.statement_files))
    if statements and getattr(model.config, QUESTION_FIRST, None) is None:
        raise OptionError(
            f"{recipe.model} is not a QAGen, and only a QAGen can ask for pairs of statements: train it without "
            "--statement-file first, and give the folder of what comes out."
        )
    if statements and recipe.answer_first:
        raise OptionError(
            "Statements train a QAGen, which writes questions first, and --answer-first trains a question generator. "
            "Leave out one of the two."
        )
    separator_id = add_separator(model, tokenizer, recipe.answer_first)

    passages = [passage for name in recipe.train_files for passage in read_passages(name)]
    validation = read_passages(recipe.validation_file, split="validation")
    train_rows = concatenate_datasets(
        [_pass(recipe, passages, number, tokenizer, separator_id) for number in range(math.ceil(recipe.epochs))]
    )
    validation_rows = encode_examples(
        first_answers(validation[: recipe.validation_passages]),
        tokenizer,
        separator_id,
        recipe.max_tokens,
        answer_first=recipe.answer_first,
    )
    for rows, use in ((train_rows, "train on"), (validation_rows, "validate with")):
        if not len(rows):
            raise DataError(
                f"There is no pair to {use}: each has more than {LONGEST_TARGET} tokens with its answer, or its answer "
                f"lies behind the first {recipe.max_tokens} of the passage. Give shorter ones, or more max_tokens."
            )

    if statements:
        longest = longest_input(model, tokenizer)
        share_encoder_states(model)
        qagen = QAGen(model.eval(), tokenizer, separator_id, longest, model_fingerprint(model, tokenizer))
        told, held_out = statement_rows(statements, qagen, recipe)
        train_rows = concatenate_datasets([as_statement_rows(train_rows), told])
        validation_rows = concatenate_datasets([as_statement_rows(validation_rows), held_out])

    trainer = QAGenTrainer(
        model,
        _arguments(recipe),
        tokens_per_batch=recipe.tokens_per_batch,
        contrast_weight=recipe.contrast_weight,
        rank_weight=recipe.rank_weight,
        train_dataset=train_rows,
        eval_dataset=validation_rows,
        processing_class=tokenizer,
    )
    trainer.train(resume_from_checkpoint=prepare_checkpoints(recipe, [passages, validation, *statements]))
    questioner = None
    if recipe.answer_first:
        questioner = measure_questioner(model, tokenizer, separator_id, validation, recipe.max_tokens)
    model.set_attn_implementation("sdpa")
    output = save_trained(model, tokenizer, recipe)
    if questioner is not None:
        write_questioner_card(recipe, questioner, trainer.state, passages)
    else:
        write_card(recipe, measure_quality(str(output), validation), trainer.state, passages, statements)
    return output


def _unfit(config: PretrainedConfig) -> str | None:
    return None if config.is_encoder_decoder else f"a {config.model_type} model is not an encoder-decoder"


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


def _arguments(recipe: QAGenRecipe) -> Seq2SeqTrainingArguments:
    return Seq2SeqTrainingArguments(
        **common_arguments(recipe, "eval_loss", higher_is_better=False),
        num_train_epochs=1,  # the training rows hold one pass after another, each with shapes of its own
        warmup_steps=recipe.warmup_steps,
        gradient_accumulation_steps=recipe.accumulation,
        max_grad_norm=1.0,
        optim="adamw_torch_fused",
        label_smoothing_factor=recipe.label_smoothing,
        accelerator_config={"even_batches": False},
    )
