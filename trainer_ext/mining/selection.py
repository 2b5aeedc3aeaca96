"""Step 3 of mining: which documents are trained on, and which of their candidates are pushed away."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from datasets import Dataset
from quals.errors import OptionError
from quals.inputs import whole_number
from transformers import PreTrainedTokenizerBase

from trainer_ext.dataset import CANDIDATE_LABELS, CANDIDATE_SCORES, REFERENCE_SCORE
from trainer_ext.mining.columns import (
    CANDIDATES,
    LABELS,
    candidate_scores,
    is_number,
    label_ids,
    reference_scores,
    values,
    with_columns,
)
from trainer_ext.mining.texts import candidate_texts, folded, reference_texts
from trainer_ext.options import RULES

_REFERENCE = -1  # place of the reference in a document's pool: the last


@dataclass(frozen=True)
class Selection:
    """How documents and their negatives are selected.

    ================  =====================================================================================
    Rule              keeps
    ================  =====================================================================================
    ``two_sided``     the ``fraction`` of documents with the lowest-scoring worst candidates, and the
                      ``fraction`` with the highest-scoring references (Nan et al. 2021)
    ``one_sided``     only the former, as many as the union is expected to have: ``1 - (1 - fraction)^2``
    ``auto``          ``one_sided`` where the references' scores are all alike, else ``two_sided``
    ``per_document``  documents whose ``num_extremes`` best summaries, the reference among them (unless
                      ``references`` is False), lead the ``num_extremes`` worst by ``margin``; each of the
                      best becomes the target of a row, the worst become its negatives
    ``all``           every document, with all candidates sorted best first
    ================  =====================================================================================

    Args:
        rule: one of the above.
        fraction: share of the documents per side, more than 0, at most 1.
        num_negatives: number of candidates that a row keeps, the lowest-scoring; None keeps all that have a score.
        margin: least difference of scores for ``per_document``, 0 or more.
        num_extremes: number of best summaries and of worst ones for ``per_document``.
        references: whether ``per_document`` chooses among the references too, or among samples only.

    Raises:
        OptionError: a setting is out of range.
    """

    rule: str = "auto"
    fraction: float = 0.3
    num_negatives: int | None = 1
    margin: float = 0.0
    num_extremes: int = 1
    references: bool = True

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise OptionError(f"The selection rule is {self.rule!r}: give one of {', '.join(RULES)}.")
        if not (is_number(self.fraction) and 0 < self.fraction <= 1):
            raise OptionError(f"fraction is {self.fraction!r}: give a number above 0, 1 at most.")
        whole_number("num_negatives", 1 if self.num_negatives is None else self.num_negatives, 1)
        if not (is_number(self.margin) and 0 <= self.margin < math.inf):
            raise OptionError(f"margin is {self.margin!r}: give a number, 0 or more.")
        whole_number("num_extremes", self.num_extremes, 1)


DEFAULT = Selection()


@dataclass(frozen=True)
class _Row:
    """A row of the result: its document, and the places in its pool of its candidates, in order, and its target."""

    document: int
    candidates: list[int]
    target: int = _REFERENCE


def select_candidates(
    dataset: Dataset,
    selection: Selection = DEFAULT,
    *,
    needs_reference: bool = False,
    reference_column: str | None = None,
    candidate_column: str = CANDIDATES,
    tokenizer: PreTrainedTokenizerBase | None = None,
) -> Dataset:
    """The selected documents, in the data set's order, with their selected candidates, best first.

    A candidate counts as having no score if it is the reference: to push it away and to push towards it is nonsense.
    Texts are compared by their letters and digits, tokens one by one. A candidate without a letter or digit has no
    score either. Documents without a scored candidate are dropped, except by the rule ``all``. Ties go to the lower
    index, or to the reference as a target.

    Args:
        dataset: has ``candidate_scores`` and ``candidate_labels``, or ``candidate_column``, or both; perhaps
            ``reference_score`` and ``labels``.
        selection: which rule, and its settings.
        needs_reference: whether the ranker compared with the reference, whose own score then says nothing.
        reference_column: column of the references' texts, where they have one.
        candidate_column: column of the candidates' texts, where they have one.
        tokenizer: decodes tokens, so that they are compared as texts too.

    Raises:
        ValueError: a column is missing or does not fit the others, or nothing is left; the message says why.
    """
    rule, references = effective_rule(dataset, selection, needs_reference), reference_scores(dataset)
    pools = _pools(dataset, reference_column, candidate_column)
    keys = _keys(dataset, reference_column, candidate_column if candidate_column in pools else None, tokenizer)
    scores = _usable_scores(candidate_scores(dataset), pools, keys)
    if rule == "all":
        rows = [_Row(place, _best_first(own, range(len(own)))) for place, own in enumerate(scores)]
    elif rule == "per_document":
        # The reference can be a negative only where it is known in every form that candidates have.
        known = all(pool[_REFERENCE] is not None for pools_of in pools.values() for pool in pools_of)
        rows = [
            row
            for place, own in enumerate(scores)
            for row in _positives(place, own, references[place], selection, known, keys[place] if keys else None)
        ]
    else:
        places = _documents(scores, references, rule, selection.fraction)
        rows = [_Row(place, _negatives(scores[place], selection.num_negatives)) for place in places]
    if not rows:
        raise ValueError(_why_nothing(scores, selection))
    return _rows_of(
        dataset, rows, scores, references, pools, {CANDIDATE_LABELS: LABELS, candidate_column: reference_column}
    )


def effective_rule(dataset: Dataset, selection: Selection, needs_reference: bool = False) -> str:
    """The rule that is used: what ``auto`` means for this data set.

    Raises:
        ValueError: ``two_sided`` is asked for, and no reference has a score.
    """
    known = {score for score in reference_scores(dataset) if not math.isnan(score)}
    if selection.rule == "two_sided" and not known:
        raise ValueError(
            "The rule two_sided selects by the references' scores, and no reference has one: choose one_sided, or a "
            "data set with reference summaries."
        )
    if selection.rule != "auto":
        return selection.rule
    return "one_sided" if needs_reference or len(known) < 2 else "two_sided"


def _pools(dataset: Dataset, reference_column: str | None, candidate_column: str) -> dict[str, list[list[Any]]]:
    """By column: each document's candidates and, last, its reference, None where it is not known in this form.

    Raises:
        ValueError: there is no column of candidates.
    """
    names = [name for name in (CANDIDATE_LABELS, candidate_column) if name in dataset.column_names]
    pools: dict[str, list[list[Any]]] = {}
    for name in names or [CANDIDATE_LABELS]:
        candidates = values(dataset, name)
        references: list[Any] = [None] * len(dataset)
        if name == CANDIDATE_LABELS and LABELS in dataset.column_names:
            references = label_ids(dataset)
        elif name == candidate_column and reference_column is not None:
            references = values(dataset, reference_column)
        pools[name] = [[*(own or []), reference] for own, reference in zip(candidates, references, strict=True)]
    return pools


def _keys(
    dataset: Dataset,
    reference_column: str | None,
    candidate_column: str | None,
    tokenizer: PreTrainedTokenizerBase | None,
) -> list[list[str | None]] | None:
    """What each document's texts are compared by, the reference's last; None where there are no texts."""
    if candidate_column is None and tokenizer is None:
        return None
    known = reference_column is not None or tokenizer is not None
    references = reference_texts(dataset, tokenizer, reference_column) if known else None
    candidates = candidate_texts(dataset, tokenizer, candidate_column)
    return [
        [*map(folded, texts), None if references is None else folded(references[place])]
        for place, texts in enumerate(candidates)
    ]


def _usable_scores(
    scores: list[list[float]], pools: dict[str, list[list[Any]]], keys: list[list[str | None]] | None
) -> list[list[float]]:
    """Scores of each document's candidates; NaN also for those that are the reference or empty.

    Raises:
        ValueError: a row does not have one score per candidate.
    """
    usable = [list(given) for given in scores]
    for name, documents in pools.items():
        for row, (pool, given) in enumerate(zip(documents, scores, strict=True)):
            if len(pool) - 1 != len(given):
                raise ValueError(
                    f"Row {row} has {len(pool) - 1} {name} and {len(given)} {CANDIDATE_SCORES}: give one score per "
                    "candidate, NaN or null where there is none."
                )
    for documents in (*pools.values(), *([keys] if keys else [])):
        for own, pool in zip(usable, documents, strict=True):
            for place, candidate in enumerate(pool[:_REFERENCE]):
                if not candidate or candidate == pool[_REFERENCE]:
                    own[place] = math.nan
    return usable


def _documents(scores: list[list[float]], references: list[float], rule: str, fraction: float) -> list[int]:
    """Documents of I- and, for two_sided, I+, in order; those without a scored candidate are left out."""
    worst = [min((x for x in own if not math.isnan(x)), default=math.nan) for own in scores]
    if rule == "one_sided":
        chosen = set(_first(worst, 1 - (1 - fraction) ** 2))
    else:
        chosen = {*_first(worst, fraction), *_first([-score for score in references], fraction)}
    return sorted(place for place in chosen if not math.isnan(worst[place]))


def _first(keys: Sequence[float], fraction: float) -> list[int]:
    """Places of the smallest keys, this fraction, at least one; NaN is last, ties go to the lower place."""
    count = max(1, round(fraction * len(keys)))
    return sorted(range(len(keys)), key=lambda place: (math.isnan(keys[place]), keys[place], place))[:count]


def _best_first(scores: Sequence[float], places: Sequence[int]) -> list[int]:
    return [places[at] for at in _first([-scores[place] for place in places], 1.0)] if places else []


def _negatives(scores: Sequence[float], count: int | None) -> list[int]:
    """The lowest-scoring, best first; candidates without a score are left out."""
    known = [place for place, score in enumerate(scores) if not math.isnan(score)]
    lowest = sorted(known, key=lambda place: (scores[place], place))[:count]
    return _best_first(scores, sorted(lowest))


def _positives(
    place: int,
    scores: list[float],
    reference: float,
    selection: Selection,
    known: bool,
    keys: Sequence[str | None] | None,
) -> list[_Row]:
    """A document's rows under ``per_document``: none where its best and worst are too close.

    ``known`` is whether the reference may be a negative. A negative that is the target but for its typography is left
    out.
    """
    pool = {at: score for at, score in enumerate(scores) if not math.isnan(score)}
    if selection.references and not math.isnan(reference):
        pool[_REFERENCE] = reference
    count = selection.num_extremes
    best = sorted(pool, key=lambda at: (-pool[at], at))[:count]  # the reference before its equals
    # As a negative the reference comes after its equals: to unlearn a sample is what this is for.
    order = sorted(pool, key=lambda at: (pool[at], at if at != _REFERENCE else len(scores)))
    worst = [at for at in order if known or at != _REFERENCE][:count]
    if not best or not worst or set(best) & set(worst):
        return []
    low, high = min(pool[at] for at in best), max(pool[at] for at in worst)
    if not (low > high and low - high >= selection.margin):
        return []
    negatives = sorted(worst[: selection.num_negatives], key=lambda at: (-pool[at], at))
    rows = [
        _Row(place, [at for at in negatives if keys is None or keys[at] != keys[target]], target) for target in best
    ]
    return [row for row in rows if row.candidates]


def _rows_of(
    dataset: Dataset,
    rows: list[_Row],
    scores: list[list[float]],
    references: list[float],
    pools: dict[str, list[list[Any]]],
    target_columns: dict[str, str | None],
) -> Dataset:
    """The rows as a data set; ``target_columns`` names each column of candidates' column of references."""
    ranked = [[*own, reference] for own, reference in zip(scores, references, strict=True)]
    columns: dict[str, list[Any]] = {}
    for name, documents in {CANDIDATE_SCORES: ranked, **pools}.items():
        columns[name] = [[documents[row.document][at] for at in row.candidates] for row in rows]
    if any(row.target != _REFERENCE for row in rows):
        columns[REFERENCE_SCORE] = [ranked[row.document][row.target] for row in rows]
        for name, documents in pools.items():
            column = target_columns[name]
            if column is not None and column in dataset.column_names:
                columns[column] = [documents[row.document][row.target] for row in rows]
    return with_columns(dataset.select([row.document for row in rows]), columns)


def _why_nothing(scores: list[list[float]], selection: Selection) -> str:
    documents = len(scores)
    if all(math.isnan(score) for own in scores for score in own):
        return (
            f"Nothing is left to train on: of {documents} documents none has a candidate with a score. The ranker "
            "scored none of the samples, or all are the reference itself: sample more candidates, sample at a higher "
            "temperature, or choose another ranker."
        )
    return (
        f"Nothing is left to train on: in none of {documents} documents do the {selection.num_extremes} best "
        f"summaries lead the {selection.num_extremes} worst by {selection.margin:g}: lower margin or num_extremes, or "
        "sample more candidates."
    )
