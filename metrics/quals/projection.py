"""The output projection taken out of the model, so that it is computed for the rows that matter, in slices.

A model's forward pass gives logits for every position over the whole vocabulary: hundreds of megabytes that are written
and read several times. Here the hidden states are caught before the projection. Each slice of logits is reduced to what
is wanted while it is still in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from threading import Lock
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor
from transformers import PreTrainedModel

_SLICE_BYTES = 32 * 2**20  # of float32 logits: about a last-level cache, and rows enough for a fast matrix product
_SLICE_BYTES_ON_DEVICE = 2**30

# A model is shared by all threads. So its projection is hooked once and for ever, and the hook catches for those calls
# alone that wait for hidden states, each in its own context.
_caught: ContextVar[list[Tensor] | None] = ContextVar("quals_hidden_states", default=None)
_hooked: WeakSet[torch.nn.Module] = WeakSet()
_hooking = Lock()


def _catch(_: torch.nn.Module, arguments: tuple[Tensor]) -> tuple[Tensor] | None:
    caught = _caught.get()
    if caught is None:
        return None
    caught.append(arguments[0])
    return (arguments[0][:0],)


class OutputProjection:
    """Runs ``model`` without its projection, and the projection by itself; any number of threads may do so at once."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self.head: torch.nn.Linear = model.get_output_embeddings()
        bias = getattr(model, "final_logits_bias", None)  # BART's, added after the projection; usually all zero
        self.bias: Tensor | None = bias if isinstance(bias, Tensor) and bool(bias.any()) else None
        with _hooking:
            if self.head not in _hooked:
                self.head.register_forward_pre_hook(_catch)
                _hooked.add(self.head)

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""
        return int(self.head.weight.shape[0])

    def hidden_states(self, **inputs: Any) -> Tensor:
        """What the projection would see, ``(N, T, d)``, model-specific scaling included."""
        caught: list[Tensor] = []
        token = _caught.set(caught)
        try:
            self.model(**inputs)
        finally:
            _caught.reset(token)
        return caught[0]

    def slices(self, hidden: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Float32 logits of ``(n, d)`` hidden states, a few rows at a time; the caller may overwrite them.

        Yields:
            rows, and their logits ``(rows, V)``.
        """
        budget = _SLICE_BYTES if hidden.device.type == "cpu" else _SLICE_BYTES_ON_DEVICE
        size = max(1, budget // (4 * self.vocabulary))
        for first in range(0, hidden.shape[0], size):
            rows = slice(first, first + size)
            logits = self.head(hidden[rows])  # (rows, V)
            yield rows, (logits if self.bias is None else logits + self.bias).float()


def normaliser(logits: Tensor) -> Tensor:  # (n,)
    """Log-sum-exp of each row of ``(n, V)``, computed in the memory of ``logits``, which it overwrites.

    Temporaries of this size would be fetched from the system again each time, page by page.
    """
    top = logits.amax(1, keepdim=True)  # (n, 1)
    return logits.sub_(top).exp_().sum(1).log_() + top[:, 0]
