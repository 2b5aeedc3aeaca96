"""The model that a recipe begins with."""

from __future__ import annotations

from typing import Any

import torch
from quals.loading import first_line
from safetensors import SafetensorError
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase


def load_base(auto_class: Any, name: str, **options: Any) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model, in float32, and tokenizer.

    Args:
        auto_class: of transformers, that makes the model.
        name: folder or Hub name.
        **options: of its ``from_pretrained``, such as ``num_labels``.

    Raises:
        ValueError: the tokenizer or the weights cannot be read.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        model = auto_class.from_pretrained(name, dtype=torch.float32, use_safetensors=True, **options)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ValueError(
            f"The weights or the tokenizer of {name!r} cannot be read ({first_line(error)}): download "
            "or save the model again, its weights as safetensors."
        ) from error
    return model, tokenizer
