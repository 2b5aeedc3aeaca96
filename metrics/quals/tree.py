"""The tree of some sequences' prefixes, so that a decoder computes what they share once, in one pass.

The nodes of a tree lie in one decoder row. Each attends to its ancestors alone, and its position is its depth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from .attention import nodes_at_depths
from .hooks import hook_once
from .matmul import rounded_up

_depths: ContextVar[Tensor | None] = ContextVar("quals_depths", default=None)


class PrefixTree:
    """The prefixes of token sequences, the empty one first; parents come before their children.

    Attributes:
        tokens: last token of each node's prefix; the root's is ``start``.
        depths: its length.
        steps: different (node, next token).
        paths: for each sequence its steps, by place in ``steps``, one for each token.
    """

    def __init__(self, sequences: Sequence[Sequence[int]], start: int) -> None:
        self.tokens, self.depths, self.parents = [start], [0], [0]
        self.steps: list[tuple[int, int]] = []
        self.paths: list[list[int]] = []
        places: dict[tuple[int, int], int] = {}  # of steps
        children: dict[int, int] = {}  # of steps, by place
        for sequence in sequences:
            node, path = 0, []
            for position, token in enumerate(sequence):
                step = places.setdefault((node, token), len(self.steps))
                if step == len(self.steps):
                    self.steps.append((node, token))
                path.append(step)
                if position + 1 < len(sequence):  # nothing follows the last token, so nobody asks for its node
                    if step not in children:
                        children[step] = len(self.tokens)
                        self.tokens.append(token)
                        self.depths.append(position + 1)
                        self.parents.append(node)
                    node = children[step]
            self.paths.append(path)

    def __len__(self) -> int:
        return len(self.tokens)


def pack(trees: Sequence[PrefixTree], pad_token_id: int) -> tuple[Tensor, Tensor, Tensor]:
    """Trees as decoder rows of the same length L.

    Returns:
        Tokens ``(B, L)`` int64, depths ``(B, L)`` int64, and whom each node attends to, ``(B, 1, L, L)`` bool.
    """
    rows, longest = len(trees), rounded_up(max(map(len, trees)))
    tokens = np.full((rows, longest), pad_token_id)
    depths = np.zeros((rows, longest), int)
    attended = np.zeros((rows, 1, longest, longest), bool)
    for row, tree in enumerate(trees):
        tokens[row, : len(tree)] = tree.tokens
        depths[row, : len(tree)] = tree.depths
        own = attended[row, 0]
        for node, parent in enumerate(tree.parents):
            own[node] = own[parent]
            own[node, node] = True
        own[range(len(tree), longest), range(len(tree), longest)] = True  # attention to nothing is not a number
    return torch.from_numpy(tokens), torch.from_numpy(depths), torch.from_numpy(attended)


@contextmanager
def positions_by_depth(model: PreTrainedModel, depths: Tensor) -> Iterator[None]:
    """Inside this context the decoder's positions are ``depths``, ``(B, L)`` int64; in this thread alone.

    Raises:
        ValueError: the model's decoder has positions of another kind than those of BART, its relatives, and T5.
    """
    decoder = model.get_decoder()
    embedding = getattr(decoder, "embed_positions", None)
    if embedding is None and not hasattr(decoder, "block"):
        raise ValueError(
            f"{type(model).__name__} has positions of an unknown kind. Use a BART, T5, Pegasus, mBART or Marian "
            "checkpoint."
        )
    if embedding is not None:
        hook_once(
            embedding,
            __name__,
            lambda module: module.register_forward_pre_hook(_few_positions, with_kwargs=True),
            lambda module: module.register_forward_hook(_positions_of_depths),
        )
    token = _depths.set(depths)
    try:
        with nodes_at_depths(depths):  # T5's are in its attention
            yield
    finally:
        _depths.reset(token)


def _few_positions(
    _: torch.nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """A tree may have more nodes than the model has positions, so only those that occur are asked for."""
    depths = _depths.get()
    if depths is None:
        return None
    return arguments, {**options, "position_ids": torch.arange(int(depths.max()) + 1, device=depths.device)}


def _positions_of_depths(_: torch.nn.Module, arguments: tuple[Any, ...], positions: Tensor) -> Tensor | None:
    depths = _depths.get()
    if depths is None:
        return None
    return positions.reshape(-1, positions.shape[-1])[depths]  # (B, L, d)
