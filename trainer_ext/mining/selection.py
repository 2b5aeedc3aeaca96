"""Step 3 of mining: which documents are trained on, and which of their candidates are pushed away."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from datasets import Dataset
from quals.inputs import require, whole_number

from trainer_ext.dataset import CANDIDATE_LABELS, CANDIDATE_SCORES, REFERENCE_SCORE
from trainer_ext.mining.columns import (
    CANDIDATES,
    LABELS,
    candidate_scores,
    label_ids,
    reference_scores,
    values,
    with_columns,
)

RULES = ("auto", "two_sided", "one_sided", "per_document", "all")
_REFERENCE = -1  # stands for the reference among a document's candidates


@dataclass(frozen=True)
class Selection:
    """How documents and their negatives are selected.

    ================  =====================================================================================
    Rule              keeps
    ================  =====================================================================================
    ``two_sided``     the ``fraction`` of documents with the lowest-scoring worst candidates, and the
                      ``fraction`` with the highest-scoring references (Nan et al. 2021)
    ``one_sided``     the former only, as many as the union is expected to have: ``1 - (1 - fraction)^2``
    ``auto``          ``one_sided`` where references cannot be told apart by score, else ``two_sided``
    ``per_document``  documents whose ``top_k`` best summaries, the reference among them, lead the ``top_k`` worst
                      by ``margin``; each of the best becomes the target of a row, the worst its negatives
    ``all``           every document, all candidates sorted best first
    ================  =====================================================================================

    Args:
        rule: see above.
        fraction: of documents, more than 0, 1 at most.
        num_negatives: candidates that a row keeps, the lowest-scoring; None keeps all that have a score.
        margin: least difference of scores for ``per_document``, 0 or more.
        top_k: for ``per_document``.

    Raises:
        ValueError: a setting is out of range.
    """

    rule: str = "auto"
    fraction: float = 0.3
    num_negatives: int | None = 1
    margin: float = 0.0
    top_k: int = 1

    def __post_init__(self) -> None:
        require(self.rule in RULES, f"The selection rule is {self.rule!r}: give one of {', '.join(RULES)}.")
        require(_is_number(self.fraction), f"fraction is {self.fraction!r}: give a number.")
        require(0 < self.fraction <= 1, f"fraction is {self.fraction!r}: give more than 0, 1 at most.")
        whole_number("num_negatives", 1 if self.num_negatives is None else self.num_negatives, 1)
        require(_is_number(self.margin), f"margin is {self.margin!r}: give a number.")
        require(0 <= self.margin < math.inf, f"margin is {self.margin!r}: give 0 or more.")
        whole_number("top_k", self.top_k, 1)


@dataclass(frozen=True)
class _Row:
    """A row of the result: a document, which of its candidates stay, in order, and which summary is its target."""

    document: int
    candidates: list[int]
    target: int = _REFERENCE


def select_candidates(
    dataset: Dataset,
    selection: Selection,
    *,
    needs_reference: bool = False,
    reference_column: str | None = None,
) -> Dataset:
    """The selected documents, in the data set's order, with their selected candidates, best first.

    A candidate that is the reference, token by token, counts as having no score: to push it away and to push towards
    it is nonsense. Documents without a scored candidate are dropped, except by the rule ``all``. Ties go to the lower
    index, or to the reference as a target.

    Args:
        dataset: has ``candidate_scores`` and ``candidate_labels`` (or texts, ``candidates``; or both); perhaps
            ``reference_score`` and ``labels``.
        selection: see there.
        needs_reference: the ranker compared with the reference, whose own score then says nothing.
        reference_column: the references' texts, where they have a column.

    Raises:
        ValueError: a column is missing or does not fit the others, or nothing is left; the message says why.
    """
    scores, references = usable_scores(dataset, reference_column), reference_scores(dataset)
    rule = effective_rule(dataset, selection, needs_reference)
    if rule == "all":
        rows = [_Row(place, _best_first(mine, range(len(mine)))) for place, mine in enumerate(scores)]
    elif rule == "per_document":
        # The reference can be a negative only where it is known in every form that candidates have.
        known = set(_targets(dataset, reference_column)) == set(_candidate_columns(dataset))
        rows = [
            row
            for place, mine in enumerate(scores)
            for row in _positives(place, mine, references[place], selection, known)
        ]
    else:
        places = _documents(scores, references, rule, selection.fraction)
        rows = [_Row(place, _negatives(scores[place], selection.num_negatives)) for place in places]
    if not rows:
        raise ValueError(_why_nothing(scores, selection))
    return _rows_of(dataset, rows, scores, references, reference_column)


def effective_rule(dataset: Dataset, selection: Selection, needs_reference: bool = False) -> str:
    """The rule that is used: what ``auto`` means for this data set.

    Raises:
        ValueError: ``two_sided`` is asked for, and no reference has a score.
    """
    known = {score for score in reference_scores(dataset) if not math.isnan(score)}
    if selection.rule == "two_sided" and not known:
        raise ValueError(
            "The rule two_sided selects by the references' scores, and no reference has one: take one_sided, or a "
            "data set with reference summaries."
        )
    if selection.rule != "auto":
        return selection.rule
    return "one_sided" if needs_reference or len(known) < 2 else "two_sided"


def usable_scores(dataset: Dataset, reference_column: str | None = None) -> list[list[float]]:
    """Scores of each document's candidates; NaN also for those that are the reference.

    Raises:
        ValueError: a column is missing, or a row has not as many scores as candidates.
    """
    scores = candidate_scores(dataset)
    candidates = {name: _candidates(dataset, name) for name in _candidate_columns(dataset)}
    for name, lists in candidates.items():
        for row, (mine, given) in enumerate(zip(lists, scores, strict=True)):
            if len(mine) != len(given):
                raise ValueError(
                    f"Row {row} has {len(mine)} {name} and {len(given)} {CANDIDATE_SCORES}: give one score for each, "
                    "NaN or null where there is none."
                )
    for name, targets in _targets(dataset, reference_column).items():
        for row, (mine, target) in enumerate(zip(candidates[name], targets, strict=True)):
            same = [math.nan if one == target else score for one, score in zip(mine, scores[row], strict=True)]
            scores[row] = same
    return scores


def _candidates(dataset: Dataset, column: str) -> list[list[Any]]:
    return [mine or [] for mine in values(dataset, column)]


def _candidate_columns(dataset: Dataset) -> list[str]:
    """Those that hold something for each candidate, scores apart.

    Raises:
        ValueError: there is none.
    """
    found = [name for name in (CANDIDATE_LABELS, CANDIDATES) if name in dataset.column_names]
    return found or [CANDIDATE_LABELS] * bool(values(dataset, CANDIDATE_LABELS))


def _targets(dataset: Dataset, reference_column: str | None) -> dict[str, list[Any]]:
    """By the name of a column of candidates: what it is of the reference."""
    there = _candidate_columns(dataset)
    found: dict[str, list[Any]] = {}
    if CANDIDATE_LABELS in there and LABELS in dataset.column_names:
        found[CANDIDATE_LABELS] = label_ids(dataset)
    if CANDIDATES in there and reference_column is not None:
        found[CANDIDATES] = values(dataset, reference_column)
    return found


def _documents(scores: list[list[float]], references: list[float], rule: str, fraction: float) -> list[int]:
    """Documents of I- and, for two_sided, I+, in order; those without a scored candidate are left out."""
    worst = [min((x for x in mine if not math.isnan(x)), default=math.nan) for mine in scores]
    if rule == "one_sided":
        chosen = set(_first(worst, 1 - (1 - fraction) ** 2))
    else:
        chosen = {*_first(worst, fraction), *_first([-score for score in references], fraction)}
    return sorted(place for place in chosen if not math.isnan(worst[place]))


def _first(keys: Sequence[float], fraction: float) -> list[int]:
    """Places of the fraction of keys that is smallest, one at least; NaN is last, ties go to the lower place."""
    count = max(1, round(fraction * len(keys)))
    return sorted(range(len(keys)), key=lambda place: (math.isnan(keys[place]), keys[place], place))[:count]


def _best_first(scores: Sequence[float], places: Sequence[int]) -> list[int]:
    return [places[at] for at in _first([-scores[place] for place in places], 1.0)] if places else []


def _negatives(scores: Sequence[float], count: int | None) -> list[int]:
    """The lowest-scoring, best first; without a score none."""
    known = [place for place, score in enumerate(scores) if not math.isnan(score)]
    lowest = sorted(known, key=lambda place: (scores[place], place))[:count]
    return _best_first(scores, sorted(lowest))


def _positives(place: int, scores: list[float], reference: float, selection: Selection, known: bool) -> list[_Row]:
    """A document's rows under ``per_document``: none where its best and worst are not apart.

    ``known`` is whether the reference may be a negative.
    """
    pool = {at: score for at, score in enumerate(scores) if not math.isnan(score)}
    if not math.isnan(reference):
        pool[_REFERENCE] = reference
    best = sorted(pool, key=lambda at: (-pool[at], at))[: selection.top_k]  # the reference before its equals
    # As a negative the reference comes after its equals: to unlearn a sample is what this is for.
    order = sorted(pool, key=lambda at: (pool[at], at if at != _REFERENCE else len(scores)))
    worst = [at for at in order if known or at != _REFERENCE][: selection.top_k]
    if not best or not worst or set(best) & set(worst):
        return []
    low, high = min(pool[at] for at in best), max(pool[at] for at in worst)
    if not (low > high and low - high >= selection.margin):
        return []
    negatives = sorted(worst[: selection.num_negatives], key=lambda at: (-pool[at], at))
    return [_Row(place, negatives, at) for at in best]


def _rows_of(
    dataset: Dataset,
    rows: list[_Row],
    scores: list[list[float]],
    references: list[float],
    reference_column: str | None,
) -> Dataset:
    targets = _targets(dataset, reference_column)

    def picked(lists: Sequence[Sequence[Any]], own: Sequence[Any], row: _Row) -> list[Any]:
        return [own[row.document] if at == _REFERENCE else lists[row.document][at] for at in row.candidates]

    def target(lists: Sequence[Sequence[Any]], own: Sequence[Any], row: _Row) -> Any:
        return own[row.document] if row.target == _REFERENCE else lists[row.document][row.target]

    columns: dict[str, list[Any]] = {CANDIDATE_SCORES: [picked(scores, references, row) for row in rows]}
    for name in _candidate_columns(dataset):
        lists = _candidates(dataset, name)
        columns[name] = [picked(lists, targets.get(name, ()), row) for row in rows]
    if any(row.target != _REFERENCE for row in rows):
        columns[REFERENCE_SCORE] = [target(scores, references, row) for row in rows]
        replaced = {CANDIDATE_LABELS: LABELS, CANDIDATES: reference_column or ""}
        for name, own in targets.items():
            lists = _candidates(dataset, name)
            columns[replaced[name]] = [target(lists, own, row) for row in rows]
    return with_columns(dataset.select([row.document for row in rows]), columns)


def _why_nothing(scores: list[list[float]], selection: Selection) -> str:
    documents = len(scores)
    if all(math.isnan(score) for mine in scores for score in mine):
        return (
            f"Nothing is left to train on: of {documents} documents none has a candidate with a score. The ranker "
            "scored none of the samples, or all are the reference itself: sample more, or hotter, or take another "
            "ranker."
        )
    return (
        f"Nothing is left to train on: in none of {documents} documents do the {selection.top_k} best summaries lead "
        f"the {selection.top_k} worst by {selection.margin:g}: lower margin or top_k, or sample more candidates."
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
