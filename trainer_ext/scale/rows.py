"""The work itself: scores of some rows, as the columns that the output adds. A pool sends it to its workers whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from quals import QualsResult, QualsScorer
from quals.errors import DataError, QualsError


@dataclass(frozen=True)
class SomeRows:
    """Rows that are scored together.

    Args:
        name: where they come from, for messages.
        places: each row's place there, from 0.
        sources, summaries: their texts.
    """

    name: str
    places: Sequence[int]
    sources: Sequence[str]
    summaries: Sequence[str]


@dataclass(frozen=True)
class ScoreRows:
    """Scores rows.

    Args:
        scorer: what scores.
        explain: add each row's question-answer pairs.
        token_log_probs: add the log-probabilities of the pairs' tokens too.
    """

    scorer: QualsScorer
    explain: bool = False
    token_log_probs: bool = False

    @property
    def columns(self) -> dict[str, Any]:
        """What the output adds, see :func:`added_columns`."""
        calibrated = self.scorer.calibration is not None
        return added_columns(self.explain, self.token_log_probs, self.scorer.weighting, calibrated)

    def to(self, device: str) -> None:
        """Move the models."""
        self.scorer.to(device)

    def __call__(self, rows: SomeRows) -> list[dict[str, Any]]:
        """The added columns of each row, as plain JSON values.

        Raises:
            DataError: a row cannot be scored; the message names it.
        """
        try:
            return self._score(rows.sources, rows.summaries)
        except (QualsError, MemoryError, ChildProcessError):
            raise
        except Exception as error:
            for place, source, summary in zip(rows.places, rows.sources, rows.summaries, strict=True):
                try:
                    self._score([source], [summary])
                except Exception as own:
                    raise DataError(
                        f"{rows.name}, row {place + 1}: it cannot be scored ({type(own).__name__}: {own}); correct the "
                        "row, or take it out."
                    ) from error
            raise  # no row is at fault alone: too little memory for all of them, say

    def _score(self, sources: Sequence[str], summaries: Sequence[str]) -> list[dict[str, Any]]:
        return [self._columns(result) for result in self.scorer.score(sources, summaries, progress=False)]

    def _columns(self, result: QualsResult) -> dict[str, Any]:
        values = result.to_dict(self.token_log_probs)
        left_out = {"pairs": not self.explain, "probability": self.scorer.calibration is None}
        return {"quals": values.pop("score"), **{name: v for name, v in values.items() if not left_out.get(name)}}


def added_columns(
    explain: bool, token_log_probs: bool, weighting: str = "tokens", calibrated: bool = False
) -> dict[str, Any]:
    """The columns that the output adds, in order, with their types in parquet."""
    from datasets import Value

    numbers = [Value("float64")]
    pair: dict[str, Any] = {"question": Value("string"), "answer": Value("string")}
    pair |= {"start": Value("int64"), "end": Value("int64"), "score": Value("float64")}
    pair |= {"log_likelihood_summary": Value("float64"), "log_likelihood_source": Value("float64")}
    if token_log_probs:
        pair |= {"tokens": [Value("string")]}
        pair |= {"token_log_probs_summary": numbers, "token_log_probs_source": numbers}
        pair |= {"answer_tokens": Value("int64")}
        pair |= {"token_log_probs_nothing": numbers} if weighting == "information" else {}
    columns: dict[str, Any] = {"quals": Value("float64")}
    columns |= {"probability": Value("float64")} if calibrated else {}
    columns |= {"num_pairs": Value("int64"), "source_windows": Value("int64"), "source_truncated": Value("bool")}
    columns |= {"summary_truncated": Value("bool")}
    return columns | ({"pairs": [pair]} if explain else {})
