"""``quals explain`` from end to end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from trainer_ext.cli.main import main

TEXTS = ["--source", "joshua won the red city .", "--summary", "red city in paris klitschko"]


def explain(qagen: Path, *arguments: str | Path) -> int:
    quick = ["--num-groups", "30", "--diversity", "2", "--device", "cpu"]
    return main(["explain", *map(str, arguments), "--checkpoint", str(qagen), *quick])


def test_every_output_by_its_suffix(asking_qagen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = [tmp_path / name for name in ("a.html", "b.png", "c.svg")]
    assert explain(asking_qagen, *TEXTS, *(part for path in outputs for part in ("--output", path))) == 0
    beginnings = [path.read_bytes()[:15] for path in outputs]
    assert beginnings[0] == b"<!DOCTYPE html>"
    assert beginnings[1].startswith(b"\x89PNG")
    assert beginnings[2].startswith(b"<?xml")
    assert sorted(tmp_path.iterdir()) == outputs
    listed = capsys.readouterr().out
    differences = [float(found) for found in re.findall(r"(?m)^ +(-?\d+\.\d{3}) +-?\d+\.\d{3} +-?\d", listed)]
    assert len(differences) > 1
    assert differences == sorted(differences)


def test_texts_from_files(asking_qagen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "source.txt").write_text(TEXTS[1], encoding="utf-8")
    assert explain(asking_qagen, *TEXTS) == 0
    direct = capsys.readouterr().out
    assert explain(asking_qagen, "--source", f"@{tmp_path / 'source.txt'}", *TEXTS[2:]) == 0
    assert capsys.readouterr().out == direct
    assert explain(asking_qagen, "--source", "@@joshua", "--summary", "@@joshua") == 0


def test_a_summary_without_pairs(asking_qagen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(asking_qagen, "--source", "a cat", "--summary", "", "--output", tmp_path / "a.html") == 0
    assert "No question-answer pair survived" in capsys.readouterr().out
    assert "No question-answer pair survived" in (tmp_path / "a.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to explain"),
        (["--source", "a"], "nothing to explain"),
        (["--example", "--source", "a"], "brings its own texts"),
        ([*TEXTS, "--output", "a.pdf"], "must end in .html or .htm or .png or .svg"),
        ([*TEXTS, "--output", "none/a.png"], "there is no folder none"),
        ([*TEXTS, "--checkpoint", "none/such"], "none/such"),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["explain", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_input_file_is_never_overwritten(
    asking_qagen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "source.html"
    page.write_text("joshua won", encoding="utf-8")
    assert explain(asking_qagen, "--source", f"@{page}", "--summary", "joshua", "--output", page) == 2
    assert "is the input" in capsys.readouterr().err
    assert page.read_text(encoding="utf-8") == "joshua won"


def test_the_example_puts_the_wrong_summary_below_the_right_one(
    embedded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert embedded.is_dir()
    assert main(["explain", "--example"]) == 0
    shown = capsys.readouterr().out
    right, wrong = re.findall(r"(?m)^ +(-?\d+\.\d{3})  Ingrid Solheim said", shown)
    assert float(wrong) < float(right) - 1, "a margin that one sees"
    assert "nats per token" in shown
    few, many = re.findall(r"(\d+) of 10 question-answer pairs? (?:is|are) much less likely", shown)[:2]
    assert int(few) <= 2 < 6 <= int(many)
