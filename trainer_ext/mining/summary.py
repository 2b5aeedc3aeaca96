"""What mining did, in numbers, for logs and model cards."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from datasets import Dataset
from quals.rows import as_json

from trainer_ext.dataset import CANDIDATE_LABELS, CANDIDATE_SCORES
from trainer_ext.mining.columns import candidate_scores, reference_scores, values


@dataclass(frozen=True)
class MiningSummary:
    """Numbers of one mining run.

    Means leave NaN out; the mean of nothing is NaN. What the steps that were done do not say is empty, 0 or NaN.

    Attributes:
        ranker, signature: what scored.
        rule: what selected; never ``auto``.
        documents, candidates: number of documents that were mined, and of their candidates.
        coverage: share of the candidates that have a score.
        mean_candidate_score, mean_worst_score, mean_reference_score: means over all documents.
        selected: number of rows that are left.
        negatives: number of candidates in them.
        mean_negative_score, mean_target_score: means over these rows.
        rouge_l: mean ROUGE-L F1 of samples against references, 0 to 1; NaN where there was nothing to compare.
        empty: number of documents that were left out, without a letter or digit in source or reference.
    """

    ranker: str = ""
    signature: str = ""
    rule: str = ""
    documents: int = 0
    candidates: int = 0
    coverage: float = math.nan
    mean_candidate_score: float = math.nan
    mean_worst_score: float = math.nan
    mean_reference_score: float = math.nan
    selected: int = 0
    negatives: int = 0
    mean_negative_score: float = math.nan
    mean_target_score: float = math.nan
    rouge_l: float = math.nan
    empty: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; NaN is None."""
        values: dict[str, Any] = as_json(asdict(self))
        return values

    def table(self) -> list[tuple[str, str]]:
        """Names and values for people; what is not known is left out."""
        lines = [("documents", str(self.documents))]
        if self.empty:
            lines += [("left out", f"{self.empty} documents without words in source or reference")]
        if self.candidates:
            coverage = "" if math.isnan(self.coverage) else f" (with a score: {self.coverage:.1%})"
            lines += [("candidates", f"{self.candidates}{coverage}")]
        lines += [("mean score", f"{self.mean_candidate_score:.4f}, of the worst {self.mean_worst_score:.4f}")]
        lines += [("references", f"{self.mean_reference_score:.4f}"), ("ROUGE-L", f"{self.rouge_l:.3f}")]
        if self.rule:
            lines += [("rule", self.rule), ("selected", f"{self.selected} rows, {self.negatives} candidates")]
            lines += [("their score", f"{self.mean_negative_score:.4f}, of targets {self.mean_target_score:.4f}")]
        return [(name, value) for name, value in lines if not value.startswith("nan")]


def summarize(
    mined: Dataset,
    selected: Dataset | None,
    *,
    ranker: str = "",
    signature: str = "",
    rule: str = "",
    rouge_l: float | None = None,
    empty: int = 0,
) -> MiningSummary:
    """Numbers of a data set with candidates, perhaps with scores, and of what was selected from it, if anything was."""
    numbers: dict[str, Any] = {}
    if CANDIDATE_SCORES in mined.column_names:
        scores = candidate_scores(mined)
        flat = [score for own in scores for score in own]
        known = [[score for score in own if not math.isnan(score)] for own in scores]
        numbers = {
            "candidates": len(flat),
            "coverage": sum(map(len, known)) / len(flat) if flat else math.nan,
            "mean_candidate_score": _mean(flat),
            "mean_worst_score": _mean(min(own) for own in known if own),
            "mean_reference_score": _mean(reference_scores(mined)),
        }
    elif CANDIDATE_LABELS in mined.column_names:
        numbers = {"candidates": sum(map(len, values(mined, CANDIDATE_LABELS)))}
    if selected is not None:
        left = candidate_scores(selected)
        numbers |= {
            "selected": len(selected),
            "negatives": sum(map(len, left)),
            "mean_negative_score": _mean(score for own in left for score in own),
            "mean_target_score": _mean(reference_scores(selected)),
        }
    return MiningSummary(
        ranker=ranker,
        signature=signature,
        rule=rule,
        documents=len(mined),
        empty=empty,
        rouge_l=math.nan if rouge_l is None else rouge_l,
        **numbers,
    )


def _mean(scores: Iterable[float]) -> float:
    known = [score for score in scores if not math.isnan(score)]
    return statistics.fmean(known) if known else math.nan
