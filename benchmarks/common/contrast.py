"""Pairs of summaries of one source, of which one is right: does a metric score the right one higher?"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from quals import QualsResult, QualsScorer
from quals.results import WEIGHTINGS, mean_score, weighted_mean

from trainer_ext.io.atomic import json_line, replacing
from trainer_ext.mining.rankers import ngram_share
from trainer_ext.study.statistics import cluster_resamples, interval

TIE = 1e-6  # differences below are rounding
RESAMPLES = 1000
FLOORS = {"unigrams": 1, "bigrams": 2}


@dataclass(frozen=True)
class ContrastPair:
    """A source with a right and a wrong summary.

    Attributes:
        kind: what makes the wrong summary wrong.
        source: a text of 60 to 150 words.
        consistent, inconsistent: one or two sentences each.
        subset: name of a part of the set that is reported alone too; empty for none.
    """

    kind: str
    source: str
    consistent: str
    inconsistent: str
    subset: str = ""


@dataclass(frozen=True)
class Outcome:
    """One pair's two scores by one metric; higher is more consistent, NaN where there is no score.

    Attributes:
        kind, subset: as in the pair.
        source: number of the pair's source, shared by the pairs of one text.
        metric: name of the metric.
        consistent, inconsistent: the scores.
    """

    kind: str
    subset: str
    source: int
    metric: str
    consistent: float
    inconsistent: float

    @property
    def difference(self) -> float:
        """Consistent minus inconsistent."""
        return self.consistent - self.inconsistent

    @property
    def right(self) -> bool:
        """Whether the consistent summary scores higher; False for a tie or without a score."""
        return self.difference > TIE  # NaN compares False


def load_pairs(path: Path) -> list[ContrastPair]:
    """The pairs of a JSON lines file, in its order."""
    with path.open(encoding="utf-8") as lines:
        return [ContrastPair(**json.loads(line)) for line in lines if line.strip()]


def outcomes(pairs: Sequence[ContrastPair], scorer: QualsScorer) -> list[Outcome]:
    """Every pair by QUALS in each weighting, from one pass of the model, and by the two floors.

    The ``scorer`` has ``weighting="information"``, because that needs most.
    """
    texts = [(pair.source, summary) for pair in pairs for summary in (pair.consistent, pair.inconsistent)]
    results = scorer.score([source for source, _ in texts], [summary for _, summary in texts])
    numbers = {source: number for number, source in enumerate(dict.fromkeys(pair.source for pair in pairs))}
    scored = []
    for place, pair in enumerate(pairs):
        both = results[2 * place : 2 * place + 2]
        by_metric = {
            f"QUALS {weighting}": [_weighted(result, weighting) for result in both] for weighting in WEIGHTINGS
        }
        for name, order in FLOORS.items():
            by_metric[name] = [ngram_share(pair.source, text, order) for text in (pair.consistent, pair.inconsistent)]
        scored += [
            Outcome(pair.kind, pair.subset, numbers[pair.source], metric, *scores)
            for metric, scores in by_metric.items()
        ]
    return scored


def _weighted(result: QualsResult, weighting: str) -> float:
    if weighting == "information":
        return result.score
    return mean_score(
        [
            weighted_mean(pair.token_log_probs_source, pair.answer_tokens, weighting)
            - weighted_mean(pair.token_log_probs_summary, pair.answer_tokens, weighting)
            for pair in result.pairs
        ]
    )


def pairs_table(scored: Sequence[Outcome], metric: str) -> str:
    """One row per pair: both scores by one metric."""
    lines = ["| kind | consistent | inconsistent | difference | right |", "|---|---:|---:|---:|---|"]
    for outcome in scored:
        if outcome.metric == metric:
            values = (outcome.consistent, outcome.inconsistent, outcome.difference)
            cells = ["–" if math.isnan(value) else f"{value:.3f}" for value in values]  # noqa: RUF001
            lines.append(f"| {outcome.kind} | {' | '.join(cells)} | {'yes' if outcome.right else 'no'} |")
    return "\n".join(lines)


def kinds_table(scored: Sequence[Outcome], metric: str) -> str:
    """One row per kind: how many pairs one metric puts in the right order."""
    lines = ["| kind | right |", "|---|---:|"]
    by_kind: dict[str, list[bool]] = {}
    for outcome in scored:
        if outcome.metric == metric:
            by_kind.setdefault(outcome.kind, []).append(outcome.right)
    for kind, right in sorted(by_kind.items()):
        lines.append(f"| {kind} | {sum(right)} of {len(right)} |")
    return "\n".join(lines)


def metrics_table(scored: Sequence[Outcome]) -> str:
    """One row per metric: how many pairs come out right, with a 95 % interval over sources."""
    lines = ["| metric | right | share | wrong | tie or no score (counted as wrong) |", "|---|---:|---:|---:|---:|"]
    for metric in dict.fromkeys(outcome.metric for outcome in scored):
        rows = [outcome for outcome in scored if outcome.metric == metric]
        right = np.array([outcome.right for outcome in rows], dtype=float)
        draws = cluster_resamples([outcome.source for outcome in rows], RESAMPLES, seed=0)
        low, high = interval(np.array([right[draw].mean() for draw in draws]))
        wrong = sum(outcome.difference < -TIE for outcome in rows)
        lines.append(
            f"| {metric} | {right.sum():.0f} of {len(rows)} | {right.mean():.0%} [{low:.0%}, {high:.0%}] | {wrong} "
            f"| {len(rows) - int(right.sum()) - wrong} |"
        )
    return "\n".join(lines)


def write_outcomes(scored: Sequence[Outcome], path: Path, signature: str) -> None:
    """Write one line of JSON per pair and metric; a missing score is null."""
    rows = []
    for outcome in scored:
        values = {**asdict(outcome), "right": outcome.right, "signature": signature}
        rows.append({key: None if value != value else value for key, value in values.items()})  # NaN is not JSON
    with replacing(path) as file:
        file.writelines(map(json_line, rows))
