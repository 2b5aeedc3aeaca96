"""evaluate loads the metric's folder from anywhere; its texts are true."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from evaluate.loading import get_imports
from quals import QualsScorer
from quals.quals import Quals
from support.doctests import check_examples
from support.metric_texts import FOLDER, SOURCES, SUMMARIES, same
from support.tiny import REPOSITORY
from support.without_us import WITHOUT_US

from trainer_ext.cli.evaluate_cache import install


def test_it_names_every_file_beside_it_so_that_evaluate_copies_them() -> None:
    named = {name for kind, name, _, _ in get_imports(str(FOLDER / "quals.py")) if kind == "internal"}
    there = {file.stem for file in FOLDER.glob("*.py")} - {"__init__", "quals"}
    of_the_app = {"app", "example_texts", "page", "page_files", "page_view", "page_visitors"}
    assert named == there - of_the_app


def test_no_file_of_it_needs_the_installed_package() -> None:
    absolute = re.compile(r"^\s*(?:from|import)\s+(?:quals|trainer_ext)\b", re.MULTILINE)
    found = [file.name for file in FOLDER.glob("*.py") if absolute.search(file.read_text(encoding="utf-8"))]
    assert found == ["app.py"], "which makes a package of its folder first"


def test_the_texts_are_those_of_a_metric(quals: Quals) -> None:
    assert "2105.04623" in quals.citation
    assert "higher is better" in quals.description.lower()
    assert "nats a token" in quals.description
    for name in ("explain", "token_log_probs", "long_sources", "weighting", "device", "dtype", "progress", "coverage"):
        assert name in quals.inputs_description
    assert quals.inputs_description in (quals.compute.__doc__ or "")
    assert (Quals.__doc__ or "").count(">>>") > 5


def test_the_examples_in_its_texts_are_true(
    embedded: Path, evaluate_caches: Path, quals: Quals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(evaluate_caches)
    install()
    check_examples(quals.inputs_description, 11)


# In another process: load the folder while the packages of this repository cannot be imported, as in a Space.
LOAD = (
    WITHOUT_US
    + """
import evaluate
path, checkpoint, predictions, sources = json.loads(sys.argv[1])
metric = evaluate.load(path, checkpoint)
print(json.dumps([type(metric).__module__, metric.compute(predictions=predictions, sources=sources)]))
"""
)


def start(path: str, checkpoint: Path | None, cwd: Path, caches: Path) -> subprocess.Popen[str]:
    names = ("HF_MODULES_CACHE", "HF_EVALUATE_CACHE", "HF_METRICS_CACHE")
    environment = {**os.environ, **{name: str(caches / name) for name in names}}
    arguments = json.dumps([path, checkpoint and str(checkpoint), SUMMARIES, SOURCES])
    command = [sys.executable, "-c", LOAD, arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=cwd, env=environment, stdout=pipe, stderr=pipe, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[str, dict[str, Any]]:
    printed, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    module, result = json.loads(printed.splitlines()[-1])
    return module, result


def test_evaluate_loads_the_folder_from_anywhere_twice_at_once(
    asking_qagen: Path, tmp_path: Path, expected: dict[str, Any]
) -> None:
    before = sorted(asking_qagen.rglob("*"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    processes = [
        start(str(FOLDER), asking_qagen, elsewhere, tmp_path),
        start("./metrics/quals", asking_qagen, REPOSITORY, tmp_path),
    ]
    for module, result in map(finish, processes):
        assert module.startswith("evaluate_modules.metrics.quals.")
        assert same(result["scores"], expected["scores"])
        assert result["signature"] == expected["signature"]
    assert sorted(asking_qagen.rglob("*")) == before
    assert list(elsewhere.iterdir()) == []
    assert list(tmp_path.rglob("*.arrow")) == []


def test_a_copy_of_the_folder_finds_the_embedded_checkpoint(embedded: Path, tmp_path: Path) -> None:
    _, result = finish(start("./metrics/quals", None, REPOSITORY, tmp_path))
    scorer = QualsScorer(str(embedded))
    assert result["signature"] == scorer.signature
    assert same(result["scores"], [score.score for score in scorer.score(SOURCES, SUMMARIES)])
    assert result["coverage"] == pytest.approx(2 / 3)
