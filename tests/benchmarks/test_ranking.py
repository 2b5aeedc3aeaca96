"""Rankers against ratings: pairs counted by hand, and the command on a tiny file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.classifiers import save_classifier

from benchmarks.ranking.__main__ import main
from benchmarks.ranking.table import markdown, pairs_right


def test_pairs_by_hand() -> None:
    ratings = np.array([5.0, 1.0, 4.0, 0.0])
    scores = np.array([0.9, 0.1, 0.95, np.nan])
    # 5 above 1 and 4 above 1 are right, 5 above 4 is wrong; the last has no score.
    assert pairs_right(scores, ratings, range(4), 1) == (2.0, 3)
    assert pairs_right(scores, ratings, range(4), 2) == (2.0, 2)
    assert pairs_right(np.zeros(4), ratings, range(4), 2) == (2.0, 4)


def test_the_table_has_what_a_ranker_puts_first() -> None:
    ratings = np.array([5.0, 1.0, 2.0, 4.0, 3.0])
    scores = {"good": ratings.copy(), "bad": -ratings, "half": np.array([1.0, 0.0, np.nan, np.nan, np.nan])}
    groups = [[0, 1], [2, 3, 4]]
    lines = markdown(scores, {name: name for name in scores}, ratings, groups, 1, 50).splitlines()
    assert lines[2] == "| good | 1.00 [1.00, 1.00] | 4 | 4.50 | 1.50 |"
    assert lines[3] == "| bad | 0.00 [0.00, 0.00] | 4 | 1.50 | 4.50 |"
    assert lines[4].startswith("| half | 1.00 [")
    assert lines[4].endswith("| 1 | 5.00 | 1.00 |")
    assert lines[-2:] == ["| the ratings themselves | 1.00 | | 4.50 | 1.50 |", "| chance | 0.50 | | 3.00 | 3.00 |"]


def test_the_command_scores_once_and_names_its_rankers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = str(save_classifier(tmp_path / "nli"))
    rows = [
        {"document": document, "summary": summary, "score": score, "reference": "the king"}
        for document in ("the cat was red .", "the king was in paris .")
        for summary, score in (("the king was in paris .", 3), ("the cat", 1), ("a", None))
    ]
    file = tmp_path / "ratings.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = [str(file), "--judges", "--entailment", classifier, "--cache", str(tmp_path / "cache")]
    assert main(options) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("4 summaries of 2 documents. In 2 of them, ratings differ by 1 or more.")
    assert "| the shorter, the better | 0.00 [0.00, 0.00] | 2 | 1.00 | 3.00 |" in printed
    assert "| entailment |" in printed
    assert "| ROUGE-1 F1 |" in printed
    monkeypatch.setattr("factcc.FactCCScorer.score", None)
    assert main(options) == 0
    assert capsys.readouterr().out == printed
    assert main([*options, "--margin", "5"]) == 2
    assert "In none of 2 documents" in capsys.readouterr().err
    assert main([*options, "--margin", "0"]) == 2
    assert "--margin is 0.0" in capsys.readouterr().err
