"""What the scorer returns: one score per summary, and the questions that show why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from quals.results import one_line


@dataclass(frozen=True)
class AnsweredQuestion:
    """A question about a summary, with a reader's two answers.

    Attributes:
        question: as generated.
        log_likelihood: its log-likelihood given summary and answer, in nats per token; at most 0.
        answer: the reader's answer from the summary, in plain typography (straight quotes, ...).
        source_answer: its answer from the source, likewise; empty where it finds none.
        score: token F1 of the two answers, 0 to 1, higher is more consistent.
    """

    question: str
    log_likelihood: float
    answer: str
    source_answer: str
    score: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "question": self.question,
            "answer": self.answer,
            "source_answer": self.source_answer,
            "score": self.score,
            "log_likelihood": self.log_likelihood,
        }


@dataclass(frozen=True, repr=False)
class QAGSResult:
    """QAGS of one summary.

    Attributes:
        score: mean of the questions' scores, 0 to 1, higher is more consistent; NaN where no question survives.
        questions: likely ones first.
        source_windows: number of windows that the source was read in; 1 for a source that fits.
        source_truncated: whether the end of the source was not read.
        summary_truncated: whether the end of the summary was not read by the question generator.
    """

    score: float
    questions: tuple[AnsweredQuestion, ...]
    source_windows: int
    source_truncated: bool
    summary_truncated: bool

    def __repr__(self) -> str:
        worst = sorted(self.questions, key=lambda question: question.score)[:1]
        lines = [(w.score, f"{w.question} -> {w.answer!r}, source: {w.source_answer!r}") for w in worst]
        return one_line(self, self.score, "num_questions", len(self.questions), lines)

    @classmethod
    def of(
        cls, questions: tuple[AnsweredQuestion, ...], windows: int, source_truncated: bool, summary_truncated: bool
    ) -> QAGSResult:
        """The result whose score is the mean of the questions' scores."""
        mean = sum(question.score for question in questions) / len(questions) if questions else math.nan
        return cls(mean, questions, windows, source_truncated, summary_truncated)
