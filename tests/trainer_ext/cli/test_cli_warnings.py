"""What the commands say in one line: doubts about texts, and files that are not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trainer_ext.cli.main import main

QUICK = ["--num-groups", "4", "--max-tokens", "8", "--device", "cpu"]
SOURCE, SUMMARY = "joshua won the red city and the king lost .", "joshua won ."


def table(path: Path, rows: list[tuple[str, str]]) -> Path:
    path.write_text("".join(json.dumps({"source": a, "summary": b}) + "\n" for a, b in rows), encoding="utf-8")
    return path


@pytest.mark.filterwarnings("always::quals.errors.DoubtfulTextWarning")
@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([(SUMMARY, SOURCE)] * 40, "on the whole the summaries are longer than their sources."),
        ([(" ", SUMMARY), *[(SOURCE, SUMMARY)] * 40], "a source has no words"),
        ([("ब" * 50, SUMMARY)] * 2, "tokenizer hardly knows the language"),
    ],
)
def test_a_doubt_is_a_line(
    rows: list[tuple[str, str]], said: str, asking_qagen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = table(tmp_path / "in.jsonl", rows)
    assert main(["score", str(file), "--checkpoint", str(asking_qagen), *QUICK]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning" in line.lower()]
    assert [line.startswith("quals score: warning: QUALS: ") and said in line for line in lines] == [True]


@pytest.mark.filterwarnings("always::quals.errors.DoubtfulTextWarning")
def test_right_texts_raise_no_doubt(asking_qagen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = table(tmp_path / "in.jsonl", [(SOURCE, SUMMARY)] * 3)
    assert main(["score", str(file), "--checkpoint", str(asking_qagen), *QUICK]) == 0
    assert "warning" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ["score", "nofile"],
        ["score", "nofile.csv"],
        ["score", "nofile.parquet"],
        ["mine", "nofile.jsonl", "--model", "x", "--output", "y"],
        ["study", "create", "nofile.jsonl", "other.jsonl"],
        ["study", "report", "nofile.sqlite"],
    ],
)
def test_a_missing_file_is_named_with_the_reason_and_what_to_do(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"quals {command[0]}: ")
    assert "Errno" not in line
    assert "nofile" in line
    assert "check the path" in line or "quals study create" in line
