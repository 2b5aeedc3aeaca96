"""The agreement benchmark's statistics and aggregations, against scipy and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from benchmarks.agreement.aggregations import EXPERIMENTS, WEIGHTED
from benchmarks.agreement.cache import PairRecord
from benchmarks.common.statistics import pairwise_accuracy, pearson, spearman
from trainer_ext.mining.rankers import ngram_share
from trainer_ext.study.statistics import cluster_resamples, interval

RNG = np.random.default_rng(0)


def test_correlations_equal_scipys() -> None:
    x, y = RNG.normal(size=50), RNG.integers(0, 4, size=50).astype(float)
    assert pearson(x, y) == pytest.approx(stats.pearsonr(x, y)[0])
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y)[0])


def test_partial_correlation_equals_regression_on_one_hot_groups() -> None:
    groups = RNG.integers(0, 4, size=60)
    x = RNG.normal(size=60) + groups
    y = RNG.normal(size=60) + 0.3 * x - 2 * groups
    one_hot = np.eye(4)[groups]

    def residual(values: np.ndarray) -> np.ndarray:
        return values - one_hot @ np.linalg.lstsq(one_hot, values, rcond=None)[0]

    expected = stats.pearsonr(residual(x), residual(y))[0]
    assert pearson(x, y, groups) == pytest.approx(expected)
    assert abs(pearson(x, y) - expected) > 0.2
    ranked = stats.pearsonr(residual(stats.rankdata(x)), residual(stats.rankdata(y)))[0]
    assert spearman(x, y, groups) == pytest.approx(ranked)


def test_partial_correlation_does_not_see_a_shift_of_a_group() -> None:
    groups = np.repeat([0, 1], 20)
    x, y = RNG.normal(size=40), RNG.normal(size=40)
    assert pearson(x + 100 * groups, y - 7 * groups, groups) == pytest.approx(pearson(x, y, groups))


@pytest.mark.parametrize("groups", [None, np.array([0, 0, 1, 1])])
def test_a_constant_side_has_no_correlation(groups: np.ndarray | None) -> None:
    x, y = np.array([0.1, 0.1, 0.3, 0.3] if groups is not None else [0.1] * 4), np.arange(4.0)
    assert math.isnan(pearson(x, y, groups))
    assert math.isnan(pearson(y, x, groups))


def test_pairwise_accuracy_halves_the_ties() -> None:
    assert pairwise_accuracy(np.array([2.0, 1.0, 3.0, 0.0]), np.array([1.0, 1.0, 4.0, -1.0])) == 0.625
    assert math.isnan(pairwise_accuracy(np.array([]), np.array([])))


def test_documents_that_repeat_rows_widen_the_interval() -> None:
    x = np.repeat(RNG.normal(size=30), 8)
    y = np.repeat(RNG.normal(size=30), 8)
    widths = []
    for clusters in (range(240), np.repeat(np.arange(30), 8).tolist()):
        draws = cluster_resamples(clusters, 300, seed=0)
        low, high = interval(np.array([pearson(x[draw], y[draw]) for draw in draws]))
        widths.append(high - low)
    assert widths[1] > 2 * widths[0]


def test_ngram_share_by_hand() -> None:
    document = "The Cat sat, on the mat."
    assert ngram_share(document, "the cat ate the mat", 1) == pytest.approx(4 / 5)
    assert ngram_share(document, "the cat ate the mat", 2) == pytest.approx(2 / 4)
    assert ngram_share(document, "CAT SAT ON", 2) == 1.0
    assert math.isnan(ngram_share(document, "cat", 2))


def pair(summary: tuple[float, ...], source: tuple[float, ...], answer_tokens: int = 2) -> PairRecord:
    """A record whose texts do not matter."""
    return PairRecord("who ?", "cat", answer_tokens, summary, source, tuple(value - 2.0 for value in summary))


def test_aggregations_by_hand() -> None:
    pairs = [pair((-1.0, -1.0, -1.0, -1.0), (-2.0, -1.0, -4.0, -0.5)), pair((-1.0, -2.0, -3.0), (-1.0, -2.0, -4.0))]
    expected = {
        "QUALS tokens": (-3.5 / 4 - 1 / 3) / 2,
        "QUALS answer": (-2.5 / 2 - 1.0) / 2,
        "QUALS balanced": ((-0.5 - 1.25) / 2 - 0.5) / 2,
        "QUALS information": -4.5 / 14,
        "worst pair": -3.5 / 4,
        "worst pair, answer": -1.25,
        "worst three": (-3.5 / 4 - 1 / 3) / 2,
        "worst token": (-3.0 - 1.0) / 2,
        "losses only": (-1.0 - 1 / 3) / 2,
        "answer losses only": (-1.5 - 1.0) / 2,
        "sure pairs": (math.exp(-1) * -3.5 / 4 + math.exp(-2) * -1 / 3) / (math.exp(-1) + math.exp(-2)),
        "source only": (-7.5 / 4 - 7 / 3) / 2,
    }
    found = {name: aggregation(pairs) for name, aggregation in {**WEIGHTED, **EXPERIMENTS}.items()}
    assert found == pytest.approx(expected)
    assert all(math.isnan(aggregation([])) for aggregation in {**WEIGHTED, **EXPERIMENTS}.values())
