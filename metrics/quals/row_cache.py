"""Keys and values of decoder rows that branch and end at every step, copied once per step.

transformers' own cache copies all of it when rows are chosen, and again when a token is added.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import Cache
from transformers.cache_utils import DynamicLayer

_SPARE = 4  # steps that there is room for


def row_cache() -> Cache:
    """A cache whose ``batch_select_indices`` and ``update`` are fast for one token at a time."""
    return Cache(layer_class_to_replicate=_RowLayer)


class _RowLayer(DynamicLayer):
    """Keeps ``(R, H, room, D)`` with room for more steps, so that a step is added in place."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._steps = 0
        self._memory: tuple[Tensor, ...] = ()

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Add one step, ``(R, H, 1, D)``, and give out all, ``(R, H, steps, D)``."""
        rows, heads, _one, width = key_states.shape
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._memory = tuple(key_states.new_empty(rows, heads, 0, width) for _ in range(2))
        if self._steps == self._memory[0].shape[2]:
            room = key_states.new_empty(rows, heads, _SPARE, width)
            self._memory = tuple(torch.cat([memory, room], 2) for memory in self._memory)
        for memory, states in zip(self._memory, (key_states, value_states), strict=True):
            memory[:, :, self._steps] = states[:, :, 0]
        self._steps += 1
        self.keys, self.values = (memory[:, :, : self._steps] for memory in self._memory)
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep these rows, in this order; a row may be kept more than once."""
        self._memory = tuple(memory.index_select(0, indices) for memory in self._memory)

    def get_seq_length(self) -> int:
        """Steps so far."""
        return self._steps
