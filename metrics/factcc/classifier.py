"""Find and load a consistency classifier: the embedded one, a folder, or a model of the Hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from quals.errors import CheckpointError
from quals.loading import Kind, embedded_folder, load_checkpoint, longest_input, model_fingerprint
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

EMBEDDED = "factcc-mini"
_CLASSIFIER = Kind("classifier of claims", "Give a checkpoint such as `quals train factcc` makes.")
# What classifiers of claims call the class that means: the document supports the claim.
_SUPPORTED = ("correct", "consistent", "supported", "entailment", "factual")


@dataclass(frozen=True)
class Classifier:
    """A classifier of claims against documents.

    Attributes:
        model: in evaluation mode.
        tokenizer: its tokenizer, which can say where it cuts.
        supported: the class that means: the document supports the claim.
        max_tokens: most tokens of document and claim together.
        fingerprint: hash of weights, config and tokenizer.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    supported: int
    max_tokens: int
    fingerprint: str


def load_classifier(
    checkpoint: str | None = None,
    revision: str | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Classifier:
    """Load a classifier.

    Args:
        checkpoint: a folder or a Hub name; None is the one in the metric's own folder.
        revision: branch, tag or commit of a Hub model.
        device: where it computes.
        dtype: the weights' dtype in memory.

    Raises:
        CheckpointError: there is no such checkpoint, or it is not such a classifier; the message says why and what to
            do.
    """
    name = str(_embedded()) if checkpoint is None else checkpoint
    model, tokenizer = load_checkpoint(
        AutoModelForSequenceClassification,
        name,
        _CLASSIFIER,
        lambda config: _check(_supported(config), config.num_labels, name),
        revision=revision,
        device=device,
        dtype=dtype,
    )
    tokenizer.padding_side = tokenizer.truncation_side = "right"  # windows and their order do not depend on its config
    if not tokenizer.is_fast:
        raise _CLASSIFIER.refused(name, f"its tokenizer, {type(tokenizer).__name__}, cannot say where it cuts a text")
    (supported,) = _supported(model.config)
    limit = longest_input(model, tokenizer)
    return Classifier(model, tokenizer, supported, limit, model_fingerprint(model, tokenizer))


def _embedded() -> Path:
    folder = embedded_folder(__file__, "factcc", EMBEDDED)
    if folder is None:
        raise CheckpointError(
            f"There is no {EMBEDDED} in the metric's folder: a clone of the repository has it, an installed package "
            "lacks it. Name a classifier (a folder or a model of the Hub), or train one with `quals train factcc`."
        )
    return folder


def _supported(config: Any) -> dict[int, str]:
    """The classes whose name says that the document supports the claim."""
    labels = {int(label): str(words).casefold() for label, words in (config.id2label or {}).items()}
    return {label: words for label, words in labels.items() if words in _SUPPORTED}


def _check(supported: dict[int, str], classes: int, name: str) -> None:
    if len(supported) != 1 or classes < 2:
        reason = f"of two classes or more exactly one should be called {' or '.join(_SUPPORTED)}"
        raise _CLASSIFIER.refused(name, reason)
