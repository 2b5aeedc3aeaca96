"""The comparison of Ray's workers with one process: what is timed, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from quals import QualsScorer
from support.tiny import WORDS

from benchmarks.scale.__main__ import main
from benchmarks.scale.ways import Measured, timed
from trainer_ext.io.chunks import in_turn
from trainer_ext.scale.rows import ScoreRows
from trainer_ext.scale.table import CHUNK, Reading


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.jsonl"
    rows = [{"document": " ".join(WORDS[n % 9 : n % 9 + 12]), "summary": WORDS[n % 20]} for n in range(4 * CHUNK)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_all_parts_but_the_first_are_timed_and_all_scores_kept(texts: Path, tiny_qagen: Path) -> None:
    table = Reading().read(texts)
    scorer = QualsScorer(str(tiny_qagen), device="cpu")
    run = timed(in_turn, Measured(ScoreRows(scorer)), table, 1, 0.0)
    alone = [result.to_dict()["score"] for result in scorer.score(table.sources, table.summaries)]
    assert run.scores == alone
    assert 0 < run.seconds < 100
    assert run.peak > 2**20


def test_mistakes_are_one_line(texts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(texts), "--rows", "1000"]) == 2
    assert "has 128 rows: give --rows of at most that" in capsys.readouterr().err
    assert main([str(texts), "--rows", "32"]) == 2
    assert "rows is 32" in capsys.readouterr().err
