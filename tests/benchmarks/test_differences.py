"""Differences of summarizers' scores, over documents and seeds."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.common.differences import difference, document_means, mean_of

NAN = float("nan")


def test_a_document_counts_once_however_many_seeds_scored_it() -> None:
    scores = np.array([[1.0, NAN, NAN], [3.0, 5.0, NAN]])
    assert document_means(scores).tolist()[:2] == [2.0, 5.0]
    assert np.isnan(document_means(scores)[2])
    assert mean_of(scores) == 3.5
    assert np.isnan(mean_of(np.array([NAN, NAN])))


def test_seeds_that_disagree_widen_the_interval() -> None:
    base = np.random.default_rng(0).normal(size=200)
    change, low, high = difference(np.stack([base + shift for shift in (0.0, 1.0, 2.0)]), base)
    assert (change, low, high) == pytest.approx((1.0, 0.0, 2.0))
    assert difference(np.stack([base + 1] * 3), base) == pytest.approx((1.0, 1.0, 1.0))


def test_one_seed_is_as_none() -> None:
    one, other = np.random.default_rng(0).normal(size=(2, 50))
    assert difference(one[None], other[None]) == difference(one, other)
    other[7] = NAN
    known = np.arange(50) != 7
    assert difference(one, other)[0] == pytest.approx((one - other)[known].mean())
