"""Find and load a consistency classifier: the embedded one, a folder, or a model of the Hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from quals.embedded import embedded_folder
from quals.fingerprint import fingerprint
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

EMBEDDED = "factcc-mini"
# What classifiers of claims call the class that means: the document supports the claim.
_SUPPORTED = ("correct", "consistent", "supported", "entailment", "factual")


@dataclass(frozen=True)
class Classifier:
    """A classifier of claims against documents.

    Attributes:
        model: in evaluation mode.
        tokenizer: its tokenizer, which can say where it cuts.
        supported: the class that means: the document supports the claim.
        max_tokens: of document and claim together.
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
        checkpoint: a folder or a Hub name; None is the embedded one, which only a clone of the repository has.
        revision: of a Hub model.
        device: where it computes.
        dtype: the weights' dtype in memory.

    Raises:
        ValueError: the checkpoint is not to be found, or is no such classifier; the message says why and what to do.
    """
    name = str(_embedded()) if checkpoint is None else checkpoint
    try:
        config = AutoConfig.from_pretrained(name, revision=revision)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"No classifier could be loaded from {name!r}: it is neither a folder with a readable config.json nor a "
            f"model of the Hub that can be reached ({_first_line(error)}). Check the path or the name."
        ) from error
    supported = _supported(config, name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, revision=revision)
        model, info = AutoModelForSequenceClassification.from_pretrained(
            name, revision=revision, dtype=dtype, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise _refused(name, f"its weights or its tokenizer cannot be read ({_first_line(error)})") from error
    if info["missing_keys"]:  # transformers would make them up at random
        raise _refused(name, f"its weights lack {', '.join(sorted(info['missing_keys'])[:3])}")
    if not tokenizer.is_fast:
        raise _refused(name, f"its tokenizer, {type(tokenizer).__name__}, cannot say where it cuts a text")
    limits = [getattr(config, "max_position_embeddings", 0) or 512]
    if tokenizer.model_max_length < 1_000_000:  # transformers' way to say "unknown" is a huge number
        limits.append(tokenizer.model_max_length)
    model.eval().to(device)
    return Classifier(model, tokenizer, supported, min(limits), fingerprint(model, tokenizer))


def _embedded() -> Path:
    found = embedded_folder(__file__, "factcc", EMBEDDED)
    if found is None:
        raise ValueError(
            f"The embedded classifier ({EMBEDDED}) is not beside this metric: it comes with a clone of the repository, "
            "not with the installed package. Name a classifier, a folder or a model of the Hub, or make one by "
            "`quals train-factcc`."
        )
    return found


def _supported(config: Any, name: str) -> int:
    labels = {int(label): str(words).casefold() for label, words in (config.id2label or {}).items()}
    found = [label for label, words in labels.items() if words in _SUPPORTED]
    if len(found) != 1:
        called = ", ".join(labels.values())
        raise _refused(name, f"one of its classes should be called {' or '.join(_SUPPORTED)}, and they are: {called}")
    return found[0]


def _refused(name: str, reason: str) -> ValueError:
    return ValueError(
        f"{name!r} is no classifier of claims: {reason}. Give a checkpoint that `quals train-factcc` made, say."
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
