"""Fit a logistic map from scores to the probability of a consistent summary, and try it on rows it has not seen."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from quals.errors import DataError
from scipy.optimize import minimize
from scipy.special import expit

from trainer_ext.study.statistics import Floats, Integers

Mask = NDArray[np.bool_]

_FOLDS = 10
LEAST_ROWS, LEAST_OF_A_LABEL, LEAST_DOCUMENTS = 50, 10, _FOLDS


@dataclass(frozen=True)
class Judged:
    """Scored summaries that people judged.

    Attributes:
        scores: shape (rows,), of scorers with one signature.
        labels: shape (rows,); 1 is consistent, 0 is not.
        documents: what the rows of one document share.
        sets: name of each row's set.
    """

    scores: Floats
    labels: Integers
    documents: Sequence[Hashable]
    sets: Sequence[str]

    @property
    def base_rate(self) -> float:
        """Share of the rows that is consistent, 0 to 1."""
        return float(self.labels.mean())

    def __len__(self) -> int:
        return len(self.scores)

    def require_enough(self) -> None:
        """Find out whether a map can be fitted.

        Raises:
            DataError: there are too few rows, documents, or rows of a label.
        """
        documents, ones = len(set(self.documents)), int(self.labels.sum())
        if len(self) < LEAST_ROWS or documents < LEAST_DOCUMENTS:
            raise DataError(
                f"There are {len(self)} judged rows with a score, of {documents} documents: a map needs {LEAST_ROWS} "
                f"rows of {LEAST_DOCUMENTS} documents at least, and some hundred to be of use; judge more."
            )
        for label, count in ((1, ones), (0, len(self) - ones)):
            if count < LEAST_OF_A_LABEL:
                raise DataError(
                    f"Label {label} has {count} rows: a map needs {LEAST_OF_A_LABEL} rows of both, 1 (consistent) and "
                    "0; judge more, or give another --label-column."
                )


def logistic_map(scores: Floats, labels: Integers) -> tuple[float, float]:
    """Slope (0 or more, per unit of the scores) and intercept of the likeliest map.

    Labels are first moved a little towards each other, as Platt (1999) does, so that rows whose labels a score
    separates give a finite slope.

    Args:
        scores: shape (rows,).
        labels: shape (rows,), 0 or 1.
    """
    ones = int(labels.sum())
    targets = np.where(labels == 1, (ones + 1) / (ones + 2), 1 / (len(labels) - ones + 2))
    center, scale = float(scores.mean()), float(scores.std()) or 1.0
    inputs = np.stack([(scores - center) / scale, np.ones_like(scores)])  # (2, rows)

    def loss(weights: Floats) -> tuple[float, Floats]:
        logits = weights @ inputs
        errors = expit(logits) - targets
        return float(np.mean(np.logaddexp(0, logits) - targets * logits)), inputs @ errors / len(scores)

    slope, intercept = minimize(loss, np.zeros(2), jac=True, bounds=[(0, None), (None, None)]).x
    return float(slope / scale), float(intercept - slope * center / scale)


def crossfitted(judged: Judged, seed: int) -> Floats:
    """Each row's probability by a map fitted without the documents of its fold, shape (rows,)."""
    places = {document: place for place, document in enumerate(dict.fromkeys(judged.documents))}
    fold_of = np.random.default_rng(seed).permutation(len(places)) % _FOLDS
    folds = fold_of[[places[document] for document in judged.documents]]
    probabilities = np.empty(len(judged))
    for fold in range(_FOLDS):
        inside = folds == fold
        probabilities[inside] = _mapped(judged, ~inside, inside)
    return probabilities


def by_other_sets(judged: Judged, name: str) -> tuple[Floats, Integers] | None:
    """Probabilities of the rows of a set by a map fitted on the other sets, and the places of these rows.

    Rows of the set's own documents are left out of the fit wherever they stand. None if this leaves too few rows of a
    label, as it does where all sets are about the same documents.
    """
    inside = np.array([own == name for own in judged.sets])
    its = {document for document, own in zip(judged.documents, judged.sets, strict=True) if own == name}
    outside = np.array([document not in its for document in judged.documents])
    if np.bincount(judged.labels[outside], minlength=2).min() < LEAST_OF_A_LABEL:
        return None
    return _mapped(judged, outside, inside), np.flatnonzero(inside)


def _mapped(judged: Judged, fitted: Mask, tried: Mask) -> Floats:
    slope, intercept = logistic_map(judged.scores[fitted], judged.labels[fitted])
    return expit(slope * judged.scores[tried] + intercept)
