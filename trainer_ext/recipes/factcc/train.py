"""From documents and an encoder to a consistency classifier (FactCC) with its card, by synthetic claims."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from qags.pipeline import load_pipeline
from quals.errors import CheckpointError, DataError
from quals.loading import longest_input
from transformers import (
    AutoModelForSequenceClassification,
    DataCollatorWithPadding,
    EvalPrediction,
    PretrainedConfig,
    PreTrainedTokenizerBase,
    Trainer,
    set_seed,
)

from trainer_ext.io.hashing import hash_json
from trainer_ext.io.keyed_file import KeyedFile
from trainer_ext.recipes.base_model import load_base
from trainer_ext.recipes.checkpoints import checkpoints_folder, prepare_checkpoints, save_trained
from trainer_ext.recipes.checks import check_length, check_recipe
from trainer_ext.recipes.documents import read_documents
from trainer_ext.recipes.factcc.card import write_card
from trainer_ext.recipes.factcc.claims import NOT_STATED, STATED, VERSION, Claim, make_claims
from trainer_ext.recipes.factcc.data import CONSISTENT, INCONSISTENT, LABELS, claim_rows, fitting
from trainer_ext.recipes.factcc.recipe import FactCCRecipe
from trainer_ext.recipes.factcc.spans import ClassifierWithSpans
from trainer_ext.recipes.statements import held_out_sources, read_statements, without_conflicts
from trainer_ext.recipes.training import encoder_arguments, with_precision

_LENGTHS = 5  # the longest document has so many times the words of the shortest


def train_factcc(recipe: FactCCRecipe) -> Path:
    """Make claims, train, keep the checkpoint with the best balanced accuracy on unseen documents, write its card.

    With ``statement_files`` it also trains on statements that are about a source each (see
    :func:`~trainer_ext.recipes.statements.read_statements`). Those about one source in 20 join the unseen.

    If the process is killed, the same recipe continues from the last evaluation.

    Returns:
        The folder of the classifier.

    Raises:
        OSError: a file cannot be read or written.
        DataError: no claim can be made of the documents.
        OptionError: an option does not suit the base model, or the folder holds another recipe's checkpoints.
        CheckpointError: the base model cannot be used.
        ValueError: the spaCy pipeline cannot be used.
    """
    check_recipe(recipe)
    recipe = with_precision(recipe)
    set_seed(recipe.seed)
    model, tokenizer = load_base(
        AutoModelForSequenceClassification,
        recipe.model,
        _unfit,
        new_head=True,  # whatever an NLI model's labels were
        num_labels=2,
        id2label=LABELS,
        label2id={name: label for label, name in LABELS.items()},
    )
    if not tokenizer.is_fast:
        raise CheckpointError(f"The tokenizer of {recipe.model!r} cannot tell where its tokens lie: give a fast one.")
    tokenizer.padding_side = tokenizer.truncation_side = "right"  # places in a row stay where they are
    check_length(recipe.max_tokens, longest_input(model, tokenizer))
    validation_documents = read_documents([recipe.validation_file])[: recipe.validation_documents]
    unseen = set(validation_documents)
    documents = [text for text in read_documents(recipe.train_files) if text not in unseen]
    if recipe.documents is not None and recipe.documents < len(documents):
        documents = random.Random(recipe.seed).sample(documents, recipe.documents)
    train, validation = (
        fitting(_claims(recipe, part, use), tokenizer, recipe.max_tokens)
        for part, use in ((documents, "train"), (validation_documents, "validation"))
    )
    told, held_out = _told_claims(recipe.statement_files)
    train += fitting(told, tokenizer, recipe.max_tokens)
    validation += fitting(held_out, tokenizer, recipe.max_tokens)
    if not train or not validation:
        raise DataError(
            f"No claim could be made: the documents have no sentences of 5 words and {recipe.max_tokens // 2} tokens."
        )

    trainer = Trainer(
        ClassifierWithSpans(model, recipe.span_weight) if recipe.span_weight else model,
        encoder_arguments(recipe, "balanced_accuracy", higher_is_better=True),
        train_dataset=claim_rows(train, tokenizer, recipe.max_tokens, spans=recipe.span_weight > 0),
        eval_dataset=claim_rows(validation, tokenizer, recipe.max_tokens),
        data_collator=DataCollatorWithPadding(tokenizer),
        processing_class=tokenizer,
        compute_metrics=_accuracies,
    )
    trainer.train(resume_from_checkpoint=prepare_checkpoints(recipe, [train, validation]))
    quality = measure_kinds(trainer, validation, tokenizer, recipe.max_tokens)
    output = save_trained(model, tokenizer, recipe)
    write_card(recipe, quality, trainer.state, train, len(documents))
    return output


def _unfit(config: PretrainedConfig) -> str | None:
    return f"a {config.model_type} model is not an encoder alone" if config.is_encoder_decoder else None


def measure_kinds(
    trainer: Trainer, claims: Sequence[Claim], tokenizer: PreTrainedTokenizerBase, max_tokens: int
) -> dict[str, tuple[float, int]]:
    """For each kind, and for all as ``balanced``: share of the claims judged right, 0 to 1, and number of claims.

    ``balanced`` is the mean of the shares of the consistent and of the inconsistent.
    """
    # transformers 5.24 groups by length in prediction too, and so returns rows in another order than the claims'.
    trainer.args.train_sampling_strategy = "sequential"
    logits = trainer.predict(claim_rows(claims, tokenizer, max_tokens)).predictions  # (n, 2)
    judged = np.asarray(logits).argmax(-1) == CONSISTENT  # (n,)
    truth = np.array([claim.consistent for claim in claims])  # (n,)
    right = judged == truth
    kinds = [claim.kind for claim in claims]
    shares = {kind: (float(right[[k == kind for k in kinds]].mean()), kinds.count(kind)) for kind in sorted(set(kinds))}
    shares["balanced"] = (_balanced(judged, truth), len(claims))
    return shares


def _accuracies(prediction: EvalPrediction) -> dict[str, float]:
    judged = np.asarray(prediction.predictions).argmax(-1) == CONSISTENT
    return {"balanced_accuracy": _balanced(judged, np.asarray(prediction.label_ids) != INCONSISTENT)}


def _balanced(judged: np.ndarray, truth: np.ndarray) -> float:
    """Mean of the shares judged right among the consistent and the inconsistent, 0 to 1, or the one that there is."""
    return float(
        np.mean([(judged[truth == value] == value).mean() for value in (True, False) if (truth == value).any()])
    )


def _claims(recipe: FactCCRecipe, documents: Sequence[str], use: str) -> list[Claim]:
    """Claims about documents, made once: parsing tens of thousands of documents takes minutes."""
    cut = [_shortened(text, recipe) for text in documents]
    rules = (VERSION, recipe.pipeline, recipe.claims_per_document, recipe.shortened, recipe.seed)
    file = KeyedFile(checkpoints_folder(recipe) / f"claims-{use}.json", hash_json(documents=cut, rules=rules))
    if (kept := file.read()) is not None:
        return [Claim(**claim) for claim in kept]
    made = make_claims(
        cut,
        load_pipeline(recipe.pipeline),
        per_document=recipe.claims_per_document,
        seed=recipe.seed,
        shortened=recipe.shortened,
    )
    claims = list(made)
    file.write([asdict(claim) for claim in claims])
    return claims


def _told_claims(files: Sequence[str]) -> tuple[list[Claim], list[Claim]]:
    """Statements of files as claims: those to train on, and those about held-out sources, to validate with."""
    statements = without_conflicts(read_statements(files))
    if not statements:
        return [], []
    kept_out = held_out_sources(statements)
    parts: tuple[list[Claim], list[Claim]] = [], []
    for one in statements:
        kind = STATED if one.consistent else NOT_STATED
        parts[one.source in kept_out].append(Claim(one.source, " ".join(one.text.split()), kind, 0, len(one.source)))
    return parts


def _shortened(text: str, recipe: FactCCRecipe) -> str:
    """The document's beginning, of a length drawn from its text: short documents are the easier ones to learn from."""
    shortest = -(-recipe.document_words // _LENGTHS)
    count = random.Random(f"{recipe.seed} {text}").randint(shortest, recipe.document_words)
    return " ".join(text.split()[:count])
