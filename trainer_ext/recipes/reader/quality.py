"""Measure a reader: how well it answers, and whether it finds no answer where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qags.answers import squad_words, token_f1
from qags.reader import Reader
from quals.errors import DataError

from trainer_ext.recipes.qa_data import Passage


@dataclass(frozen=True)
class ReaderQuality:
    """Figures of a reader on data that it was not trained on, all from 0 to 1.

    Attributes:
        answered_f1: token F1 of the answers to questions that have one.
        answered: number of these questions.
        unanswered_right: share of the questions without an answer for which it finds none; NaN without such questions.
        unanswered: number of these questions.
        f1: mean over all questions; for those without an answer, 1 if it finds none and else 0.
        exact: share of all questions answered exactly.
    """

    answered_f1: float
    answered: int
    unanswered_right: float
    unanswered: int
    f1: float
    exact: float


def measure_reader(reader: Reader, passages: Sequence[Passage]) -> ReaderQuality:
    """Let a reader answer every question of the passages; the nearest of several accepted answers counts.

    Raises:
        DataError: there are no questions.
    """
    rows = [(pair, passage.text) for passage in passages for pair in passage.pairs]
    if not rows:
        raise DataError("There are no questions to measure a reader on.")
    readings = reader.read([pair.question for pair, _ in rows], [text for _, text in rows])
    judged = [(pair.answers, reading.answer) for (pair, _), reading in zip(rows, readings, strict=True)]
    f1 = [
        max((token_f1(answer, right) for right in accepted), default=float(not answer)) for accepted, answer in judged
    ]
    exact = [
        any(squad_words(answer) == squad_words(right) for right in accepted) if accepted else not answer
        for accepted, answer in judged
    ]
    answered = [score for score, (accepted, _) in zip(f1, judged, strict=True) if accepted]
    others = [score for score, (accepted, _) in zip(f1, judged, strict=True) if not accepted]
    return ReaderQuality(
        answered_f1=sum(answered) / len(answered) if answered else float("nan"),
        answered=len(answered),
        unanswered_right=sum(others) / len(others) if others else float("nan"),
        unanswered=len(others),
        f1=sum(f1) / len(f1),
        exact=sum(exact) / len(exact),
    )
