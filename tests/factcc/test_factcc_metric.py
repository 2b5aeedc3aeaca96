"""FactCC through evaluate, loaded as evaluate loads it."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import evaluate
import pytest
from evaluate.loading import get_imports
from factcc import FactCCScorer
from factcc.factcc import FactCC
from support.tiny import REPOSITORY
from test_factcc_scorer import LONG, SOURCES, SUMMARIES

FOLDER = REPOSITORY / "metrics" / "factcc"
LOAD = """
import json, sys
import evaluate
path, checkpoint, predictions, sources = json.loads(sys.argv[1])
metric = evaluate.load(path, checkpoint)
print(json.dumps([type(metric).__module__, metric.compute(predictions=predictions, sources=sources)]))
"""


@pytest.fixture
def metric(classifier: Path, tmp_path: Path) -> FactCC:
    return FactCC(str(classifier), cache_dir=str(tmp_path))


def test_the_result_is_the_scorers(metric: FactCC, classifier: Path) -> None:
    wanted = FactCCScorer(str(classifier)).score(SOURCES, SUMMARIES)
    result = metric.compute(predictions=SUMMARIES, sources=SOURCES)
    assert result["scores"] == pytest.approx([one.score for one in wanted], abs=1e-5, nan_ok=True)
    assert result["factcc"] == pytest.approx((wanted[0].score + wanted[1].score) / 2, abs=1e-5)
    assert result["num_sentences"] == [2, 1, 0]
    assert result["coverage"] == pytest.approx(2 / 3)
    assert result["signature"] == FactCCScorer(str(classifier)).signature
    assert "sentences" not in result


def test_candidates_and_sentences(metric: FactCC) -> None:
    flat = metric.compute(predictions=SUMMARIES, sources=[SOURCES[0], SOURCES[0], SOURCES[1]], explain=True)
    nested = metric.compute(predictions=[SUMMARIES[:2], SUMMARIES[2:]], sources=SOURCES[:2], explain=True)
    assert [len(scores) for scores in nested["scores"]] == [2, 1]
    assert [x for xs in nested["scores"] for x in xs] == pytest.approx(flat["scores"], abs=1e-5, nan_ok=True)
    assert [one["sentence"] for one in nested["sentences"][0][0]] == ["The king lost Paris.", "The cat sat in London!"]
    assert flat["scores"][0] == pytest.approx(sum(one["score"] for one in flat["sentences"][0]) / 2)


def test_long_sources_are_counted_once(metric: FactCC) -> None:
    texts = {"predictions": [SUMMARIES[:2], [SUMMARIES[0]]], "sources": [LONG, SOURCES[0]]}
    windowed = metric.compute(**texts)
    cut = metric.compute(**texts, long_sources="truncate")
    assert (windowed["windowed_sources"], windowed["truncated_sources"]) == (1, 0)
    assert (cut["windowed_sources"], cut["truncated_sources"]) == (0, 1)


def test_what_was_added_is_scored_and_mistakes_lose_nothing(metric: FactCC) -> None:
    metric.add(prediction=SUMMARIES[0], source=SOURCES[0])
    with pytest.raises(ValueError, match="must be a string"):
        metric.add_batch(predictions=["a", 3], sources=SOURCES[:2])
    metric.add_batch(predictions=SUMMARIES[1:], sources=SOURCES[1:])
    for options in ({"long_sources": "all"}, {"max_tokens": 3}):
        with pytest.raises(ValueError, match=next(iter(options))):
            metric.compute(**options)
    with pytest.raises(TypeError):
        metric.compute(num_groups=3)
    assert metric.compute()["num_sentences"] == [2, 1, 0]
    with pytest.raises(ValueError, match="nothing to score"):
        metric.compute()


def test_nothing_scored_is_nan(metric: FactCC) -> None:
    result = metric.compute(predictions=["", "?"], sources=SOURCES[:2])
    assert math.isnan(result["factcc"])
    assert result["coverage"] == 0


def test_it_names_every_file_beside_it_so_that_evaluate_copies_them() -> None:
    named = {name for kind, name, _, _ in get_imports(str(FOLDER / "factcc.py")) if kind == "internal"}
    assert named == {file.stem for file in FOLDER.glob("*.py")} - {"__init__", "factcc"}


@pytest.mark.parametrize("path", ["./metrics/factcc", str(FOLDER)])
def test_evaluate_loads_the_folder(classifier: Path, tmp_path: Path, path: str) -> None:
    names = ("HF_MODULES_CACHE", "HF_EVALUATE_CACHE", "HF_METRICS_CACHE")
    caches = {**os.environ, **{name: str(tmp_path / name) for name in names}}
    arguments = json.dumps([path, str(classifier), SUMMARIES, SOURCES])
    done = subprocess.run(
        [sys.executable, "-c", LOAD, arguments], cwd=REPOSITORY, env=caches, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    module, result = json.loads(done.stdout.splitlines()[-1])
    assert module.startswith("evaluate_modules.metrics.factcc.")
    wanted = FactCCScorer(str(classifier)).score(SOURCES, SUMMARIES)
    assert result["scores"] == pytest.approx([one.score for one in wanted], abs=1e-5, nan_ok=True)


def test_it_combines_with_quals(metric: FactCC, tiny_asking: Path, tmp_path: Path) -> None:
    from quals.quals import Quals

    both: Any = evaluate.combine([metric, Quals(str(tiny_asking), cache_dir=str(tmp_path))])
    both.add_batch(predictions=SUMMARIES[:2], sources=SOURCES[:2])
    result = both.compute()
    assert {"factcc", "quals"} <= set(result)
