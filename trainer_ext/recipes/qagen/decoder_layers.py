"""A T5 with fewer decoder layers: faster at asking questions, and to be trained, or distilled, again."""

from __future__ import annotations

from typing import Any

from quals.errors import OptionError
from torch import nn
from transformers import T5ForConditionalGeneration


def evenly(layers: int, kept: int) -> list[int]:
    """``kept`` of so many layers at even distances, the last one among them.

    Raises:
        OptionError: ``kept`` is not between 1 and ``layers``.

    Example:
        >>> evenly(8, 4)
        [1, 3, 5, 7]
    """
    if not 1 <= kept <= layers:
        raise OptionError(f"decoder_layers is {kept}, but there are {layers} to take them from: choose 1 to {layers}.")
    return [(layer + 1) * layers // kept - 1 for layer in range(kept)]


def keep_decoder_layers(model: T5ForConditionalGeneration, kept: int) -> None:
    """Cut the decoder to ``kept`` layers at even distances. The first keeps the position biases that all layers use.

    Raises:
        OptionError: ``kept`` is more than there are, or less than 1.
    """
    blocks: list[Any] = list(model.decoder.block)
    biases = blocks[0].layer[0].SelfAttention.relative_attention_bias
    blocks = [blocks[layer] for layer in evenly(len(blocks), kept)]
    first = blocks[0].layer[0].SelfAttention
    first.has_relative_attention_bias, first.relative_attention_bias = True, biases
    for place, block in enumerate(blocks):  # a layer's number is its place in the cache
        block.layer[0].SelfAttention.layer_idx = block.layer[1].EncDecAttention.layer_idx = place
    model.decoder.block = nn.ModuleList(blocks)
    model.config.num_decoder_layers = model.decoder.config.num_layers = kept
