"""The scores in the repository give the tables that the pages show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.tiny import REPOSITORY

from benchmarks.paper.report import main as report

RESULTS = sorted((REPOSITORY / "benchmarks" / "paper" / "results").glob("*.jsonl.gz"))


def test_there_are_results() -> None:
    assert [file.name for file in RESULTS] == ["dialogue.jsonl.gz", "news.jsonl.gz"]


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.name)
def test_the_pages_show_what_the_report_prints(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report([str(file)]) == 0
    printed = [line.strip() for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert len(printed) > 15
    docs = REPOSITORY / "docs"
    assert set(printed) <= set((docs / "experiment-tables.md").read_text(encoding="utf-8").splitlines())
    name = file.name.partition(".")[0]
    page = (docs / "experiment.md").read_text(encoding="utf-8")
    [table] = re.findall(rf"^\| {name} \|.*\n(?:\|.*\n)+", page, re.M)
    [head, _, *rows] = (_cells(line) for line in table.splitlines())
    of_arms = list(map(_cells, printed))
    start = max(place for place, cells in enumerate(of_arms) if not cells[0])  # the last table has all arms
    heads, shown = of_arms[start], {cells[0]: cells for cells in of_arms[start + 1 :]}
    places = [
        next(place for place, full in enumerate(heads) if full.startswith(short.partition(" (")[0]))
        for short in head[1:]
    ]
    assert len(rows) == len(shown)
    for arm, *cells in rows:
        for cell, place in zip(cells, places, strict=True):
            assert cell in shown[arm][place].split(", ", 1), (arm, heads[place])


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
