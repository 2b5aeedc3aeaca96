"""From documents and an encoder to a consistency classifier (FactCC) with its card, by synthetic claims."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from qags.pipeline import PIPELINE, load_pipeline
from quals.loading import longest_input
from transformers import (
    AutoModelForSequenceClassification,
    DataCollatorWithPadding,
    EvalPrediction,
    PreTrainedTokenizerBase,
    Trainer,
    set_seed,
)

from trainer_ext.io.atomic import json_line, replacing
from trainer_ext.recipes.base_model import load_base
from trainer_ext.recipes.checkpoints import prepare_checkpoints, save
from trainer_ext.recipes.checks import check_recipe
from trainer_ext.recipes.factcc.claims import VERSION, Claim, make_claims
from trainer_ext.recipes.factcc.data import CONSISTENT, INCONSISTENT, LABELS, claim_rows, fitting, read_documents
from trainer_ext.recipes.factcc.spans import ClassifierWithSpans
from trainer_ext.recipes.training import check_length, training_arguments

_LENGTHS = 5  # how many times as long as the shortest the longest document is


@dataclass(frozen=True)
class FactCCRecipe:
    """What to train, on what, for how long.

    Attributes:
        model: folder or Hub name of a BERT-like encoder.
        train_files: documents to make claims about, see :func:`~trainer_ext.recipes.factcc.data.read_documents`.
        validation_file: likewise, other documents; chooses the checkpoint that is kept.
        output_dir: the classifier goes here, its training checkpoints into ``checkpoints/`` below.
        documents: documents of the training files that are used, drawn by the seed; None is all.
        pipeline: spaCy pipeline that parses the documents.
        claims_per_document: claims made of each document.
        document_words: most words of a document that are read; each is cut at a length between a fifth of it and it.
        shortened: chance that a claim leaves out parts of its sentence, as summaries do.
        epochs: passes over the claims.
        learning_rate: peak of AdamW's, reached after a tenth of the steps, then falling linearly to 0.
        span_weight: of the loss for pointing at the document's sentence and the claim's changed words, FactCCX's;
            0 trains by the labels alone.
        batch: claims in a step.
        max_tokens: of document and claim together.
        eval_steps: steps between evaluations, which are also the points to resume from.
        validation_documents: that choose the checkpoint, from the start of the file.
        dtype: of the saved weights.
        data_credit: lines for the card, a data set each; none is the names of the files.
        base_credit: what the card says of the base model; none is its name.
    """

    model: str
    train_files: Sequence[str]
    validation_file: str
    output_dir: str
    documents: int | None = None
    pipeline: str = PIPELINE
    claims_per_document: int = 4
    document_words: int = 300
    shortened: float = 0.8
    epochs: float = 2.0
    learning_rate: float = 5e-5
    span_weight: float = 1.0
    batch: int = 16
    max_tokens: int = 512
    eval_steps: int = 500
    validation_documents: int = 500
    bf16: bool = True
    seed: int = 17
    dtype: str = "float16"
    resume: bool = True
    data_credit: Sequence[str] = field(default_factory=tuple)
    base_credit: str = ""


def train_factcc(recipe: FactCCRecipe) -> Path:
    """Make claims, train, keep the checkpoint with the best balanced accuracy on unseen documents, write its card.

    Killed at any moment and run again with the same recipe, it goes on from its last evaluation.

    Returns:
        The folder of the classifier.

    Raises:
        OSError: a file cannot be read or written.
        ValueError: the data, an option, the pipeline or the base model is wrong, or the folder holds another recipe's
            checkpoints.
    """
    _check(recipe)
    set_seed(recipe.seed)
    output = Path(recipe.output_dir)
    model, tokenizer = load_base(
        AutoModelForSequenceClassification, recipe.model,
        num_labels=2, id2label=LABELS, label2id={name: label for label, name in LABELS.items()},
        ignore_mismatched_sizes=True,  # the head is trained anew, whatever an NLI model's labels were
    )  # fmt: skip
    if not tokenizer.is_fast:
        raise ValueError(f"The tokenizer of {recipe.model!r} cannot say where its tokens stand: give one that is fast.")
    tokenizer.padding_side = tokenizer.truncation_side = "right"  # places in a row stay where they are
    check_length(recipe.max_tokens, longest_input(model, tokenizer))
    validation_documents = read_documents([recipe.validation_file])[: recipe.validation_documents]
    unseen = set(validation_documents)
    documents = [text for text in read_documents(recipe.train_files) if text not in unseen]
    if recipe.documents is not None and recipe.documents < len(documents):
        documents = random.Random(recipe.seed).sample(documents, recipe.documents)
    train, validation = (
        fitting(_claims(recipe, some), tokenizer, recipe.max_tokens) for some in (documents, validation_documents)
    )
    if not train or not validation:
        raise ValueError(
            f"No claim could be made: the documents have no sentences of 5 words and {recipe.max_tokens // 2} tokens."
        )

    trainer = Trainer(
        ClassifierWithSpans(model, recipe.span_weight) if recipe.span_weight else model,
        training_arguments(recipe, output / "checkpoints", "balanced_accuracy", higher_is_better=True),
        train_dataset=claim_rows(train, tokenizer, recipe.max_tokens, spans=recipe.span_weight > 0),
        eval_dataset=claim_rows(validation, tokenizer, recipe.max_tokens),
        data_collator=DataCollatorWithPadding(tokenizer),
        processing_class=tokenizer,
        compute_metrics=_accuracies,
    )
    trainer.train(resume_from_checkpoint=prepare_checkpoints(output / "checkpoints", recipe, [train, validation]))
    quality = measure_kinds(trainer, validation, tokenizer, recipe.max_tokens)
    tokenizer.model_max_length = recipe.max_tokens  # what it was trained to read
    save(model.to(getattr(torch, recipe.dtype)), tokenizer, output)

    from trainer_ext.recipes.factcc.card import write_card

    write_card(output, recipe, quality, trainer.state, train, len(documents))
    return output


def measure_kinds(
    trainer: Trainer, claims: Sequence[Claim], tokenizer: PreTrainedTokenizerBase, max_tokens: int
) -> dict[str, tuple[float, int]]:
    """Share of the claims that are judged right, 0 to 1, and how many there are, by kind and in all.

    ``balanced`` is the mean of the shares of the consistent and of the inconsistent.
    """
    # Grouped by length, predictions would come in another order than the claims.
    trainer.args.train_sampling_strategy = "sequential"
    logits = trainer.predict(claim_rows(claims, tokenizer, max_tokens)).predictions  # (n, 2)
    judged = np.asarray(logits).argmax(-1) == CONSISTENT  # (n,)
    right = judged == np.array([claim.consistent for claim in claims])  # (n,)
    kinds = [claim.kind for claim in claims]
    found = {kind: (float(right[[k == kind for k in kinds]].mean()), kinds.count(kind)) for kind in sorted(set(kinds))}
    truth = np.array([claim.consistent for claim in claims])
    found["balanced"] = (_balanced(judged, truth), len(claims))
    return found


def _accuracies(prediction: EvalPrediction) -> dict[str, float]:
    judged = np.asarray(prediction.predictions).argmax(-1) == CONSISTENT
    return {"balanced_accuracy": _balanced(judged, np.asarray(prediction.label_ids) != INCONSISTENT)}


def _balanced(judged: np.ndarray, truth: np.ndarray) -> float:
    """Mean of the shares judged right of both truths, 0 to 1; of the one where there is only one."""
    return float(
        np.mean([(judged[truth == value] == value).mean() for value in (True, False) if (truth == value).any()])
    )


def _claims(recipe: FactCCRecipe, documents: Sequence[str]) -> list[Claim]:
    """Claims about documents, made once: parsing tens of thousands takes minutes."""
    from trainer_ext.io.hashing import hash_json

    cut = [_shortened(text, recipe) for text in documents]
    rules = (VERSION, recipe.pipeline, recipe.claims_per_document, recipe.shortened, recipe.seed)
    kept = Path(recipe.output_dir) / "checkpoints" / f"claims-{hash_json(documents=cut, rules=rules)[:16]}.jsonl"
    if kept.is_file():
        with kept.open(encoding="utf-8") as lines:
            return [Claim(**json.loads(line)) for line in lines]
    pipeline = load_pipeline(recipe.pipeline)
    made = make_claims(
        cut, pipeline, per_document=recipe.claims_per_document, seed=recipe.seed, shortened=recipe.shortened
    )
    claims = list(made)
    kept.parent.mkdir(parents=True, exist_ok=True)
    with replacing(kept) as file:
        file.writelines(json_line(asdict(claim)) for claim in claims)
    return claims


def _shortened(text: str, recipe: FactCCRecipe) -> str:
    """The document's beginning, of a length that it draws: what is learnt on short ones helps with long ones."""
    shortest = -(-recipe.document_words // _LENGTHS)
    count = random.Random(f"{recipe.seed} {text}").randint(shortest, recipe.document_words)
    return " ".join(text.split()[:count])


def _check(recipe: FactCCRecipe) -> None:
    """Refuse before the data are read what would fail after."""
    if not 0 <= recipe.span_weight < math.inf:
        raise ValueError(f"span_weight is {recipe.span_weight}: give 0 or more.")
    if not 0 <= recipe.shortened <= 1:
        raise ValueError(f"shortened is {recipe.shortened}: give a share from 0 to 1.")
    if recipe.claims_per_document < 2:
        raise ValueError(f"claims_per_document is {recipe.claims_per_document}: give 2 or more; they come in pairs.")
    config = check_recipe(recipe, ("documents", "document_words", "batch", "eval_steps", "validation_documents"))
    if config.is_encoder_decoder:
        raise ValueError(f"{recipe.model!r} is a {config.model_type} model: give an encoder alone, such as BERT.")
