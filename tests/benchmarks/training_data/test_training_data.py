"""The files of the embedded classifier's training: rows, labels, and sources among others."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.training_data.__main__ import main
from benchmarks.training_data.pools import INFERENCE, among_others, as_written
from trainer_ext.recipes.statements import read_statements, read_summaries

_LABELS = ("entailment", "neutral", "contradiction")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Sets of a few rows each."""
    for name in INFERENCE:
        rows = [
            {"premise": f"The {name} number {n} stands here", "hypothesis": f"{name} {n}", "label": _LABELS[n % 3]}
            for n in range(12)
        ]
        _write(tmp_path / "nli" / f"{name}.jsonl", rows)
    _write(
        tmp_path / "nli" / "begin.jsonl",
        [
            {"premise": "A river rises.", "hypothesis": "It rises.", "label": "Fully attributable"},
            {"premise": "A river rises.", "hypothesis": "It falls.", "label": "Not fully attributable"},
            {"premise": "A river rises.", "hypothesis": "I see.", "label": "Generic"},
        ],
    )
    judged = {"document": "A mill burnt.", "summary": "A mill fell.", "label": 0, "overlaps_dev": False}
    _write(
        tmp_path / "human_dev" / "defacto.jsonl",
        [
            {**judged, "corrected": "A mill burnt down.", "split": "train"},
            {**judged, "summary": "Held out.", "split": "val"},
            {**judged, "summary": "In another set.", "split": "train", "overlaps_dev": True},
        ],
    )
    for name in ("scitldr_a_train", "ami_links", "crd3", "qmsum_spans"):
        texts = ("We count.", "word " * 300)
        _write(tmp_path / "summ" / f"{name}.jsonl", [{"document": d, "summary": f"{name} counts."} for d in texts])
    for name in ("squad_v1.1_train", "squad_v1.1_dev", "fairytaleqa_train"):
        _write(tmp_path / "qa" / f"{name}.jsonl", [{"context": f"{name} text {n}."} for n in range(3)])
    return tmp_path


def test_statements_have_their_labels_and_no_held_out_text(data: Path, tmp_path: Path) -> None:
    """The judged file is one of statements: entailed and attributed ones true, generic and held-out ones left out."""
    assert main([str(data), str(tmp_path / "out")]) == 0
    statements = {one.text: one for one in read_statements([str(tmp_path / "out" / "judged.jsonl")])}
    assert [statements[f"snli_sub {n}"].consistent for n in range(3)] == [True, False, False]
    assert statements["It rises."].consistent
    assert not statements["It falls."].consistent
    assert statements["A mill burnt down."].consistent
    assert not statements["A mill fell."].consistent
    assert not {"I see.", "Held out.", "In another set."} & set(statements)
    assert all(f"number {n} stands" in statements[f"snli_sub {n}"].source for n in range(12))
    summaries = read_summaries([str(tmp_path / "out" / "summaries.jsonl")])
    assert [s.text for s in summaries][:2] == ["A mill burnt down.", "scitldr_a_train counts."]
    assert len(summaries) == 5  # sources of 300 words are left out


def test_statements_about_gathered_sources_are_told_of_one_document(data: Path, tmp_path: Path) -> None:
    """Every statement stays, with its label, and its source is in the document, whole."""
    assert main([str(data), str(tmp_path / "out")]) == 0
    judged, gathered = (
        {one.text: one for one in read_statements([str(tmp_path / "out" / f"{name}.jsonl")])}
        for name in ("judged", "gathered")
    )
    assert {text: one.consistent for text, one in gathered.items()} == {t: one.consistent for t, one in judged.items()}
    assert all(f"snli_sub number {n} stands here" in gathered[f"snli_sub {n}"].source for n in range(12))
    documents = [one.source for text, one in gathered.items() if text.startswith(tuple(INFERENCE))]
    assert 0.3 < sum(document.count("stands here") > 1 for document in documents) / len(documents) < 0.7
    assert max(document.count("stands here") for document in documents) <= 6
    assert len({one.source for one in gathered.values()}) < len({one.source for one in judged.values()})


def test_the_files_are_the_same_every_time(data: Path, tmp_path: Path) -> None:
    """Everything drawn is drawn by one seed."""
    for name in ("one", "other"):
        assert main([str(data), str(tmp_path / name)]) == 0
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == [
        *("documents.jsonl", "gathered.jsonl", "judged.jsonl"),
        *("passages.jsonl", "summaries.jsonl", "validation.jsonl"),
    ]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_a_missing_set_leaves_no_file(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error names the file; nothing is half-written."""
    (data / "nli" / "begin.jsonl").unlink()
    assert main([str(data), str(tmp_path / "out")]) == 2
    assert "begin.jsonl" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_source_stands_whole_among_two_to_six_others() -> None:
    """Every part is a sentence, and the source is not repeated."""
    sources = [f"Text {n}" for n in range(9)]
    for seed in range(40):
        parts = among_others("Text 3", sources, random.Random(seed)).split(". ")
        assert sum(part.rstrip(".") == "Text 3" for part in parts) == 1
        assert 2 <= len(parts) <= 7


def test_tokenised_text_is_written_as_people_write() -> None:
    """FEVER's brackets, quotes and clitics."""
    told = "`` Rio '' -LRB- 2011 -RRB- is n't Blu 's film , is it ?"
    assert as_written(told) == "\" Rio \" (2011) isn't Blu's film, is it?"


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
