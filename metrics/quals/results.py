"""What the scorer returns: a score per summary, and the question-answer pairs that show why."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

WEIGHTINGS = ("tokens", "answer", "balanced")
_SHOWN = 60  # characters of a text in a result's repr


@dataclass(frozen=True)
class ScoredPair:
    """One question-answer pair under the summary and under the source.

    Attributes:
        question, answer: as generated; ``summary[start:end]`` is the answer in the summary's own spelling.
        start, end: character span of the answer in the summary.
        log_likelihood_summary, log_likelihood_source: in nats per token (paper, equation 2); at most 0.
        tokens: question, separator, answer, end of sequence, as text.
        token_log_probs_summary, token_log_probs_source: natural log-probabilities, one per token; each at most 0.
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


@dataclass(frozen=True, repr=False)
class QualsResult:
    """QUALS of one summary.

    Attributes:
        score: mean of the pairs' scores in nats per token; higher is better, usually at most 0, near 0 is consistent;
            NaN where no pair survived.
        pairs: the pairs behind the score, in the order selected: answers in turn, likely ones first.
        source_windows: number of texts that the source was compared as; 1 unless it was read in windows.
        source_truncated: whether the end of the source was not read.
        summary_truncated: whether the end of the summary was not read.
        source, summary: the two texts, as given.
        signature: the scorer's; only scores with the same signature can be compared.
    """

    score: float
    pairs: tuple[ScoredPair, ...]
    source_windows: int
    source_truncated: bool
    summary_truncated: bool = False
    source: str = field(default="", compare=False)
    summary: str = field(default="", compare=False)
    signature: str = field(default="", compare=False)

    @property
    def worst_first(self) -> list[ScoredPair]:
        """The pairs, least supported by the source first."""
        return sorted(self.pairs, key=lambda pair: pair.score)

    def __repr__(self) -> str:
        worst = [(pair.score, f"{pair.question} -> {pair.answer}") for pair in self.worst_first[:1]]
        return one_line(self, self.score, "num_pairs", len(self.pairs), worst)

    def to_dict(self, token_log_probs: bool = False) -> dict[str, Any]:
        """Plain values for JSON, without the texts; a NaN score is None."""
        return {
            "score": None if math.isnan(self.score) else self.score,
            "num_pairs": len(self.pairs),
            "pairs": [pair.to_dict(token_log_probs) for pair in self.pairs],
            "source_windows": self.source_windows,
            "source_truncated": self.source_truncated,
            "summary_truncated": self.summary_truncated,
        }

    def to_pandas(self) -> DataFrame:
        """A table with one row per pair, in the order of ``pairs``; :func:`results_to_pandas` takes many results.

        Columns: question, answer, start, end, score, log_likelihood_summary, log_likelihood_source.
        """
        from pandas import DataFrame  # evaluate and datasets require pandas

        columns = [f.name for f in fields(ScoredPair) if "token" not in f.name]
        columns.insert(columns.index("log_likelihood_summary"), "score")
        return DataFrame([pair.to_dict() for pair in self.pairs], columns=columns)


def results_to_pandas(results: Iterable[Any]) -> DataFrame:
    """A table with one row per summary, of the results of any scorer here (QUALS, QAGS or FactCC).

    Columns are the results' fields; the pairs, questions or sentences appear as their number (``num_pairs``, ...).

    Example:
        >>> from quals import QualsResult, results_to_pandas
        >>> results = [QualsResult(-0.5, (), 1, False), QualsResult(-1.5, (), 1, False)]
        >>> float(results_to_pandas(results)["score"].mean())
        -1.0
    """
    from pandas import DataFrame

    return DataFrame([dict(_row(result)) for result in results])


def _row(result: Any) -> Iterable[tuple[str, Any]]:
    for f in fields(result):
        value = getattr(result, f.name)
        yield (f"num_{f.name}", len(value)) if isinstance(value, tuple) else (f.name, value)


def one_line(result: Any, score: float, name: str, number: int, worst: Sequence[tuple[float, str]]) -> str:
    """A result's repr: its class, its score, the number of its parts, and the worst part's score and text.

    Example:
        >>> from quals.results import one_line
        >>> one_line(0.5, 0.25, "num_sentences", 2, [(0.0, "It rained.")])
        "float(score=0.250, num_sentences=2, worst=0.000 'It rained.')"
    """
    shown = [f"score={score:.3f}", f"{name}={number}"]
    shown += [f"worst={value:.3f} {textwrap.shorten(text, _SHOWN, placeholder='...')!r}" for value, text in worst]
    return f"{type(result).__name__}({', '.join(shown)})"


def mean_score(scores: Sequence[float]) -> float:
    """The mean of the scores that are not NaN; NaN if all are."""
    known = [score for score in scores if not math.isnan(score)]
    return sum(known) / len(known) if known else math.nan


def weighted_mean(log_probs: Sequence[float], answer_tokens: int, weighting: str) -> float:
    """Log-likelihood of a pair in nats per token; at most 0.

    Args:
        log_probs: log-probabilities of question, separator, answer and end of sequence.
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
