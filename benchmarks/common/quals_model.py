"""A QUALS by its checkpoint and dtype, which every process can load for itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from quals import QualsScorer


@dataclass(frozen=True)
class QualsModel:
    """Which QUALS ranks or judges.

    Attributes:
        checkpoint: folder or Hub name of the QAGen; None for the embedded one.
        dtype: type of the computation.
    """

    checkpoint: str | None
    dtype: str

    def load(self) -> QualsScorer:
        """The scorer, one per process.

        Raises:
            ValueError: the checkpoint cannot be loaded, or is no QAGen.
        """
        return _scorer(self)


@cache
def _scorer(model: QualsModel) -> QualsScorer:
    return QualsScorer(model.checkpoint, dtype=model.dtype)
