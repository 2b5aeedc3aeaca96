"""Three training steps on the same positives: plain likelihood, ours, and two full passes of the model."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForSeq2SeqLM, PreTrainedModel, Seq2SeqTrainer, Seq2SeqTrainingArguments

from trainer_ext import ContrastiveSeq2SeqTrainer, ContrastiveSeq2SeqTrainingArguments
from trainer_ext.losses import likelihoods
from trainer_ext.objective import Counts
from trainer_ext.one_pass import decoder_inputs, shared_states, target_rows


@dataclass(frozen=True)
class Shape:
    """Sizes of a batch: documents, source tokens, target tokens, negatives per document."""

    documents: int
    source: int
    target: int
    negatives: int = 1


def random_batch(shape: Shape, vocabulary: int) -> dict[str, Tensor]:
    """Random tokens of full length, so that padding favours no way."""
    generator = torch.Generator().manual_seed(0)

    def tokens(*size: int) -> Tensor:
        return torch.randint(4, vocabulary, size, generator=generator)

    ids = tokens(shape.documents, shape.source)
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "labels": tokens(shape.documents, shape.target),
        "candidate_labels": tokens(shape.documents, shape.negatives, shape.target),
        "candidate_scores": torch.full((shape.documents, shape.negatives), math.nan),
    }


def load(model: str) -> PreTrainedModel:
    """The model to train, in float32."""
    return AutoModelForSeq2SeqLM.from_pretrained(model, dtype=torch.float32, trust_remote_code=False)


class TwoPasses(ContrastiveSeq2SeqTrainer):
    """The straightforward way: one full pass of the model for the positives, and one for every negative."""

    def _contrastive_loss(self, model: Any, inputs: dict[str, Any], total: Counts | None, monitor: Any) -> Tensor:
        targets = target_rows(inputs["labels"], inputs["candidate_labels"])  # (B, 1 + K, T)
        logits = []
        for row in range(targets.shape[1]):
            ids = decoder_inputs(model, targets[:, row : row + 1])
            source = {name: inputs[name] for name in ("input_ids", "attention_mask")}
            logits.append(model(**source, decoder_input_ids=ids, use_cache=False).logits)
        scored = likelihoods(torch.stack(logits, 1), targets, inputs["candidate_scores"])
        counts = Counts.of(inputs["labels"], inputs["candidate_labels"])
        return self.training_objective.value(*self.training_objective.parts(scored), total or counts)


def make_step(way: str, model: PreTrainedModel, batch: dict[str, Tensor]) -> Callable[[], float]:
    """A whole step (forward, backward, AdamW) of ``plain``, ``ours`` or ``two passes``; it returns the loss."""
    folder = tempfile.mkdtemp()
    common: dict[str, Any] = {
        "output_dir": folder,
        "report_to": "none",
        "use_cpu": not torch.cuda.is_available(),
        "disable_tqdm": True,
    }
    trainer: Seq2SeqTrainer
    if way == "plain":
        trainer = Seq2SeqTrainer(model, Seq2SeqTrainingArguments(**common))
        batch = {name: value for name, value in batch.items() if not name.startswith("candidate_")}
        counts = (batch["labels"] != -100).sum()
    else:
        kind = ContrastiveSeq2SeqTrainer if way == "ours" else TwoPasses
        trainer = kind(model, ContrastiveSeq2SeqTrainingArguments(**common, label_smoothing_factor=0.0))
        counts = torch.stack(Counts.of(batch["labels"], batch["candidate_labels"])).float()
    trainer.create_optimizer()
    optimizer: Any = trainer.optimizer

    def step() -> float:
        loss = trainer.training_step(model, dict(batch), counts)
        optimizer.step()
        optimizer.zero_grad()
        return float(loss)

    if way == "ours":
        sharing = shared_states(model)  # as train() does once for all its steps
        trainer._shares_encoder_states = sharing.__enter__()  # type: ignore[attr-defined]
        return partial(_inside, sharing, step)
    return step


def _inside(sharing: AbstractContextManager[bool], step: Callable[[], float]) -> float:
    """A step within ``sharing``, which stays open as long as the step is kept, because leaving it would undo it."""
    return step()


def only_load(model: str) -> None:
    """Load the model and nothing more: the memory that :func:`two_steps` is compared with."""
    load(model)


def two_steps(model: str, shape: Shape, way: str) -> None:
    """Load the model and take two steps; the optimiser's state exists from the first one on."""
    loaded = load(model)
    step = make_step(way, loaded, random_batch(shape, loaded.config.vocab_size))
    for _ in range(2):
        step()
