"""Load a checkpoint from a folder or the Hub: nothing made up at random, no pickles, refusals that say why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from .inputs import require


@dataclass(frozen=True)
class Kind:
    """What is to be loaded, in words.

    Attributes:
        name: as in "a QAGen".
        advice: what to do where something else was given; a sentence.
    """

    name: str
    advice: str

    def refused(self, checkpoint: str, reason: str) -> ValueError:
        """The error for a checkpoint that is no such thing."""
        return ValueError(f"{checkpoint!r} is no {self.name}: {reason}. {self.advice}")


def load_checkpoint(
    auto_class: Any,
    checkpoint: str,
    kind: Kind,
    check: Callable[[Any], None],
    *,
    revision: str | None,
    device: str | torch.device,
    dtype: torch.dtype,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model, in evaluation mode, and tokenizer.

    Args:
        auto_class: of transformers, that makes the model.
        checkpoint: a folder or a Hub name.
        kind: what it should be.
        check: of the config; raises a ValueError before weights are read.
        revision: of a Hub model.
        device: where it computes.
        dtype: the weights' dtype in memory, whatever they are stored in.

    Raises:
        ValueError: the checkpoint is not to be found, or is not what it should be; the message says why and what to do.
    """
    try:
        config = AutoConfig.from_pretrained(checkpoint, revision=revision)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"No {kind.name} could be loaded from {checkpoint!r}: it is neither a folder with a readable config.json "
            f"of a model nor a model of the Hub that can be reached ({first_line(error)}). Check the path or the name."
        ) from error
    check(config)
    try:
        tokenizer = AutoTokenizer.from_pretrained(checkpoint, revision=revision)
        model, info = auto_class.from_pretrained(
            checkpoint, revision=revision, dtype=dtype, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise kind.refused(checkpoint, f"its weights or its tokenizer cannot be read ({first_line(error)})") from error
    if info["missing_keys"]:  # transformers would make them up at random
        raise kind.refused(checkpoint, f"its weights lack {', '.join(sorted(info['missing_keys'])[:3])}")
    return model.eval().to(device), tokenizer


def require_loaded_as(name: str, model: PreTrainedModel, device: str | None, dtype: str) -> None:
    """Raise a ValueError if a loaded model is not of this dtype, or not on this device.

    No device is any, and one without a number, such as ``"cuda"``, any of its type.
    """
    loaded = f"{model.dtype}".removeprefix("torch.")
    asked = torch.device(device) if device is not None else model.device
    same_place = asked.type == model.device.type and (
        None in (asked.index, model.device.index) or asked == model.device
    )
    require(
        loaded == dtype and same_place,
        f"The given {name} was loaded as {loaded} on {model.device}: ask for these, or give its name instead.",
    )


def longest_input(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Tokens that a model reads, special tokens included; 512 where nothing says how many."""
    config = model.config
    limits = [getattr(config, "max_position_embeddings", None), getattr(config, "n_positions", None)]
    for name, module in model.named_modules():  # RoBERTa and its kin count positions from behind the padding's
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            limits.append(module.num_embeddings - module.padding_idx - 1)
    if tokenizer.model_max_length < 1_000_000:  # transformers' way to say "unknown" is a huge number
        limits.append(tokenizer.model_max_length)
    return min([int(limit) for limit in limits if limit] or [512])


def first_line(error: Exception) -> str:
    """What an error says, in one line without a full stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
