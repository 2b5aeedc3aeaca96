"""What the scorer returns: one score per summary, and the sentences that show why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from quals.results import one_line


@dataclass(frozen=True)
class JudgedSentence:
    """A sentence of a summary.

    Attributes:
        text: ``summary[start:end]``.
        start, end: character span in the summary.
        score: probability that the source supports it, 0 to 1; higher is more consistent.
    """

    text: str
    start: int
    end: int
    score: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"sentence": self.text, "start": self.start, "end": self.end, "score": self.score}


@dataclass(frozen=True, repr=False)
class FactCCResult:
    """FactCC of one summary.

    Attributes:
        score: mean of the sentences' scores, 0 to 1, higher is more consistent; NaN where there is no sentence.
        sentences: in the summary's order.
        source_windows: number of windows that the source was read in; 1 for a source that fits.
        source_truncated: whether the end of the source was not read.
        summary_truncated: whether the end of a sentence was not read.
    """

    score: float
    sentences: tuple[JudgedSentence, ...]
    source_windows: int
    source_truncated: bool
    summary_truncated: bool

    def __repr__(self) -> str:
        worst = sorted((sentence.score, sentence.text) for sentence in self.sentences)[:1]
        return one_line(self, self.score, "num_sentences", len(self.sentences), worst)

    @classmethod
    def of(
        cls, sentences: tuple[JudgedSentence, ...], windows: int, source_truncated: bool, summary_truncated: bool
    ) -> FactCCResult:
        """The result whose score is the mean of the sentences' scores."""
        mean = sum(sentence.score for sentence in sentences) / len(sentences) if sentences else math.nan
        return cls(mean, sentences, windows, source_truncated, summary_truncated)
