"""Which rows are trained on and measured: splits, conditions, several files, parts of a pass, long pairs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.qagen_runs import command, one_line, write_data

from trainer_ext.cli.main import main


def test_the_validation_set_of_a_named_data_set_is_its_validation_split(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of train and validation files is a data set to the datasets library, as a name on the Hub is."""
    folder = tmp_path / "questions"
    folder.mkdir()
    write_data(folder / "train.jsonl", 100, 0)
    write_data(folder / "validation.jsonl", 7, 1)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    output = tmp_path / "qagen"
    assert main(command(base, (folder, folder), output, epochs=1)) == 0
    assert "with 200 question-answer pairs" in " ".join((output / "README.md").read_text().split())
    assert json.loads((output / "quality.json").read_text())["pairs"] == 14


def test_a_validation_file_of_short_texts_can_be_measured(base: Path, data: tuple[Path, Path], tmp_path: Path) -> None:
    short = tmp_path / "short.jsonl"
    short.write_text(json.dumps({"context": "The cat won.", "question": "Who won?", "answer": "The cat"}) + "\n")
    output = tmp_path / "qagen"
    assert main(command(base, (data[0], short), output, epochs=1)) == 0
    assert json.loads((output / "quality.json").read_text())["pairs"] == 1


def test_pairs_too_long_to_train_on_are_not_measured(base: Path, data: tuple[Path, Path], tmp_path: Path) -> None:
    rows = data[1].read_text().splitlines()
    long = [{"context": "A cat.", "question": q, "answer": a} for q, a in (("Who?", "king " * 99), ("who " * 99, "A"))]
    file, output = tmp_path / "long.jsonl", tmp_path / "qagen"
    file.write_text("\n".join([*rows, *map(json.dumps, long)]))
    assert main(command(base, (data[0], file), output, epochs=1)) == 0
    quality = json.loads((output / "quality.json").read_text())
    assert quality["pairs"] == quality["answered"] == 2 * len(rows)


@pytest.mark.parametrize("alone", [0, 1])
def test_data_of_long_pairs_alone_are_refused_before_the_work(
    base: Path, data: tuple[Path, Path], tmp_path: Path, alone: int, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "long.jsonl"
    file.write_text(json.dumps({"context": "A cat.", "question": "Who?", "answer": "king " * 99}))
    files = (file, data[1]) if alone == 0 else (data[0], file)
    assert main(command(base, files, tmp_path / "qagen")) == 2
    assert "no pair" in one_line(capfd.readouterr().err)
    assert not (tmp_path / "qagen").exists()


def test_train_files_may_be_filtered_and_several(base: Path, data: tuple[Path, Path], tmp_path: Path) -> None:
    rows = [json.loads(line) for line in data[0].read_text().splitlines()]
    kinds = tmp_path / "kinds.jsonl"
    rows = [{**row, "type": f"t{number % 3}"} for number, row in enumerate(rows)]
    kinds.write_text("".join(json.dumps(row) + "\n" for row in rows))
    output = tmp_path / "qagen"
    arguments = command(base, (Path(f"{kinds}?type=t1"), data[1]), output, epochs=1)
    more = write_data(tmp_path / "more.jsonl", 9, 5)
    assert main([*arguments, "--train-file", str(more)]) == 0
    kept = [row for row in rows if row["type"] == "t1"] + [json.loads(line) for line in more.read_text().splitlines()]
    pairs = sum(len(row["qas"]) for row in kept)
    assert f"with {pairs} question-answer pairs" in " ".join((output / "README.md").read_text().split())


def test_the_last_pass_may_be_a_part(base: Path, data: tuple[Path, Path], tmp_path: Path) -> None:
    steps = {}
    for epochs in (1, 1.5, 2):
        output = tmp_path / f"qagen-{epochs}"
        assert main(command(base, data, output, epochs=epochs, eval_steps=1000)) == 0
        card = " ".join((output / "README.md").read_text().split())
        [(said, steps[epochs])] = re.findall(r"pairs; (\S+) pass(?:es)?, ([\d,]+) steps", card)
        assert said == str(epochs)
    assert int(steps[1]) < int(steps[1.5]) < int(steps[2])
