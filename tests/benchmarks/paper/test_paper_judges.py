"""Two processes judge as one does, summary by summary."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from support.classifiers import save_classifier
from support.tiny import WORDS

from benchmarks.paper.judges import JudgingModels, judges_of


def test_processes_share_the_judging(tmp_path: Path) -> None:
    classifier = str(save_classifier(tmp_path / "c"))
    models = JudgingModels(("factcc",), None, None, classifier, "none", "float32", "windows", None)
    rng = random.Random(0)
    sources, summaries = ([" ".join(rng.choices(WORDS, k=size)) for _ in range(30)] for size in (12, 5))  # two chunks
    found = []
    for processes in (1, 2):
        with judges_of(models, processes) as judges:
            found.append(judges["factcc"].score(sources, summaries, [""] * 30))
            assert judges["words"].score([], ["a b"], []) == [2.0]
    assert found[0] == pytest.approx(found[1], abs=1e-5)
    assert len(set(found[0])) > 20, "and not all the same"


def test_a_judge_that_is_missing_is_known_before_the_work(tmp_path: Path) -> None:
    models = JudgingModels(("factcc",), None, None, str(tmp_path / "none"), "none", "float32", "windows", None)
    with pytest.raises((ValueError, OSError), match="none"), judges_of(models, 2):
        raise AssertionError("not begun")


def test_readers_judge_the_summaries_that_they_rated(tmp_path: Path) -> None:
    file = tmp_path / "readings.jsonl"
    file.write_text('{"document": "the cat sat", "summary": "a cat", "score": 7}\n')
    models = JudgingModels((), None, None, None, "none", "float32", "windows", None, readings=file)
    with judges_of(models, 1) as judges:
        scores = judges["readings"].score(["the cat sat", "the cat sat"], ["a cat ", "a dog"], ["", ""])
    assert scores[0] == 7
    assert math.isnan(scores[1])
    file.write_text('{"document": "the cat sat", "summary": "a cat", "score": 6}\n')
    assert models.load()["readings"].signature != judges["readings"].signature
