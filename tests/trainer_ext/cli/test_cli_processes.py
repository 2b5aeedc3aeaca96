"""``quals score --processes`` and mining in processes give what one process gives, to the last byte."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import pytest
from datasets import Dataset
from quals import QualsScorer
from quals.processes import _known
from support.learned import texts

from trainer_ext.cli.main import main
from trainer_ext.mining import score_candidates

QUICK = {"num_groups": 30, "diversity": 2.0}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [{"source": source, "summary": summary} for source, summary in zip(*texts(150), strict=True)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def score(table: Path, qagen: Path, output: str, *options: str) -> int:
    quick = ["--num-groups", "30", "--diversity", "2", "--device", "cpu"]
    return main(
        ["score", str(table), "--checkpoint", str(qagen), "--output", str(table.parent / output), *quick, *options]
    )


def test_the_file_is_the_same_and_a_killed_run_goes_on(
    table: Path, asking_qagen: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert score(table, asking_qagen, "one.jsonl", "--explain") == 0
    wanted = capsys.readouterr().out.replace("one.jsonl", "two.jsonl")

    def kill() -> None:
        """A process that scores, once a chunk is on disk."""
        until = monotonic() + 120
        while monotonic() < until:
            pids = [pid for processes in list(_known.values()) for pid in processes.pids]
            if pids and list(table.parent.glob("two.jsonl.partial/*/chunk-*.json")):
                os.kill(pids[0], signal.SIGKILL)
                return
            sleep(0.002)

    killer = Thread(target=kill)
    killer.start()
    status = score(table, asking_qagen, "two.jsonl", "--explain", "--processes", "2")
    killer.join()
    said = capsys.readouterr()
    if status != 0:  # else it was done before it was killed
        assert status == 2
        assert "ended from outside" in said.err
        assert said.err.count("\n") == 1
        assert not (table.parent / "two.jsonl").exists()
        assert score(table, asking_qagen, "two.jsonl", "--explain", "--processes", "2", "--resume") == 0
        said = capsys.readouterr()
    assert said.out == wanted
    assert (table.parent / "two.jsonl").read_bytes() == (table.parent / "one.jsonl").read_bytes()
    assert '"pairs":[{' in (table.parent / "two.jsonl").read_text().replace(" ", "")


def test_mined_scores_are_the_same(asking_qagen: Path, tmp_path: Path) -> None:
    sources, summaries = texts(60)
    columns = {"source": sources, "reference": summaries[::-1]}
    dataset = Dataset.from_dict(
        {**columns, "candidates": [summaries[n : n + 3] for n in range(57)] + [summaries[:3]] * 3}
    )
    names = {"source_column": "source", "reference_column": "reference", "candidate_column": "candidates"}
    found = []
    for count in (1, 2):
        scorer = QualsScorer(str(asking_qagen), device="cpu", processes=count, **QUICK)
        folder = tmp_path / str(count)
        mined = score_candidates(dataset, scorer, **names, folder=folder, progress=False)
        found.append([repr(mined["candidate_scores"][:]), repr(mined["reference_score"][:])])
        found.append({file.relative_to(folder): file.read_bytes() for file in folder.rglob("chunk-*.json")})
    assert found[2] == found[0]
    assert found[3] == found[1]
    assert len(found[1]) == 8
    assert "-" in found[0][0]


def test_with_ray_the_number_has_another_name(
    table: Path, asking_qagen: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert score(table, asking_qagen, "out.jsonl", "--engine", "ray", "--processes", "2") == 2
    assert "--workers" in capsys.readouterr().err
