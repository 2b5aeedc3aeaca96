"""Fitting a map, trying it on what it has not seen, what it is worth, and its picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from quals import DataError
from scipy.special import expit

from trainer_ext.calibration.figure import write_figure
from trainer_ext.calibration.fit import Judged, by_other_sets, crossfitted, logistic_map
from trainer_ext.calibration.quality import Quality, calibration_error
from trainer_ext.study.statistics import Floats, Integers


def drawn(rows: int, slope: float = 2.0, intercept: float = 1.0, seed: int = 0, each: int = 2) -> Judged:
    """Rows whose labels follow a logistic map, ``each`` of one document, in two sets."""
    rng = np.random.default_rng(seed)
    scores = -rng.gamma(2.0, 0.5, size=rows)
    labels = (rng.random(rows) < expit(slope * scores + intercept)).astype(np.int64)
    return Judged(scores, labels, [n // each for n in range(rows)], ["ab"[n * 2 // rows] for n in range(rows)])


def test_the_map_that_drew_the_labels_is_found() -> None:
    judged = drawn(20_000)
    assert logistic_map(judged.scores, judged.labels) == pytest.approx((2.0, 1.0), abs=0.1)
    # Another unit of the scores is another slope, and nothing else.
    slope, intercept = logistic_map(judged.scores * 1000 + 7, judged.labels)
    assert slope * 1000 == pytest.approx(2.0, abs=0.1)
    assert intercept + 7 * slope == pytest.approx(1.0, abs=0.1)


def test_scores_that_separate_the_labels_give_a_finite_map() -> None:
    scores = np.linspace(-3, 0, 40)
    slope, intercept = logistic_map(scores, (scores > -1.5).astype(np.int64))
    assert 1 < slope < 100
    assert expit(slope * scores[[0, -1]] + intercept) == pytest.approx([0, 1], abs=0.1)


@pytest.mark.parametrize("scores", [np.zeros(40), np.repeat([-1.0, -2.0], 20)], ids=["equal", "against"])
def test_scores_that_say_nothing_give_the_base_rate(scores: np.ndarray) -> None:
    labels = np.repeat([0, 1], 20)
    slope, intercept = logistic_map(scores, labels)
    assert slope == 0
    assert expit(intercept) == pytest.approx(0.5, abs=1e-4)


def test_a_document_is_judged_by_a_map_that_has_not_seen_it() -> None:
    judged = drawn(80, each=4)
    before = crossfitted(judged, seed=1)
    labels = judged.labels.copy()
    labels[8:12] = 1 - labels[8:12]  # those of one document
    after = crossfitted(replace(judged, labels=labels), seed=1)
    assert (after[8:12] == before[8:12]).all()
    assert (after != before).sum() > 60
    assert not np.array_equal(crossfitted(judged, seed=2), before)


def mapped(judged: Judged, name: str) -> tuple[Floats, Integers]:
    found = by_other_sets(judged, name)
    assert found is not None
    return found


def test_sets_about_the_same_documents_have_no_map_of_the_others() -> None:
    judged = drawn(80, each=2)
    assert by_other_sets(replace(judged, sets=["a", "b"] * 40), "a") is None


def test_a_set_is_judged_by_a_map_of_the_others_without_its_documents() -> None:
    judged = drawn(80, each=4)
    judged = replace(judged, sets=["a"] * 38 + ["b"] * 42)  # rows 36 to 39 are one document, in both
    before, places = mapped(judged, "a")
    assert places.tolist() == list(range(38))
    labels = judged.labels.copy()
    labels[:40] = 1 - labels[:40]
    assert (mapped(replace(judged, labels=labels), "a")[0] == before).all()
    labels[44] = 1 - labels[44]
    assert not (mapped(replace(judged, labels=labels), "a")[0] == before).any()


def test_the_quality_by_hand() -> None:
    probabilities, labels = np.array([0.2, 0.4, 0.9, 0.7]), np.array([0, 1, 1, 0])
    quality = Quality.of(probabilities, probabilities, labels, ["a", "b", "c", "c"], 50, seed=0)
    assert (quality.rows, quality.documents, quality.base_rate) == (4, 3, 0.5)
    assert quality.brier.value == pytest.approx((0.04 + 0.36 + 0.01 + 0.49) / 4)
    assert quality.base_brier.value == 0.25
    assert quality.gain.value == pytest.approx(0.25 - 0.225)
    assert quality.error.value == pytest.approx((0.2 + 0.6 + 0.1 + 0.7) / 4)  # a bin per row
    assert quality.auroc.value == 0.75
    assert [(one.probability, one.share.value, one.rows) for one in quality.bins] == [
        (0.2, 0.0, 1),
        (0.4, 1.0, 1),
        (0.7, 0.0, 1),
        (0.9, 1.0, 1),
    ]
    low, high = quality.brier.interval
    assert low < quality.brier.value < high


def test_the_quality_of_good_and_bad_probabilities() -> None:
    judged = drawn(4000)
    good = expit(2 * judged.scores + 1)
    found = Quality.of(good, judged.scores, judged.labels, judged.documents, 50, 0)
    sure = Quality.of(expit(6 * judged.scores + 6), judged.scores, judged.labels, judged.documents, 50, 0)
    assert found.gain.interval[0] > 0
    assert found.error.value < 0.05 < sure.error.value
    assert sure.brier.value > found.brier.value
    assert sure.auroc == found.auroc
    assert calibration_error(good, judged.labels) == found.error.value


def test_too_few_rows_documents_or_labels_are_refused() -> None:
    judged = drawn(60)
    judged.require_enough()
    cases = {
        "20 judged rows": drawn(20),
        "of 3 documents": drawn(60, each=20),
        "Label 0 has 0 rows": replace(judged, labels=np.ones(60, dtype=np.int64)),
        "Label 1 has 0 rows": replace(judged, labels=np.zeros(60, dtype=np.int64)),
    }
    for message, few in cases.items():
        with pytest.raises(DataError, match=message):
            few.require_enough()


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_picture_is_the_same_bytes_again(tmp_path: Path, suffix: str) -> None:
    judged = drawn(300)
    quality = Quality.of(crossfitted(judged, 0), judged.scores, judged.labels, judged.documents, 20, 0)
    for name in ("one", "two"):
        write_figure(quality, tmp_path / f"{name}{suffix}")
    one, two = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("one", "two"))
    assert one == two
    assert len(one) > 5000
