"""``quals mine`` from end to end: whole and by steps, files in and out, complaints in one line, and resumption."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import pytest
from support.mining_data import documents, summarizer, with_labels
from support.tiny import tiny_tokenizer

from trainer_ext.cli.main import main
from trainer_ext.io.tables import read_table
from trainer_ext.mining.generation import length_chunks
from trainer_ext.mining.rankers import RougeRanker

SAMPLING = ["--num-candidates", "4", "--sampling-tokens", "160", "--max-length", "10", "--temperature", "0.7"]
QUICK = ["--num-groups", "30", "--diversity", "2", "--device", "cpu"]  # the settings at which asking_qagen asks
ADDED = ["candidates", "candidate_labels", "candidate_scores", "reference_score"]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("summarizer")
    summarizer().save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def content() -> list[dict[str, Any]]:
    tokenizer, dataset = tiny_tokenizer(), with_labels(summarizer(), documents(40))
    sources = tokenizer.batch_decode(list(dataset["input_ids"]), skip_special_tokens=True)
    summaries = tokenizer.batch_decode(list(dataset["labels"]), skip_special_tokens=True)
    return [{"id": i, "source": a, "summary": b} for i, (a, b) in enumerate(zip(sources, summaries, strict=True))]


def table(path: Path, content: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        datasets.Dataset.from_list(content).to_parquet(path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
    return path


def run(*arguments: str | Path) -> int:
    return main(["mine", "--device", "cpu", *map(str, arguments)])


def written(path: Path) -> list[dict[str, Any]]:
    return [dict(row) for row in read_table(path)]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("output", ["out.jsonl", "out.parquet"])
@pytest.mark.parametrize("name", ["in.jsonl", "in.parquet"])
def test_a_file_is_mined(
    model_folder: Path,
    content: list[dict[str, Any]],
    tmp_path: Path,
    name: str,
    output: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = [table(tmp_path / name, content), "--model", model_folder, *SAMPLING, "--ranker", "rouge"]
    assert run(*arguments, "--output", tmp_path / output) == 0
    rows = written(tmp_path / output)
    assert list(rows[0]) == ["id", "source", "summary", *ADDED]
    assert 1 <= len(rows) <= 20
    for row in rows:
        assert {key: row[key] for key in content[0]} == content[row["id"]]
        assert [row["reference_score"]] == RougeRanker()([""], [row["summary"]], [row["summary"]])
        [text], [ids], [score] = row["candidates"], row["candidate_labels"], row["candidate_scores"]
        assert tiny_tokenizer().decode(ids, skip_special_tokens=True) == text
        assert score < row["reference_score"] or row["reference_score"] < 1
    shown = capsys.readouterr().out
    assert "documents    40\n" in shown
    assert f"selected     {len(rows)} rows, {len(rows)} candidates\n" in shown
    assert "rule         one_sided\n" in shown
    assert "ranker       rouge-1-2-L" in shown
    assert names(tmp_path) == sorted([name, output])


def test_quals_scores_by_its_options_and_null_is_no_score(
    model_folder: Path, content: list[dict[str, Any]], asking_qagen: Path, tmp_path: Path
) -> None:
    path, output = table(tmp_path / "in.jsonl", content), tmp_path / "out.jsonl"
    options = ["--model", model_folder, *SAMPLING, "--checkpoint", asking_qagen, *QUICK, "--rule", "all"]
    assert run(path, "--output", output, *options, "--max-documents", "10") == 0
    rows = written(output)
    assert len(rows) == 10
    scores = [score for row in rows for score in row["candidate_scores"]]
    assert None in scores
    assert any(score is not None and score < 0 for score in scores)


def test_steps_one_by_one_come_to_the_same(model_folder: Path, content: list[dict[str, Any]], tmp_path: Path) -> None:
    path = table(tmp_path / "in.jsonl", content)
    common: list[str | Path] = ["--ranker", "rouge", "--num-negatives", "2"]
    model = ["--model", model_folder, *SAMPLING]
    assert run(path, "--output", tmp_path / "whole.jsonl", *model, *common) == 0
    assert run(path, "--output", tmp_path / "a.parquet", *model, "--steps", "sample") == 0
    assert list(written(tmp_path / "a.parquet")[0]) == [*content[0], "candidates", "candidate_labels"]
    assert run(tmp_path / "a.parquet", "--output", tmp_path / "b.jsonl", "--steps", "score", *common) == 0
    assert len(written(tmp_path / "b.jsonl")) == 40
    assert run(tmp_path / "b.jsonl", "--output", tmp_path / "c.jsonl", "--steps", "select", *common) == 0
    assert written(tmp_path / "c.jsonl") == written(tmp_path / "whole.jsonl")
    assert run(tmp_path / "a.parquet", "--output", tmp_path / "d.jsonl", "--steps", "score,select", *common) == 0
    assert written(tmp_path / "d.jsonl") == written(tmp_path / "whole.jsonl")


def test_a_dry_run_counts_and_estimates_and_writes_nothing(
    model_folder: Path, content: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [table(tmp_path / "in.jsonl", content), "--model", model_folder, *SAMPLING, "--ranker", "rouge"]
    assert run(*arguments, "--output", tmp_path / "out.jsonl", "--dry-run") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("documents  40\nmeasured   ")
    assert "documents per second and worker, on 16 drawn at random\ntime       about " in shown
    assert names(tmp_path) == ["in.jsonl"]
    assert run(*arguments, "--output", tmp_path / "out.jsonl", "--dry-run", "--steps", "select") == 2
    assert "--dry-run estimates sampling and scoring, and --steps has neither" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_candidates_of_ones_own_need_no_model(tmp_path: Path, suffix: str) -> None:
    content = [
        {"source": "d1", "summary": "the cat won", "candidates": ["the cat lost", "the cat won", "a dog"]},
        {"source": "d2", "summary": "a queen", "candidates": ["a queen won", "a king"]},
    ]
    path, output = table(tmp_path / f"in{suffix}", content), tmp_path / f"out{suffix}"
    assert run(path, "--output", output, "--steps", "score,select", "--ranker", "rouge", "--fraction", "1") == 0
    assert [row["candidates"] for row in written(output)] == [["a dog"], ["a king"]]
    assert [row["source"] for row in written(output)] == ["d1", "d2"]
    # Best and worst of each document: the reference itself, which ROUGE finds perfect, and the worst candidate.
    scored = [{**row, "candidate_scores": [2.0, None, 1.0][: len(row["candidates"])]} for row in content]
    scored[1] |= {"candidate_scores": [0.5, 3.0]}
    output = tmp_path / f"per{suffix}"
    arguments = ["--steps", "select", "--rule", "per_document"]
    assert run(table(tmp_path / f"in2{suffix}", scored), "--output", output, *arguments) == 0
    rows = written(output)
    assert [row["summary"] for row in rows] == ["the cat lost", "a king"]
    assert [row["candidates"] for row in rows] == [["a dog"], ["a queen won"]]
    assert [row["reference_score"] for row in rows] == [2.0, 3.0]


def test_without_references(
    model_folder: Path, content: list[dict[str, Any]], asking_qagen: Path, tmp_path: Path
) -> None:
    bare = [{"source": row["source"]} for row in content[:10]]
    path, output = table(tmp_path / "in.jsonl", bare), tmp_path / "out.jsonl"
    options = ["--model", model_folder, *SAMPLING, "--checkpoint", asking_qagen, *QUICK, "--no-reference"]
    assert run(path, "--output", output, *options) == 0
    assert len(written(output)) <= 5
    assert all(row["reference_score"] is None for row in written(output))


def broken_off(arguments: list[str], chunks: int) -> None:
    """Run the command until so many chunks are on disk, and end its process there."""
    code = (
        "import os, sys\n"
        "from trainer_ext.io.chunks import ChunkStore\n"
        "whole, left = ChunkStore.write, [int(sys.argv.pop(1))]\n"
        "def write(*arguments):\n"
        "    whole(*arguments)\n"
        "    left[0] -= 1\n"
        "    left[0] or os._exit(9)\n"
        "ChunkStore.write = write\n"
        "from trainer_ext.cli.main import main\n"
        "main(sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(chunks), *arguments], capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 9, done.stderr.decode()


def test_a_broken_run_goes_on(
    model_folder: Path, content: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, output, work = table(tmp_path / "in.jsonl", content), tmp_path / "out.jsonl", tmp_path / "out.jsonl.mining"
    options = [str(path), "--model", str(model_folder), *SAMPLING, "--ranker", "rouge", "--device", "cpu"]
    arguments = ["mine", *options, "--output", str(output)]
    broken_off(arguments, 3)
    [folder] = work.iterdir()
    done = [name for name in names(folder) if name.startswith("chunk")]
    assert len(done) == 3
    chunk_count = len(length_chunks([len(row["source"].split()) + 2 for row in content], 4, 160))
    times = {name: (folder / name).stat().st_mtime_ns for name in done}
    broken_off(arguments, chunk_count - 3 + 1)  # in the scores, before the output is written
    assert {name: (folder / name).stat().st_mtime_ns for name in done} == times
    before = names(work)
    assert main([*arguments, "--work-dir", str(tmp_path / "other")]) == 0  # goes its own way
    expected = output.read_bytes()
    output.unlink()
    assert names(work) == before
    assert names(tmp_path) == ["in.jsonl", "other", "out.jsonl.mining"]
    assert names(tmp_path / "other") == []
    assert main(arguments) == 0
    assert output.read_bytes() == expected
    assert names(tmp_path) == ["in.jsonl", "other", "out.jsonl"]


def test_only_our_work_is_removed(model_folder: Path, content: list[dict[str, Any]], tmp_path: Path) -> None:
    path, work = table(tmp_path / "in.jsonl", content), tmp_path / "work"
    ours = work / "out.jsonl.mining"
    ours.mkdir(parents=True)
    (ours / "notes.txt").write_text("mine")
    options = ["--model", model_folder, *SAMPLING, "--ranker", "rouge", "--work-dir", work]
    assert run(path, "--output", tmp_path / "out.jsonl", *options) == 0
    assert names(ours) == ["notes.txt"]


def test_a_run_with_other_settings_leaves_the_work_of_the_first(
    model_folder: Path, content: list[dict[str, Any]], tmp_path: Path
) -> None:
    path, output, work = table(tmp_path / "in.jsonl", content), tmp_path / "out.jsonl", tmp_path / "out.jsonl.mining"
    options = [str(path), "--model", str(model_folder), *SAMPLING, "--ranker", "rouge", "--device", "cpu"]
    arguments = ["mine", *options, "--output", str(output)]
    broken_off(arguments, 3)
    [first] = work.iterdir()
    done = {name: (first / name).read_bytes() for name in names(first) if name.startswith("chunk")}
    assert main([*arguments, "--seed", "1"]) == 0
    assert list(work.iterdir()) == [first]
    assert {name: (first / name).read_bytes() for name in names(first) if name.startswith("chunk")} == done
    assert main(arguments) == 0
    assert not work.exists()


def test_documents_without_words_are_left_out_and_said(
    model_folder: Path, content: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [dict(row) for row in content]
    rows[2]["source"], rows[5]["summary"] = " ", ""
    path, output = table(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl"
    options = ["--model", model_folder, *SAMPLING, "--ranker", "rouge", "--selection", "all"]
    assert run(path, "--output", output, *options) == 0
    assert {row["id"] for row in written(output)} == set(range(40)) - {2, 5}
    assert "left out     2 documents without words" in capsys.readouterr().out


ROW = '{"source": "a cat", "summary": "a"}\n'


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ("", [], "holds no rows"),
        ('{"words": "a"}\n', [], "no column 'source' or"),
        ('{"words": "a"}\n', [], "(columns found: 'words'): name it with --source-column"),
        ('{"text": "a", "document": "b"}\n', [], "has the columns 'document', 'text', and either may be meant"),
        (ROW, ["--source-column", "words"], "no column 'words' (columns found: 'source', 'summary'); name it with"),
        ('{"source": "a"}\n', [], "(columns found: 'source'): name it with --reference-column (or say --no-reference)"),
        ('{"source": null, "summary": "a"}\n', [], "row 1: 'source' is null"),
        (ROW.replace("}", ', "candidates": []}'), [], "has a column 'candidates' already"),
        (ROW, ["--steps", "sample,rank"], "steps is 'sample,rank': give some of sample,score,select"),
        (ROW, ["--steps", "sample,select"], "steps leaves out score"),
        (ROW, ["--steps", "score"], "no column 'candidates', which the step 'score' goes on from"),
        (ROW.replace("}", ', "candidates": ["a"]}'), ["--steps", "select"], "no column 'candidate_scores'"),
        (
            ROW.replace("}", ', "candidates": "a"}'),
            ["--steps", "score"],
            "row 1: 'candidates' is 'a', and should be a list of texts",
        ),
        (ROW.replace("}", ', "candidates": [[1]]}'), ["--steps", "score"], "is '[[1]]', and should be a list of texts"),
        (ROW, ["--num-candidates", "0"], "num_candidates is 0"),
        (ROW, ["--max-source-length", "0"], "max_source_length is 0"),
        (ROW, ["--output", "/proc/out.jsonl"], "The output /proc/out.jsonl cannot be written"),
        (ROW, ["--mining-folder", "/proc/quals"], "/proc/quals for finished work cannot be written to"),
        (ROW, ["--fraction", "2"], "fraction is 2.0"),
        (ROW, ["--ranker", "rouge", "--no-reference"], "rouge compares with reference summaries"),
        (ROW, ["--model", "/nowhere"], "No summarizer could be loaded from '/nowhere'"),
        (ROW, ["--checkpoint", "/nowhere", "--ranker", "quals"], "No QAGen could be loaded from '/nowhere'"),
        (ROW, ["--output", "/nowhere/out.jsonl"], "there is no folder /nowhere"),
        (ROW, ["--device", "nonsense"], "--device is 'nonsense', which torch cannot use here"),
        (ROW, ["--output", "out.csv"], "must end in"),
    ],
)
def test_mistakes_are_one_sentence_and_nothing_is_written(
    model_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: str,
    arguments: list[str],
    message: str,
) -> None:
    path, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    path.write_text(content)
    output.write_text("old")
    options = ["--output", output, "--model", model_folder, "--ranker", "rouge", *arguments]
    assert run(path, *options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert output.read_text() == "old"
    assert names(tmp_path) == ["in.jsonl", "out.jsonl"]


def test_no_model_and_no_summarizer(
    model_folder: Path, content: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = [{**row, "summary": "klitschko"} for row in content]
    path, output = table(tmp_path / "in.jsonl", foreign), tmp_path / "out.jsonl"
    assert run(path, "--output", output) == 2
    assert "--model is not given" in capsys.readouterr().err
    assert run(path, "--output", output, "--model", model_folder, *SAMPLING, "--ranker", "rouge") == 2
    assert "not a summarizer yet" in capsys.readouterr().err
    assert run(path, "--output", path, "--model", model_folder, "--ranker", "rouge") == 2
    assert "is the input" in capsys.readouterr().err
    assert not os.path.exists(output)


def test_a_summarizer_with_cut_off_weights_is_refused(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, path = tmp_path / "model", tmp_path / "in.jsonl"
    shutil.copytree(model_folder, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    path.write_text(ROW)
    assert run(path, "--output", tmp_path / "out.jsonl", "--model", folder, "--ranker", "rouge") == 2
    error = capsys.readouterr().err
    assert str(folder) in error
    assert error.count("\n") == 1


def test_noise_is_refused_in_a_script_that_rouge_does_not_read(
    model_folder: Path, content: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Samples and references share the beginning and the end of the sequence, which are not words of a summary."""
    path = table(tmp_path / "in.jsonl", [{**row, "summary": "кот"} for row in content])
    options = ["--model", model_folder, *SAMPLING, "--ranker", "rouge", "--max-length", "4"]
    assert run(path, "--output", tmp_path / "out.jsonl", *options) == 2
    assert "not a summarizer yet" in capsys.readouterr().err
