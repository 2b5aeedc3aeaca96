"""What a ranker is: something that scores summaries, higher being better, and says when its scores change."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

References = Sequence[str] | None  # None where the data have none


class Ranker(ABC):
    """Scores summaries; higher is better.

    A ranker of your own states ``name``, ``signature`` and ``_scores``; a plain function does as well, see
    :func:`trainer_ext.mining.resolve_ranker`.

    Attributes:
        name: shown to people.
        needs_reference: whether the score depends on the reference summary.
        signature: changes when scores do; loads what the ranker needs.

    Example:
        >>> class Short(Ranker):
        ...     name, signature = "short", "short-1"
        ...     def _scores(self, sources, summaries, references):
        ...         return [-len(summary.split()) for summary in summaries]
        >>> Short()(["a long text", "a long text"], ["a text", "text"])
        [-2.0, -1.0]
    """

    name: str
    needs_reference: bool = False

    @property
    @abstractmethod
    def signature(self) -> str:
        """See the class."""

    @abstractmethod
    def _scores(self, sources: list[str], summaries: list[str], references: list[str] | None) -> Any:
        """One score per summary; None or NaN where there is no score."""

    def __call__(self, sources: Sequence[str], summaries: Sequence[str], references: References = None) -> list[float]:
        """Scores of summaries.

        Args:
            sources, summaries: texts, one source per summary.
            references: one reference per summary; None where there are none.

        Returns:
            One finite score per summary, NaN where there is no score.

        Raises:
            ValueError: the ranker needs references and there are none, or it gave something other than scores.
        """
        if not summaries:
            return []
        if references is None:
            self.require_no_reference()
        given = self._scores(list(sources), list(summaries), None if references is None else list(references))
        return checked_scores(given, len(summaries), self.name)

    def to(self, device: str) -> None:  # noqa: B027 - most have no model
        """Move the ranker's models, if it has any, to another device."""

    @property
    def processes(self) -> int:
        """Number of processes that score; with more than one, calls may come from several threads."""
        return 1

    def require_no_reference(self) -> None:
        """Check that the ranker can score data without reference summaries.

        Raises:
            ValueError: the ranker needs them.
        """
        if self.needs_reference:
            raise ValueError(
                f"The ranker {self.name} compares with reference summaries, and the data have none: add labels, name a "
                "column of texts, or choose another ranker."
            )


def checked_scores(scores: Any, count: int, name: str) -> list[float]:
    """What a ranker gave, as floats; None becomes NaN.

    Args:
        scores: a list, tuple, array or tensor of numbers.
        count: number of summaries that were scored.
        name: name of the ranker, for messages.

    Raises:
        ValueError: it is not one finite number, NaN or None per summary.
    """
    scores = scores.tolist() if hasattr(scores, "tolist") else scores
    if isinstance(scores, (str, bytes, Mapping)) or not hasattr(scores, "__iter__"):
        raise ValueError(f"The ranker {name} gave {type(scores).__name__}: give a list with one score per summary.")
    scores = list(scores)
    if len(scores) != count:
        raise ValueError(f"The ranker {name} gave {len(scores)} scores for {count} summaries: give one per summary.")
    return [_number(score, name) for score in scores]


def _number(score: Any, name: str) -> float:
    if score is None:
        return math.nan
    score = score.item() if hasattr(score, "item") else score
    if isinstance(score, bool) or not isinstance(score, Real) or math.isinf(score):
        raise ValueError(f"The ranker {name} gave the score {score!r}: give a finite number, or None for no score.")
    return float(score)
