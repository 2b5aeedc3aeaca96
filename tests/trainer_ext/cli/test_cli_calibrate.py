"""``quals calibrate`` from end to end: judged files in, a map out, which ``quals score`` then uses."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from quals import Calibration, QualsScorer
from support.learned import OPTIONS as QUICK
from support.learned import learn, texts

from trainer_ext.cli.main import main

OPTIONS = [word for name, value in QUICK.items() for word in (f"--{name.replace('_', '-')}", str(value))]


@pytest.fixture(scope="module")
def qagen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny QAGen whose pairs survive at the quick options."""
    return learn("bart", tmp_path_factory.mktemp("learned"))


@pytest.fixture(scope="module")
def judged(qagen: Path) -> list[dict[str, Any]]:
    """Two rows per document; mostly the upper half of the scores is consistent."""
    sources, summaries = texts(72)
    sources = [sources[place // 2] for place in range(72)]
    scores = [result.score for result in QualsScorer(str(qagen), **QUICK).score(sources, summaries)]
    known = sorted(score for score in scores if score == score)
    assert len(known) >= 60
    rng = random.Random(0)
    labels = [int((score > known[len(known) // 2]) != (rng.random() < 0.15)) for score in scores]
    return [{"document": a, "summary": b, "label": c} for a, b, c in zip(sources, summaries, labels, strict=True)]


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def calibrate(qagen: Path, *arguments: str | Path) -> int:
    words = map(str, arguments)
    return main(["calibrate", *words, "--resamples", "50", "--checkpoint", str(qagen), *OPTIONS])


def test_a_map_is_fitted_tried_drawn_and_used(
    qagen: Path, judged: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = written(tmp_path / "news.jsonl", judged[:36]), written(tmp_path / "chat.jsonl", judged[36:])
    output, figure = tmp_path / "calibration.json", tmp_path / "r.png"
    assert calibrate(qagen, one, two, "--output", output, "--figure", figure) == 0
    said = capsys.readouterr().out
    calibration = Calibration.read(output)
    assert calibration.sets == ("news", "chat")
    assert calibration.signature == QualsScorer(str(qagen), **QUICK).signature
    assert 60 <= calibration.rows <= 72
    assert calibration.documents <= 36
    for line in ("| all, cross-fitted by document |", "| news, by the others' map |", "| chat, by the others' map |"):
        assert line in said
    assert "the map says more than the base rate" in said
    assert figure.stat().st_size > 5000
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["news.jsonl", "chat.jsonl", "calibration.json", "r.png"]
    )

    scored = tmp_path / "scored.parquet"
    command = ["score", str(one), "--output", str(scored), "--checkpoint", str(qagen), *OPTIONS]
    assert main([*command, "--calibration", str(output)]) == 0
    assert "consistent" in capsys.readouterr().out
    import datasets

    rows = list(datasets.Dataset.from_parquet(str(scored), cache_dir=str(tmp_path / "cache")))
    assert [row["probability"] for row in rows] == [calibration.probability(row["quals"]) for row in rows]
    assert sum(row["probability"] is not None for row in rows) > 20
    assert main([*command, "--calibration", str(output), "--weighting", "answer"]) == 2
    assert "fit another with `quals calibrate`" in capsys.readouterr().err


def test_two_systems_on_the_same_documents_are_not_tried_by_each_others_map(
    qagen: Path, judged: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [written(tmp_path / f"{name}.jsonl", judged[place::2]) for place, name in enumerate(("one", "two"))]
    assert calibrate(qagen, *files, "--output", tmp_path / "c.json") == 0
    said = capsys.readouterr().out
    assert "nan" not in said
    assert "Not tried by the others' map: one, two." in said


def test_labels_may_be_written_in_csv_and_columns_named(
    qagen: Path, judged: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{row['document']},{row['summary']},{row['label']}" for row in judged]
    path = tmp_path / "judged.csv"
    path.write_text("\n".join(["text,claim,right", *lines]) + "\n")
    named = ["--summary-column", "claim", "--label-column", "right"]
    assert calibrate(qagen, path, *named, "--output", tmp_path / "c.json") == 0
    assert "by the others' map" not in capsys.readouterr().out
    same = written(tmp_path / "judged.jsonl", judged)
    assert calibrate(qagen, same, "--output", tmp_path / "d.json") == 0
    assert (tmp_path / "c.json").read_bytes() == (tmp_path / "d.json").read_bytes()


def reversed_labels(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "label": 1 - row["label"]} for row in rows]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:20], "20 judged rows"),
        (lambda rows: [{**row, "label": 1} for row in rows], "Label 0 has 0 rows"),
        (lambda rows: [*rows[:3], {**rows[3], "label": 0.5}], "row 4: 'label' is '0.5'"),
        (lambda rows: [{**rows[0], "label": None}], "row 1: 'label' is 'None'"),
        (lambda rows: [{"document": "a", "summary": "b"}], "no column 'label'"),
        (reversed_labels, "does not go with consistent"),
    ],
    ids=["few", "one label", "graded", "null", "no label", "reversed"],
)
def test_rows_that_give_no_map_are_one_line(
    qagen: Path,
    judged: list[dict[str, Any]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]],
    message: str,
) -> None:
    path = written(tmp_path / "judged.jsonl", change(judged))
    assert calibrate(qagen, path, "--output", tmp_path / "c.json") == 2
    complaint = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in complaint
    assert not (tmp_path / "c.json").exists()


def test_options_that_cannot_be_are_one_line(
    qagen: Path, judged: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "judged.jsonl", judged)
    for arguments, message in (
        ([path, path, "--output", tmp_path / "c.json"], "A file is given twice"),
        ([path, "--output", tmp_path / "c.txt"], "must end in .json"),
        ([path, "--output", tmp_path / "c.json", "--figure", tmp_path / "c.pdf"], "must end in .png"),
        ([path, "--output", tmp_path / "c.json", "--seed", "-1"], "--seed is -1"),
    ):
        assert calibrate(qagen, *arguments) == 2
        assert message in capsys.readouterr().err


def test_a_run_that_was_stopped_goes_on(
    qagen: Path, judged: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, scored = written(tmp_path / "judged.jsonl", judged), []
    really = QualsScorer.score

    def score(self: QualsScorer, sources: list[str], summaries: list[str], **options: Any) -> Any:
        if len(scored) == 1:
            scored.append(0)
            raise KeyboardInterrupt
        scored.append(len(sources))
        return really(self, sources, summaries, **options)

    monkeypatch.setattr(QualsScorer, "score", score)
    assert calibrate(qagen, path, "--output", tmp_path / "c.json") == 130
    assert calibrate(qagen, path, "--output", tmp_path / "c.json") == 0
    assert scored == [32, 0, 32, 8]
    assert not (tmp_path / "c.json.partial").exists()
