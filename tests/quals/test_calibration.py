"""From scores to probabilities: the map, its file, and where a scorer uses it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from quals import Calibration, CheckpointError, OptionError, QualsScorer
from quals.quals import Quals
from support.learned import OPTIONS, texts, values

MAP = Calibration(2.0, 3.0, "quals-v2-0123456789ab", ("news", "chat"), 400, 200, 0.6)


def test_the_probability_is_the_logistic_and_rises_with_the_score() -> None:
    scores = [-4.0, -1.5, -0.5, 0.0, 0.25]
    found = [MAP.probability(score) for score in scores]
    assert found == pytest.approx([1 / (1 + math.exp(-(2 * score + 3))) for score in scores])
    assert [MAP.probability(score) for score in (-1e9, 1e9)] == [0.0, 1.0]
    assert MAP.probability(math.nan) is None
    assert MAP.probability(None) is None


def test_a_written_map_is_read_as_it_was(tmp_path: Path) -> None:
    MAP.write(tmp_path / "calibration.json")
    assert Calibration.read(tmp_path / "calibration.json") == MAP
    assert Calibration.read(str(tmp_path / "calibration.json")) == MAP


@pytest.mark.parametrize(
    "change",
    [
        {"slope": math.inf},
        {"slope": 0},
        {"slope": -1.0},
        {"slope": True},
        {"slope": "2"},
        {"slope": 10**400},
        {"intercept": None},
        {"intercept": math.nan},
        {"base_rate": 1.0},
        {"base_rate": []},
        {"rows": 0},
        {"documents": 1.5},
        {"signature": 5},
        {"sets": [5]},
        {"sets": "news"},
        {"format": "quals-calibration-9"},
    ],
    ids=str,
)
def test_a_file_with_a_wrong_value_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps({**json.loads(MAP.to_json()), **change}))
    refused(path)


@pytest.mark.parametrize("name", json.loads(MAP.to_json()))
def test_a_file_that_lacks_a_value_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps({key: value for key, value in json.loads(MAP.to_json()).items() if key != name}))
    assert name in refused(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"[1]", b"\xff\xfe\x00", b"[" * 100_000, MAP.to_json()[:60], b"9" * 5000, b" " * 2_000_000],
    ids=["empty", "null", "list", "bytes", "deep", "cut", "long number", "large"],
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "calibration.json"
    path.write_bytes(content)
    refused(path)


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.json", Path("a\0b")):
        refused(path)


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        Calibration.read(path)
    message = str(caught.value)
    assert "\n" not in message
    assert "calibrat" in message
    assert "quals calibrate" in message
    return message


def test_results_have_a_probability_and_everything_else_stays(
    learned: Path, scorer: QualsScorer, tmp_path: Path
) -> None:
    calibration = replace(MAP, signature=scorer.signature)
    calibration.write(tmp_path / "c.json")
    sources, summaries = texts(6)
    sources, summaries = [*sources, "the cat"], [*summaries, ""]
    before = scorer.score(sources, summaries)
    assert [result.probability for result in before] == [None] * 7
    for given in (calibration, tmp_path / "c.json", str(tmp_path / "c.json")):
        other = QualsScorer(scorer.qagen, calibration=given, **OPTIONS)
        assert other.signature == scorer.signature
        after = other.score(sources, summaries)
        assert values(after) == pytest.approx(values(before), nan_ok=True, abs=0)
        assert [result.probability for result in after] == [calibration.probability(score) for score in values(after)]
    assert after[-1].probability is None
    assert after[0].to_dict()["probability"] == after[0].probability


def test_a_map_of_other_scores_is_refused(learned: Path, scorer: QualsScorer) -> None:
    with pytest.raises(CheckpointError, match=r"quals-v2-0123456789ab.*fit another") as caught:
        QualsScorer(scorer.qagen, calibration=MAP, **OPTIONS)
    assert scorer.signature in str(caught.value)
    for weighting in ("answer", "information"):  # the latter has another unit
        with pytest.raises(CheckpointError, match="fit another"):
            QualsScorer(
                scorer.qagen, calibration=replace(MAP, signature=scorer.signature), **OPTIONS, weighting=weighting
            )
    with pytest.raises(OptionError, match="calibration"):
        QualsScorer(scorer.qagen, calibration=3, **OPTIONS)  # type: ignore[arg-type]


def test_the_metric_gives_probabilities_if_asked(learned: Path, scorer: QualsScorer, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    calibration = replace(MAP, signature=scorer.signature)
    calibration.write(path)
    metric, (sources, summaries) = Quals(str(learned), cache_dir=str(tmp_path)), texts(4)
    assert "probabilities" not in metric.compute(predictions=summaries, sources=sources, **OPTIONS)
    result = metric.compute(predictions=summaries, sources=sources, calibration=str(path), **OPTIONS)
    assert result["probabilities"] == [calibration.probability(score) for score in result["scores"]]
    nested = metric.compute(predictions=[summaries[:3]], sources=sources[:1], calibration=str(path), **OPTIONS)
    assert nested["probabilities"] == [[calibration.probability(score) for score in nested["scores"][0]]]
    with pytest.raises(CheckpointError, match="fit another"):
        metric.compute(predictions=summaries, sources=sources, calibration=str(path), **OPTIONS, max_pairs=3)
