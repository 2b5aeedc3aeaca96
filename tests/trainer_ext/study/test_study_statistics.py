"""Numbers against examples worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from trainer_ext.study.statistics import (
    BETTER,
    alpha,
    auroc,
    cluster_resamples,
    interval,
    majority,
    resamples,
    shares,
    sign_test,
)

RNG = np.random.default_rng(0)


def test_a_majority_is_more_than_half() -> None:
    counts = np.array([[0, 0, 1], [1, 0, 2], [1, 1, 1], [1, 0, 1], [2, 1, 0], [0, 1, 1], [0, 0, 0], [1, 1, 2]])
    equal, better, worse = [0, 1, 0], [0, 0, 1], [1, 0, 0]
    assert majority(counts).tolist() == [better, better, equal, equal, worse, equal, equal]
    assert majority(np.zeros((0, 3), dtype=np.int64)).shape == (0, 3)


def test_the_sign_test_is_exact() -> None:
    assert sign_test(8, 2) == sign_test(2, 8) == pytest.approx(2 * (1 + 10 + 45) / 1024)
    assert sign_test(5, 0) == pytest.approx(2 / 32)
    assert sign_test(3, 3) == sign_test(0, 0) == 1.0


def test_alpha_is_ordinal() -> None:
    # Values: better 3, worse 3. Distance worse-better: (3 + 0 + 3 - 3)^2 = 9. Observed 2 * 9 / 6, expected 162 / 30.
    assert alpha(np.array([[0, 0, 2], [2, 0, 0], [1, 0, 1]])) == pytest.approx(1 - 3 / 5.4)
    # Values: worse 2, equal 1, better 3. Distances: worse-equal 2.25, worse-better 12.25, equal-better 4.
    # Observed 2 * 4 / 6, expected 2 * (2 * 2.25 + 6 * 12.25 + 3 * 4) / 30.
    assert alpha(np.array([[0, 1, 1], [2, 0, 0], [0, 0, 2]])) == pytest.approx(1 - (8 / 6) / 6)


def test_alpha_leaves_out_what_one_rater_judged() -> None:
    counts = np.array([[0, 1, 1], [2, 0, 0], [0, 0, 2]])
    assert alpha(np.vstack([counts, [[1, 0, 0], [0, 0, 0]]])) == pytest.approx(alpha(counts))


@pytest.mark.parametrize("counts", [[[0, 0, 2], [0, 0, 3]], [[1, 0, 0], [0, 1, 0]], [[0, 0, 0]]])
def test_alpha_is_undefined_without_pairs_or_without_differences(counts: list[list[int]]) -> None:
    assert math.isnan(alpha(np.array(counts)))


def test_shares_are_of_all_judgements() -> None:
    assert shares(np.array([[1, 0, 2], [0, 1, 0]])).tolist() == [0.25, 0.25, 0.5]
    assert np.isnan(shares(np.zeros((0, 3), dtype=np.int64))).all()


def test_intervals_resample_documents() -> None:
    counts = np.zeros((100, 3), dtype=np.int64)
    counts[:60, BETTER], counts[60:, 1] = 1, 1
    drawn = shares(counts[resamples(100, 4000, 0)])
    expected = [binom.ppf(level, 100, 0.6) / 100 for level in (0.025, 0.975)]
    assert interval(drawn[:, BETTER]) == pytest.approx(expected, abs=0.011)
    assert interval(drawn[:, 0]) == (0.0, 0.0)
    # Ten raters of two documents are evidence of two documents.
    two = np.array([[0, 0, 10], [10, 0, 0]])
    assert interval(shares(two[resamples(2, 1000, 0)])[:, BETTER]) == (0.0, 1.0)


def test_an_interval_of_nothing_is_undefined() -> None:
    assert all(math.isnan(limit) for limit in interval(np.array([])))
    assert interval(np.array([math.nan, 1.0, 3.0])) == pytest.approx((1.05, 2.95))


def test_auroc_counts_the_pairs_and_halves_the_ties() -> None:
    scores, labels = RNG.integers(0, 5, size=40).astype(float), RNG.integers(0, 2, size=40)
    wins = [
        1.0 if positive > negative else 0.5 if positive == negative else 0.0
        for positive in scores[labels == 1]
        for negative in scores[labels == 0]
    ]
    assert auroc(scores, labels) == pytest.approx(np.mean(wins))
    assert math.isnan(auroc(scores, np.ones(40, dtype=int)))


def test_resamples_are_of_whole_documents_and_repeat_with_the_seed() -> None:
    clusters = ["a", "b", "a", "c", "b", "a"]
    first, again = cluster_resamples(clusters, 20, seed=3), cluster_resamples(clusters, 20, seed=3)
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    other = cluster_resamples(clusters, 20, seed=4)
    assert any(not np.array_equal(one, two) for one, two in zip(first, other, strict=True))
    for draw in first:
        counts = np.bincount(draw, minlength=6)
        assert counts[0] == counts[2] == counts[5]
        assert counts[1] == counts[4]
        assert counts[0] + counts[1] + counts[3] == 3
    assert len({len(draw) for draw in first}) > 1


def test_interval_of_the_mean_is_about_the_normal_one() -> None:
    values = RNG.normal(size=400)
    draws = cluster_resamples(range(400), 2000, seed=0)
    low, high = interval(np.array([values[draw].mean() for draw in draws]))
    error = values.std() / 20
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.2 * error)
    assert interval(np.array([1.0, math.nan, 1.0])) == (1.0, 1.0)
