"""What a decoder generated: tokens, estimates of their log-probabilities, and exact ones where they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .groups import FloatArray, IntArray
from .matmul import fast_products
from .projection import OutputProjection


@dataclass(frozen=True)
class Step:
    """What the groups of all texts chose at one step.

    Attributes:
        ids: ``(B, G)``, -1 where the group had ended.
        log_probs: ``(B, G)``, perhaps estimates.
        rows: ``(B, G)``, each group's decoder row.
        hidden: ``(R, d)``, the states of the rows; none where the log-probabilities are exact.
    """

    ids: IntArray
    log_probs: FloatArray
    rows: IntArray
    hidden: Tensor | None


class Generated:
    """Sequences of B texts, ``num_groups`` each.

    Attributes:
        token_ids: by text and group, without the decoder's start token; the end of sequence is the last.
        estimates: natural log-probabilities of the tokens, without the penalty; close, but not always exact.
    """

    def __init__(self, projection: OutputProjection, steps: Sequence[Step]) -> None:
        self._projection, self._steps = projection, steps
        ids = np.stack([step.ids for step in steps], -1)  # (B, G, T)
        lengths = (ids >= 0).sum(-1).tolist()  # [B][G]
        self.token_ids = _cut(ids, lengths)
        self.estimates = _cut(np.stack([step.log_probs for step in steps], -1), lengths)

    @torch.inference_mode()
    def log_probs(self, wanted: Sequence[Sequence[int]]) -> list[list[tuple[float, ...]]]:
        """Exact log-probabilities of some sequences' tokens.

        They need the whole vocabulary, which the choices do not. So they are computed where they are asked for.

        Args:
            wanted: groups of each text.

        Returns:
            For each text and wanted group, one per token.
        """
        asked = [(text, group) for text, groups in enumerate(wanted) for group in groups]
        scored = {at: self.estimates[at[0]][at[1]] for at in asked}
        states = [step.hidden for step in self._steps if step.hidden is not None]
        if states and asked:
            first = list(accumulate(map(len, states), initial=0))
            steps = [(at, step) for at in asked for step in range(len(scored[at]))]
            rows = np.array([first[step] + self._steps[step].rows[at] for at, step in steps])
            seen, places = np.unique(rows, return_inverse=True)
            hidden = torch.cat(states)[torch.from_numpy(seen).to(states[0].device)]  # (n, d)
            tokens = torch.tensor([self._steps[step].ids[at] for at, step in steps], device=hidden.device)
            with fast_products(self._projection.model):
                exact = self._projection.log_probs(hidden, torch.from_numpy(places).to(hidden.device), tokens)
            known = iter(exact.tolist())
            scored = {at: tuple(islice(known, len(estimates))) for at, estimates in scored.items()}
        return [[scored[text, group] for group in groups] for text, groups in enumerate(wanted)]


def _cut(values: NDArray[Any], lengths: list[list[int]]) -> list[list[tuple[Any, ...]]]:
    """``(B, G, T)`` as lists, each sequence of its length."""
    return [
        [tuple(sequence[:length]) for sequence, length in zip(sequences, own, strict=True)]
        for sequences, own in zip(values.tolist(), lengths, strict=True)
    ]
