"""What the scorer returns: a score per summary, and the question-answer pairs that show why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

WEIGHTINGS = ("tokens", "answer", "balanced")


@dataclass(frozen=True)
class ScoredPair:
    """One question-answer pair under the summary and under the source.

    Attributes:
        question, answer: as generated; ``summary[start:end]`` is the answer in the summary's own spelling.
        start, end: character span of the answer in the summary.
        log_likelihood_summary, log_likelihood_source: in nats a token (paper, equation 2); at most 0.
        tokens: question, separator, answer, end of sequence, as text.
        token_log_probs_summary, token_log_probs_source: natural log-probabilities, one for each token.
        answer_tokens: index of the first answer token in the three above.
    """

    question: str
    answer: str
    start: int
    end: int
    log_likelihood_summary: float
    log_likelihood_source: float
    tokens: tuple[str, ...]
    token_log_probs_summary: tuple[float, ...]
    token_log_probs_source: tuple[float, ...]
    answer_tokens: int

    @property
    def score(self) -> float:
        """``log_likelihood_source - log_likelihood_summary``: below 0 where the source supports the pair less."""
        return self.log_likelihood_source - self.log_likelihood_summary

    def to_dict(self, token_log_probs: bool = False) -> dict[str, Any]:
        """Plain values for JSON; the per-token lists only if asked for."""
        values: dict[str, Any] = {
            "question": self.question,
            "answer": self.answer,
            "start": self.start,
            "end": self.end,
            "score": self.score,
            "log_likelihood_summary": self.log_likelihood_summary,
            "log_likelihood_source": self.log_likelihood_source,
        }
        if token_log_probs:
            values["tokens"] = list(self.tokens)
            values["token_log_probs_summary"] = list(self.token_log_probs_summary)
            values["token_log_probs_source"] = list(self.token_log_probs_source)
            values["answer_tokens"] = self.answer_tokens
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ScoredPair:
        """The pair that :meth:`to_dict` wrote with its tokens.

        Raises:
            KeyError: it was written without them.
        """
        known: dict[str, Any] = {field.name: values[field.name] for field in fields(cls)}
        listed = {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
        return cls(**{**known, **listed})


@dataclass(frozen=True)
class QualsResult:
    """QUALS of one summary.

    Attributes:
        score: mean of the pairs' scores; usually at most 0, near 0 is consistent; NaN where no pair survived.
        pairs: the pairs it is the mean of, in the order selected: answers in turn, likely ones first.
        source_windows: texts the source was compared as; 1 unless windows were asked for and it was too long.
        source_truncated: whether the end of the source was not read.
        summary_truncated: whether the end of the summary was not read.
    """

    score: float
    pairs: tuple[ScoredPair, ...]
    source_windows: int
    source_truncated: bool
    summary_truncated: bool = False

    def to_dict(self, token_log_probs: bool = False) -> dict[str, Any]:
        """Plain values for JSON; a NaN score is None."""
        return {
            "score": None if math.isnan(self.score) else self.score,
            "num_pairs": len(self.pairs),
            "pairs": [pair.to_dict(token_log_probs) for pair in self.pairs],
            "source_windows": self.source_windows,
            "source_truncated": self.source_truncated,
            "summary_truncated": self.summary_truncated,
        }


def mean_score(scores: Sequence[float]) -> float:
    """Mean of the scores that are not NaN; NaN if none is."""
    known = [score for score in scores if not math.isnan(score)]
    return sum(known) / len(known) if known else math.nan


def weighted_mean(log_probs: Sequence[float], answer_tokens: int, weighting: str) -> float:
    """Log-likelihood of a pair in nats a token.

    Args:
        log_probs: of question, separator, answer and end of sequence.
        answer_tokens: index of the first answer token.
        weighting: ``tokens`` is the paper's mean over all of them; ``answer`` the mean over answer and end of
            sequence; ``balanced`` the mean of the question's mean (separator included) and the answer's.
    """
    question, answer = log_probs[:answer_tokens], log_probs[answer_tokens:]
    if weighting == "tokens":
        return sum(log_probs) / len(log_probs)
    if weighting == "answer":
        return sum(answer) / len(answer)
    return (sum(question) / len(question) + sum(answer) / len(answer)) / 2
