"""``quals score`` from end to end: files in and out, complaints in one line, and runs that are killed go on."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import pytest
from quals import QualsScorer
from quals.batching import LONG_SOURCES
from quals.loading import DTYPES
from quals.results import WEIGHTINGS
from quals.rows import write_csv
from support.killed import kill_midway
from transformers.utils.logging import enable_propagation

from trainer_ext.cli.main import main
from trainer_ext.cli.options.scorer import add_scorer_arguments
from trainer_ext.io.tables import read_table

SOURCES = ["joshua won the red city .", "klitschko lost the cat in paris .", "a queen was in london ?"]
SUMMARIES = ["red city in paris klitschko", "the red city in paris", ""]
QUICK = ["--num-groups", "30", "--diversity", "2", "--device", "cpu"]  # the settings at which asking_qagen asks


def rows() -> list[dict[str, Any]]:
    texts = zip(SOURCES, SUMMARIES, strict=True)
    return [{"id": f"2020-01-0{n}", "source": a, "summary": b} for n, (a, b) in enumerate(texts, 1)]


def table(path: Path, content: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        datasets.Dataset.from_list(content).to_parquet(path)
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            write_csv(file, content)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def score(qagen: Path, *arguments: str | Path) -> int:
    return main(["score", *map(str, arguments), "--checkpoint", str(qagen), *QUICK])


@pytest.mark.parametrize("output", ["out.jsonl", "out.parquet"])
@pytest.mark.parametrize("name", ["in.jsonl", "in.csv", "in.parquet"])
def test_files_are_scored_as_the_scorer_does(
    asking_qagen: Path, tmp_path: Path, name: str, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content, weighting = rows(), "information" if name == "in.jsonl" else "tokens"
    options = ["--output", tmp_path / output, "--token-log-probs", "--weighting", weighting]
    assert score(asking_qagen, table(tmp_path / name, content), *options) == 0
    scorer = QualsScorer(str(asking_qagen), device="cpu", num_groups=30, diversity=2.0, weighting=weighting)
    expected = [result.to_dict(token_log_probs=True) for result in scorer.score(SOURCES, SUMMARIES)]
    written = [dict(row) for row in read_table(tmp_path / output)]
    assert [list(row)[:4] for row in written] == [["id", "source", "summary", "quals"]] * 3
    assert [row.pop("quals") for row in written] == [result.pop("score") for result in expected]
    assert [result.pop("probability") for result in expected] == [None] * 3
    assert written == [{**row, **result} for row, result in zip(content, expected, strict=True)]
    assert [row["num_pairs"] > 0 for row in written] == [True, True, False]
    shown = capsys.readouterr().out
    assert all(part in shown for part in (scorer.signature, "rows       3\n"))
    assert ("nats" in shown) is (weighting == "tokens")
    assert names(tmp_path) == sorted([name, output])


def test_a_summary_without_pairs_is_null_and_lowers_the_coverage(
    asking_qagen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = table(tmp_path / "in.jsonl", [{"source": "a cat", "summary": ""}])
    assert score(asking_qagen, path, "--output", tmp_path / "out.jsonl") == 0
    assert '"quals": null, "num_pairs": 0,' in (tmp_path / "out.jsonl").read_text()
    assert "pairs" not in json.loads((tmp_path / "out.jsonl").read_text())
    shown = capsys.readouterr().out
    assert "scored     0 (coverage 0.0%)" in shown
    assert "mean       undefined" in shown


def test_other_columns_can_be_named(asking_qagen: Path, tmp_path: Path) -> None:
    path = table(tmp_path / "in.jsonl", [{"document": "a cat", "highlights": "a cat"}])
    columns = ["--source-column", "document", "--summary-column", "highlights"]
    assert score(asking_qagen, path, *columns, "--output", tmp_path / "out.jsonl") == 0
    assert json.loads((tmp_path / "out.jsonl").read_text())["document"] == "a cat"


def test_two_texts(asking_qagen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "source.txt").write_text(SOURCES[0])
    texts = ["--source", f"@{tmp_path / 'source.txt'}", "--summary", SUMMARIES[0]]
    assert score(asking_qagen, *texts, "--explain") == 0
    scorer = QualsScorer(str(asking_qagen), device="cpu", num_groups=30, diversity=2.0)
    [result] = scorer.score(SOURCES[:1], SUMMARIES[:1])
    shown = capsys.readouterr().out
    assert len(result.pairs) > 1
    assert f"mean       {result.score:.4f}" in shown
    assert all(f"{pair.question} -> {pair.answer}" in shown for pair in result.pairs)


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ("", [], "holds no rows"),
        ('{"document": "a"}\n', [], "no column 'summary' or 'highlights'"),
        ('{"source": "a", "summary": "b"}\n{"source": "a"}\n', [], "row 2: there is no column 'summary'"),
        ('{"source": "a", "summary": "b"}\n{"source": "a", "summary": null}\n', [], "row 2: 'summary' is null"),
        ('{"source": 3, "summary": "b"}\n', [], "row 1: 'source' is int '3', not text"),
        ('{"source": "a", "summary": "b", "quals": 1}\n', [], "has a column 'quals' already"),
        ('{"source": "a", "summary": "b"}\n', ["--num-groups", "0"], "num_groups is 0"),
        ('{"source": "a", "summary": "b"}\n', ["--source", "x"], "not both"),
    ],
)
def test_mistakes_are_one_sentence_and_nothing_is_written(
    asking_qagen: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: str,
    arguments: list[str],
    message: str,
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(content)
    output = tmp_path / "out.jsonl"
    output.write_text("old")
    status = main(["score", str(path), "--output", str(output), "--checkpoint", str(asking_qagen), *QUICK, *arguments])
    assert status == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert output.read_text() == "old"
    assert names(tmp_path) == ["in.jsonl", "out.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to score"),
        (["--source", "a"], "nothing to score"),
        (["--resume"], "--resume continues a run with an --output"),
        (["missing.jsonl"], "missing.jsonl"),
        (["--source", "@missing.txt", "--summary", "a"], "missing.txt cannot be read"),
        (["--source", "a", "--summary", "a", "--output", "out.csv"], "must end in"),
    ],
)
def test_mistaken_arguments(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["score", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert names(tmp_path) == []


def test_the_input_is_never_overwritten(asking_qagen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path / "in.jsonl", rows())
    before = path.read_bytes()
    for arguments in ([path], ["--source", f"@{path}", "--summary", "a"]):
        assert score(asking_qagen, *arguments, "--output", path) == 2
        assert "is the input" in capsys.readouterr().err
        assert path.read_bytes() == before


def many(count: int) -> list[dict[str, Any]]:
    words = ["joshua", "won", "the", "red", "city", "in", "paris", "klitschko", "lost", "a", "blue", "dog"]
    return [
        {"source": " ".join(words[n % 7 :]), "summary": " ".join(words[n % 5 : 5 + n % 8]), "n": n}
        for n in range(count)
    ]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
@pytest.mark.parametrize("kind", [".jsonl", ".parquet"])
def test_a_killed_run_goes_on_to_the_same_bytes(
    asking_qagen: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = table(tmp_path / "in.jsonl", many(120))
    whole, broken = tmp_path / f"whole{kind}", tmp_path / f"broken{kind}"
    partial = broken.with_name(broken.name + ".partial")
    command = ["score", str(path), "--checkpoint", str(asking_qagen), *QUICK, "--explain"]
    kill_midway([*command, "--output", str(broken)], lambda: list(partial.glob("*/chunk-*.json")), broken, partial, 0)

    capsys.readouterr()
    enable_propagation()  # of transformers' log lines, to caplog
    assert main([*command, "--output", str(broken)]) == 2
    assert "add --resume to continue" in capsys.readouterr().err
    [folder] = partial.iterdir()
    (folder / "chunk-000003.json").write_text('{"store": "scores-')  # as if the blow had fallen while it wrote
    assert main([*command, "--output", str(broken), "--resume"]) == 0
    assert re.search(r"Scoring: \d+ of 120 rows are on disk in", caplog.text)
    assert main([*command, "--output", str(whole)]) == 0
    assert "Scoring: 32 of 120 rows done, about " in caplog.text, "there is no terminal, so no bar"
    assert broken.read_bytes() == whole.read_bytes()
    finished = read_table(broken)
    assert len(finished) == 120
    assert sum(row["num_pairs"] > 0 for row in finished) > 20
    assert names(tmp_path) == sorted(["in.jsonl", whole.name, broken.name])


@pytest.mark.skipif(
    not Path("/proc/self").is_dir(), reason="there is no folder that even an administrator cannot write"
)
@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_a_folder_that_takes_no_file_is_found_out_before_the_model_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path = table(tmp_path / "in.jsonl", rows())
    assert score(tmp_path / "no-such-checkpoint", path, "--output", f"/proc/{name}") == 2
    error = capsys.readouterr().err
    assert f"The output /proc/{name} cannot be written (" in error
    assert "checkpoint" not in error


@pytest.mark.parametrize("change", ["text", "setting", "columns"])
def test_results_of_another_run_are_never_taken_over(
    asking_qagen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    path, output = table(tmp_path / "in.jsonl", rows()), tmp_path / "out.jsonl"
    partial = tmp_path / "out.jsonl.partial"
    assert score(asking_qagen, path, "--output", output) == 0
    expected = output.read_bytes()

    other = ["--max-pairs", "1"] if change == "setting" else ["--explain"] if change == "columns" else []
    if change == "text":
        table(path, [{**rows()[0], "summary": "a king"}, *rows()[1:]])
    output.unlink()
    keep_partial(asking_qagen, path, output, other)
    kept = {path: path.read_bytes() for path in partial.glob("*/chunk-*.json")}
    table(path, rows())
    for resume in ([], ["--resume"]):
        assert score(asking_qagen, path, "--output", output, *resume) == 2
        assert "holds results of another run" in capsys.readouterr().err
        assert kept
        assert all(path.read_bytes() == whole for path, whole in kept.items())
    shutil.rmtree(partial)
    assert score(asking_qagen, path, "--output", output) == 0
    assert output.read_bytes() == expected
    assert not partial.exists()


@pytest.mark.parametrize(("value", "suffix"), [({}, ".parquet"), (2**70, ".parquet"), (b"x", ".jsonl")])
def test_rows_that_the_output_cannot_hold_are_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], value: Any, suffix: str
) -> None:
    content = [{"source": "a", "summary": "a", "other": value}]
    path = table(tmp_path / ("in.parquet" if suffix == ".jsonl" else "in.jsonl"), content)
    arguments = ["score", str(path), "--output", str(tmp_path / f"out{suffix}"), "--checkpoint", "is not even read"]
    assert main(arguments) == 2
    assert ("Parquet cannot hold" if suffix == ".parquet" else "'other' holds bytes") in capsys.readouterr().err
    assert names(tmp_path) == [path.name]


def keep_partial(qagen: Path, path: Path, output: Path, options: list[str]) -> None:
    """Leave the partial results of a run: its process ends where it would write the output."""
    code = (
        "import os, sys, trainer_ext.io.tables\n"
        "trainer_ext.io.tables.write_table = lambda *_: os._exit(9)\n"
        "from trainer_ext.cli.main import main\n"
        "main(sys.argv[1:])"
    )
    command = ["score", str(path), "--output", str(output), "--checkpoint", str(qagen), *QUICK, *options]
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, check=False, timeout=120)
    assert done.returncode == 9, done.stderr.decode()


def test_the_choices_are_the_scorers() -> None:
    parser = argparse.ArgumentParser()
    add_scorer_arguments(parser)
    choices = {action.dest: action.choices for action in parser._actions if action.choices}
    assert choices == {"dtype": list(DTYPES), "long_sources": list(LONG_SOURCES), "weighting": list(WEIGHTINGS)}
    defaults = vars(parser.parse_args([]))
    assert (
        QualsScorer.__init__.__kwdefaults__.items()
        >= {name: value for name, value in defaults.items() if name != "checkpoint"}.items()
    )


def test_the_embedded_checkpoint_scores_with_no_option(embedded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert embedded.is_dir()
    text = "The cat sat on the mat in Paris."
    assert main(["score", "--source", text, "--summary", text]) == 0
    assert "coverage 100.0%" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_invalid_rows_are_left_out_if_asked(
    qagen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    content: list[dict[str, Any]] = [dict(row) for row in rows()]
    content.insert(1, {**content[0], "summary": None})
    content.append({**content[0], "source": 3})
    file = table(tmp_path / "in.jsonl", content)
    assert score(qagen, file, "--output", tmp_path / f"out{suffix}") == 2
    assert "row 5: 'source' is int '3'" in capsys.readouterr().err
    if suffix == ".parquet":  # which holds one type per column
        content[-1]["source"] = None
        table(file, content)
    assert score(qagen, file, "--skip-invalid", "--output", tmp_path / f"out{suffix}") == 0
    assert "3 without both texts (the first is row 2)" in capsys.readouterr().out
    written = list(read_table(tmp_path / f"out{suffix}"))
    table(tmp_path / "valid.jsonl", rows())
    assert score(qagen, tmp_path / "valid.jsonl", "--output", tmp_path / "valid-out.jsonl") == 0
    expected = [row["quals"] for row in read_table(tmp_path / "valid-out.jsonl")]
    scores = [row["quals"] for row in written]
    assert [scores[1], scores[-1]] == [None, None]
    assert [scores[0], *scores[2:-1]] == [None if s is None else pytest.approx(s, abs=1e-5) for s in expected]
    assert (written[1]["num_pairs"], written[1]["source"]) == (None, content[1]["source"])


def test_a_file_of_invalid_rows_alone_says_what_is_wrong(
    qagen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = table(tmp_path / "in.jsonl", [{"source": "a", "summary": None}])
    assert score(qagen, file, "--skip-invalid") == 2
    assert "row 1: 'summary' is null" in capsys.readouterr().err
