"""What mining found, in numbers, for logs and model cards."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from datasets import Dataset

from trainer_ext.mining.columns import candidate_scores, reference_scores


@dataclass(frozen=True)
class MiningSummary:
    """Of one mining run. Means leave NaN out, and are NaN themselves of nothing.

    Attributes:
        ranker, signature: what scored.
        rule: what selected; never ``auto``.
        documents, candidates: mined.
        coverage: share of the candidates that have a score.
        mean_candidate_score, mean_worst_score, mean_reference_score: of all documents.
        selected: rows that are left.
        negatives: candidates in them.
        mean_negative_score, mean_target_score: of these rows.
        rouge_l: mean ROUGE-L F1 of samples against references; NaN where there was nothing to compare.
    """

    ranker: str
    signature: str
    rule: str
    documents: int
    candidates: int
    coverage: float
    mean_candidate_score: float
    mean_worst_score: float
    mean_reference_score: float
    selected: int
    negatives: int
    mean_negative_score: float
    mean_target_score: float
    rouge_l: float = math.nan

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; NaN is None."""
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in asdict(self).items()
        }


def summarize(
    scored: Dataset, selected: Dataset, *, ranker: str, signature: str, rule: str, rouge_l: float | None = None
) -> MiningSummary:
    """Numbers of a data set with scores, and of what was selected of it."""
    scores, left = candidate_scores(scored), candidate_scores(selected)
    flat = [score for mine in scores for score in mine]
    known = [[score for score in mine if not math.isnan(score)] for mine in scores]
    return MiningSummary(
        ranker=ranker,
        signature=signature,
        rule=rule,
        documents=len(scored),
        candidates=len(flat),
        coverage=sum(map(len, known)) / len(flat) if flat else math.nan,
        mean_candidate_score=_mean(flat),
        mean_worst_score=_mean(min(mine) for mine in known if mine),
        mean_reference_score=_mean(reference_scores(scored)),
        selected=len(selected),
        negatives=sum(map(len, left)),
        mean_negative_score=_mean(score for mine in left for score in mine),
        mean_target_score=_mean(reference_scores(selected)),
        rouge_l=math.nan if rouge_l is None else rouge_l,
    )


def _mean(scores: Iterable[float]) -> float:
    known = [score for score in scores if not math.isnan(score)]
    return statistics.fmean(known) if known else math.nan
