"""Judges' scores on disk, and the tables of their differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.common.examples import Example
from benchmarks.common.judging import Judge, free_judges, judged
from benchmarks.paper.figure import write_figure
from benchmarks.paper.table import MLE, markdown


def test_scores_are_kept_by_texts_and_signature(tmp_path: Path) -> None:
    asked: list[str] = []

    def score(sources: list[str], summaries: list[str], references: list[str]) -> list[float]:
        asked.extend(summaries)
        return [float("nan") if summary == "" else 1.0 for summary in summaries]

    example = Example("a b c", "a")
    for signature, summaries in (("1", ["x", ""]), ("1", ["x", ""]), ("2", ["x", ""]), ("1", ["y", ""])):
        found = judged({"one": Judge("One", signature, score)}, summaries, [example, example], tmp_path)
        assert found["one"][0] == 1
        assert np.isnan(found["one"][1])
    assert asked == ["x", "", "x", "", "y"], "an arm that says the same costs nothing"
    found = judged({"one": Judge("One", "3", score, documents=1)}, ["x", "z"], [example, example], tmp_path)
    assert (found["one"][0], asked[-1]) == (1, "x"), "it judges the first document only"
    assert np.isnan(found["one"][1])
    free = judged(free_judges(), ["a b"], [Example("a b c", "a")], tmp_path)
    assert free["bigrams"] == [1.0]
    assert free["words"] == [2.0]
    assert free["rouge1"][0] == pytest.approx(2 / 3)


def test_differences_are_paired_by_document_and_seeds_are_resampled_too(tmp_path: Path) -> None:
    nan = float("nan")
    base = np.arange(10.0)
    found = {MLE: {"m": base}, "rouge": {"m": base + 1}, "quals": {"m": np.stack([base + 2, base + 4])}}
    found["rouge"]["m"][3] = nan
    found["quals"]["m"][:, 9] = nan
    row = markdown(found, {"m": "A measure"}).splitlines()[2]
    wanted = (
        "| A measure | 4.500 | 5.667 | 7.000 | +2.000 [+1.000, +3.000] | +3.000 [+2.000, +4.000] | +75.0% "
        "| +2.000, +4.000 | 10/9/9 |"
    )
    assert row == wanted
    write_figure({"x": found, "y": found}, {"m": "A measure"}, tmp_path / "f.svg")
    assert "<svg" in (tmp_path / "f.svg").read_text()
    assert "<!-- x, 10 documents -->" in (tmp_path / "f.svg").read_text()
