"""The Space's card: its code runs, its numbers are those of docs/benchmarks.md, its head is what a Space needs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from support.tiny import REPOSITORY

CARD = REPOSITORY / "hub_card.md"
FOLDER = REPOSITORY / "metrics" / "quals"


def rows(text: str) -> list[list[str]]:
    return [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def test_its_code_runs(embedded: Path, evaluate_caches: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = re.findall(r"```python\n(.*?)```", CARD.read_text(encoding="utf-8"), re.DOTALL)
    assert len(code) == 3
    exec("\n".join(code).replace("org/quals", str(FOLDER)), {})
    assert len(capsys.readouterr().out.splitlines()) > 1


def test_its_head_is_a_metrics_space() -> None:
    head = ModelCard.load(CARD).data.to_dict()
    assert head["title"] == "QUALS"
    assert (head["sdk"], head["app_file"], head["pinned"]) == ("gradio", "app.py", False)
    assert {"evaluate", "metric"} <= set(head["tags"])
    assert {"emoji", "colorFrom", "colorTo", "sdk_version", "license"} <= set(head)
    assert len(head["short_description"]) <= 60


def test_its_numbers_are_those_of_the_benchmarks() -> None:
    measured = rows((REPOSITORY / "docs" / "benchmarks.md").read_text(encoding="utf-8"))
    swapped = {row[0]: row[1:3] for row in measured if len(row) == 5 and row[-1] in ("yes", "no")}
    agreement: dict[tuple[str, str], list[float]] = {}
    name = ""
    for row in measured:
        if len(row) == 10 and row[2].endswith(("AUROC", "pairwise", "Pearson", "Spearman")):
            name = row[0] or name
            agreement[name, row[2]] = [float(cell.split()[0].strip("*")) for cell in row[3:]]
    compared = 0
    for row in rows(CARD.read_text(encoding="utf-8")):
        if row[0] in swapped:
            assert row[1:] == swapped[row[0]]
        elif (row[0], row[1]) in agreement:
            numbers = agreement[row[0], row[1]]
            assert [float(cell) for cell in row[2:]] == [numbers[-1], max(numbers[:2])], row
        else:
            continue
        compared += 1
    assert compared == 15


def test_the_space_installs_what_the_package_needs() -> None:
    needed = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8").split("dependencies = [")[1].split("]")[0]
    listed = (FOLDER / "requirements.txt").read_text(encoding="utf-8").split()
    # filelock guards the folders that quals score and mining keep their work in: the Space has none.
    assert listed == [name for name in re.findall(r'"(.*?)"', needed) if not name.startswith("filelock")]
