"""What the scorer returns: a score per summary, and the question-answer pairs that show why."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from html import escape
from typing import TYPE_CHECKING, Any

from .explanation_page import html_page
from .pairs import ScoredPair as ScoredPair

if TYPE_CHECKING:
    from pandas import DataFrame

WEIGHTINGS = ("tokens", "answer", "balanced", "information")
_SHOWN = 60  # characters of a text in a result's repr


@dataclass(frozen=True, repr=False)
class QualsResult:
    """QUALS of one summary.

    Attributes:
        score: mean of the pairs' scores in nats per token (by ``weighting="information"``, :func:`relative_loss`, which
            has no unit); higher is better, usually at most 0, near 0 is consistent;
            NaN where no pair survived.
        pairs: the pairs behind the score, in the order selected: answers in turn, likely ones first.
        source_windows: number of texts that the source was compared as; 1 unless it was read in windows.
        source_truncated: whether the end of the source was not read.
        summary_truncated: whether the end of the summary was not read.
        source, summary: the two texts, as given.
        signature: the scorer's; only scores with the same signature can be compared.
        probability: of the summary to be consistent, 0 to 1, by the scorer's calibration; None without one or a score.
    """

    score: float
    pairs: tuple[ScoredPair, ...]
    source_windows: int
    source_truncated: bool
    summary_truncated: bool = False
    source: str = field(default="", compare=False)
    summary: str = field(default="", compare=False)
    signature: str = field(default="", compare=False)
    probability: float | None = field(default=None, compare=False)

    @property
    def worst_first(self) -> list[ScoredPair]:
        """The pairs, least supported by the source first."""
        return sorted(self.pairs, key=lambda pair: pair.score)

    @property
    def notes(self) -> list[str]:
        """Sentences on how much of the texts was read; none where both were read whole."""
        windows = f"The source was read in {self.source_windows} windows."
        notes = {
            "The end of the source was not read.": self.source_truncated,
            windows: self.source_windows > 1,
            "The end of the summary was not read.": self.summary_truncated,
        }
        return [note for note, holds in notes.items() if holds]

    def to_html(self) -> str:
        """A self-contained page of the score, the summary with its unsupported words coloured, and all pairs."""
        return html_page(self.source, self.summary, self.score, self.worst_first, self.signature, self.notes)

    def _repr_html_(self) -> str:
        # In a frame, so that the page's style stays its own; sandboxed, because the texts are anybody's.
        style = "width: 100%; height: 40rem; border: 0"
        return f'<iframe sandbox title="QUALS explained" style="{style}" srcdoc="{escape(self.to_html())}"></iframe>'

    def __repr__(self) -> str:
        worst = [(pair.score, f"{pair.question} -> {pair.answer}") for pair in self.worst_first[:1]]
        return one_line(self, self.score, "num_pairs", len(self.pairs), worst)

    def to_dict(self, token_log_probs: bool = False) -> dict[str, Any]:
        """Plain values for JSON, without the texts; a NaN score is None."""
        return {
            "score": None if math.isnan(self.score) else self.score,
            "probability": self.probability,
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
            sequence; ``balanced`` the mean of the question's mean (separator included) and the answer's;
            ``information`` is as ``tokens`` here, and differs in what is made of all pairs (:func:`relative_loss`).
    """
    question, answer = log_probs[:answer_tokens], log_probs[answer_tokens:]
    if weighting in ("tokens", "information"):
        return sum(log_probs) / len(log_probs)
    if weighting == "answer":
        return sum(answer) / len(answer)
    return (sum(question) / len(question) + sum(answer) / len(answer)) / 2


def relative_loss(pairs: Iterable[tuple[Sequence[float], Sequence[float], Sequence[float]]]) -> float:
    """How much of what a summary tells about its pairs is lost under the source, as a negative share.

    With ``L_c`` the log-probability of all tokens of all pairs under a text ``c``, it is

        (L_source - L_summary) / (L_summary - L_nothing).

    Tokens that a text without content foretells as well (as "did the" of a question) count little. 0 is no loss; at -1
    the source tells no more than nothing does, and below that it speaks against the pairs. NaN where the summary tells
    nothing.

    Args:
        pairs: log-probabilities of a pair's tokens under source, summary and a text without content.

    Example:
        >>> relative_loss([((-1.0, -3.0), (-1.0, -1.0), (-1.0, -9.0))])
        -0.25
    """
    sums = [[sum(log_probs) for log_probs in pair] for pair in pairs]
    lost = sum(source - summary for source, summary, _ in sums)
    told = sum(summary - nothing for _, summary, nothing in sums)
    return lost / told if told > 0 else math.nan
