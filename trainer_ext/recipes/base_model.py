"""The model that a recipe begins with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from quals.loading import Kind, load_checkpoint
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

_BASE = Kind("base model", "Give the folder or Hub name of a model with its tokenizer, its weights as safetensors.")


def load_base(
    auto_class: Any,
    name: str,
    unfit: Callable[[PretrainedConfig], str | None] = lambda config: None,
    *,
    new_head: bool = False,
    **options: Any,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model, in float32 on the CPU, and tokenizer.

    Args:
        auto_class: class of transformers that makes the model.
        name: folder or Hub name.
        unfit: says of a config why the recipe cannot use such a model; None where it can.
        new_head: whether the head is trained anew, so that its weights need not be there.
        **options: arguments of its ``from_pretrained``, such as ``num_labels``.

    Raises:
        CheckpointError: the model is unfit, its files cannot be read, or weights are missing.
    """

    def check(config: PretrainedConfig) -> None:
        if reason := unfit(config):
            raise _BASE.refused(name, reason)

    return load_checkpoint(
        auto_class, name, _BASE, check, revision=None, device="cpu", dtype=torch.float32, new_head=new_head, **options
    )
