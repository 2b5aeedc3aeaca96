"""Question-answer pairs as text: parse a generated sequence, keep what the summary backs, select the best.

Nothing here knows about tensors. Steps 2 and 3 of QUALS (Nan et al. 2021, section 3.2).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, TypeVar

from .typography import given_span, plain


@dataclass(frozen=True)
class Pair:
    """A question, and an answer that stands in the summary.

    Attributes:
        question: as generated.
        answer: as generated; the summary's own spelling is ``summary[start:end]``.
        start, end: character span of the answer's first occurrence in the summary.
        token_ids: question, separator, answer and end of sequence.
        log_probs: natural log-probability of each token under the summary, without any penalty.
    """

    question: str
    answer: str
    start: int
    end: int
    token_ids: tuple[int, ...]
    log_probs: tuple[float, ...]


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
        token_log_probs_nothing: the same under a text without content; empty unless the score needs it.
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
    token_log_probs_nothing: tuple[float, ...] = ()

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
            if self.token_log_probs_nothing:
                values["token_log_probs_nothing"] = list(self.token_log_probs_nothing)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ScoredPair:
        """The pair that :meth:`to_dict` wrote with its tokens.

        Raises:
            KeyError: it was written without them.
        """
        known: dict[str, Any] = {
            field.name: values[field.name] for field in fields(cls) if field.default is MISSING or field.name in values
        }
        listed = {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
        return cls(**{**known, **listed})


_Spanned = TypeVar("_Spanned", Pair, ScoredPair)


def of_given(pairs: Iterable[_Spanned], summary: str) -> list[_Spanned]:
    """Pairs of a summary in plain typography, with the answers' places in the ``summary`` that was given."""
    span = given_span(summary)
    moved = []
    for pair in pairs:
        start, end = span(pair.start, pair.end)
        moved.append(replace(pair, start=start, end=end))
    return moved


@dataclass(frozen=True)
class Word:
    """A folded word and the characters it came from, ``text[start:end]``."""

    folded: str
    start: int
    end: int


def fold(text: str) -> list[Word]:
    """The words of ``text`` for comparison: NFKD, accents dropped, case-folded, split at all but letters and digits.

    They are the same in all typographies, see :mod:`quals.typography`. Characters that only steer the layout (a soft
    hyphen, a zero-width space) are no part of a word and end none: tokenizers drop them, so an answer never has them.
    """
    words: list[Word] = []
    letters: list[str] = []
    start = end = 0

    def close() -> None:
        if letters:
            words.append(Word("".join(letters), start, end))
            letters.clear()

    for position, character in enumerate(text):
        for part in unicodedata.normalize("NFKD", plain(character)):
            if unicodedata.category(part) == "Cf":
                continue
            if unicodedata.combining(part):
                # An accent of its own belongs to the word before it.
                end = position + 1 if letters else end
            elif part.isalnum():
                if not letters:
                    start = position
                letters.append(part.casefold())
                end = position + 1
            else:
                close()
    close()
    return words


def find_answer(answer: str, summary_words: Sequence[Word]) -> tuple[int, int] | None:
    """Character span of ``answer`` where it first stands in the summary as a run of whole words, or None."""
    wanted = [word.folded for word in fold(answer)]
    if not wanted:
        return None
    folded = [word.folded for word in summary_words]
    for first in range(len(folded) - len(wanted) + 1):
        if folded[first : first + len(wanted)] == wanted:
            return summary_words[first].start, summary_words[first + len(wanted) - 1].end
    return None


def select(pairs: Iterable[Pair], max_pairs: int) -> list[Pair]:
    """At most ``max_pairs`` pairs: likely ones first, answers taken in turn, no question twice.

    Pairs are sorted by total log-probability and grouped by folded answer; each round takes the best remaining pair
    of every group whose (folded) question is new.
    """
    return selection(pairs, max_pairs, total_log_prob)[0]


def selection(
    pairs: Iterable[Pair], max_pairs: int, likelihood: Callable[[Pair], float]
) -> tuple[list[Pair], list[Pair]]:
    """What :func:`select` takes by another likelihood, and all pairs that it looked at for that.

    Were the others less likely than given, the same pairs would be taken.
    """
    groups: dict[tuple[str, ...], list[Pair]] = {}
    for pair in sorted(pairs, key=likelihood, reverse=True):  # stable: ties stay in the order generated
        groups.setdefault(_folded(pair.answer), []).append(pair)
    queues = [iter(group) for group in groups.values()]
    taken: list[Pair] = []
    seen: list[Pair] = []
    questions: set[tuple[str, ...]] = set()
    while queues and len(taken) < max_pairs:
        remaining = []
        for queue in queues:
            if len(taken) == max_pairs:
                break
            for pair in queue:
                seen.append(pair)
                question = _folded(pair.question)
                if question not in questions:
                    taken.append(pair)
                    questions.add(question)
                    remaining.append(queue)
                    break
        queues = remaining
    return taken, seen


def total_log_prob(pair: Pair) -> float:
    """Natural log-probability of all tokens of a pair."""
    return sum(pair.log_probs)


def _folded(text: str) -> tuple[str, ...]:
    return tuple(word.folded for word in fold(text))
