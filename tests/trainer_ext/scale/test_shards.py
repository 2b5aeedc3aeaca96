"""``quals score --shard`` and ``--join``: parts made by processes that know nothing of each other, and the whole."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from quals import Calibration, QualsScorer
from support.scale_data import names, rows, score, write
from support.tiny import REPOSITORY

from trainer_ext.cli.main import main
from trainer_ext.io.tables import read_table
from trainer_ext.scale.shards import shard
from trainer_ext.scale.table import CHUNK

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Of four parts, with a row that has no summary."""
    return write(tmp_path / "in.jsonl", [*rows(50), {"source": "a cat", "summary": None, "n": 50}, *rows(60, 51)])


@pytest.mark.parametrize("kind", [".jsonl", ".parquet"])
def test_shards_of_any_number_and_order_make_the_bytes_of_one_process(
    asking_qagen: Path, tmp_path: Path, file: Path, kind: str, capsys: Captured
) -> None:
    options = [file, "--skip-invalid", "--explain", "--output"]
    whole, made = tmp_path / f"whole{kind}", tmp_path / f"made{kind}"
    assert score(asking_qagen, *options, whole) == 0
    expected = capsys.readouterr().out
    for part in ("3/3", "1/3"):
        assert score(asking_qagen, *options, made, "--shard", part) == 0
    assert "shard 1 of 3: rows 1 to 32 are scored and kept in" in capsys.readouterr().out
    assert score(asking_qagen, *options, made, "--join") == 2
    error = capsys.readouterr().err
    assert "32 of 110 rows are not scored yet (rows 33 to 65)" in error
    assert "with --shard 2/3 instead of --join" in error
    assert not made.exists()
    assert score(asking_qagen, *options, made, "--shard", "4/7") == 0
    assert score(asking_qagen, *options, made, "--join") == 0
    assert made.read_bytes() == whole.read_bytes()
    shown = capsys.readouterr().out.splitlines()[1:]  # after the line of the shard
    assert shown[:-1] == expected.splitlines()[:-1], "the table is that of the whole"
    assert sum((row["num_pairs"] or 0) > 0 for row in read_table(made)) > 20
    assert names(tmp_path) == sorted(["in.jsonl", whole.name, made.name])


def test_a_shard_goes_on_where_it_stopped_and_makes_what_is_torn_again(
    asking_qagen: Path, tmp_path: Path, file: Path
) -> None:
    options = [file, "--skip-invalid", "--output", tmp_path / "out.jsonl"]
    assert score(asking_qagen, *options, "--shard", "1/1") == 0
    [store] = (tmp_path / "out.jsonl.partial").iterdir()
    chunks = {path: path.read_bytes() for path in store.glob("chunk-*")}
    assert len(chunks) == 4
    times = {path: path.stat().st_mtime_ns for path in chunks}
    torn = store / "chunk-000002.json"
    torn.write_bytes(chunks[torn][:99])
    (store / ".chunk-000001.json.1-abc.tmp").write_bytes(b"{")
    assert score(asking_qagen, *options, "--shard", "1/1") == 0
    assert {path: path.read_bytes() for path in store.glob("chunk-*")} == chunks
    assert [path for path in chunks if path.stat().st_mtime_ns != times[path]] == [torn]
    assert not list(store.glob(".*"))


def test_the_pages_commands_mine_file_by_file_and_select_from_all(
    summarizer: Path, qagen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-summarizer").symlink_to(summarizer)
    for number in (1, 2):
        content = [{"source": row["source"], "summary": row["source"], "n": row["n"]} for row in rows(8, 8 * number)]
        write(tmp_path / f"part-{number}.jsonl", content)
    page = (REPOSITORY / "docs" / "scale.md").read_text(encoding="utf-8")
    [block] = [block for block in re.findall(r"^```bash\n(.*?)^```$", page, re.M | re.S) if "--steps" in block]
    options = ["--device", "cpu", "--checkpoint", str(qagen), "--num-candidates", "2", "--generation-max-length", "8"]
    for line in block.splitlines():
        if line.startswith("quals "):
            assert main([*shlex.split(line)[1:], *options, "--selection", "all"]) == 0
        else:
            subprocess.run(line, shell=True, check=True)
    assert [row["n"] for row in read_table(tmp_path / "mined.jsonl")] == list(range(8, 24))
    assert all(row["candidate_labels"] for row in read_table(tmp_path / "mined.jsonl"))


def test_the_shards_of_any_number_are_all_rows_once() -> None:
    for count in range(1, 9):
        shares = [shard(f"{index}/{count}").share(5) for index in range(1, count + 1)]
        assert [number for share in shares for number in share] == list(range(5))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--shard", "5/4"], "--shard is '5/4': shards of N are 1/N to N/N"),
        (["--shard", "0/4"], "--shard is '0/4': shards of N are"),
        (["--shard", "0/0"], "--shard is '0/0': shards of N are 1/N to N/N, so give 1/1"),
        (["--shard", "two"], "--shard is 'two': give I/N, such as 3/16"),
        (["--shard=-1/4"], "give I/N"),
        (["--shard", "1/2", "--join"], "give one after the other"),
        (["--workers", "2"], "--workers is an option of Ray's workers"),
        (["--threads", "2"], "--threads is an option of Ray's workers"),
    ],
)
def test_mistaken_options_are_one_line(
    tmp_path: Path, file: Path, capsys: Captured, arguments: list[str], message: str
) -> None:
    options = ["--skip-invalid", "--output", tmp_path / "out.jsonl"]
    assert score(tmp_path / "is-not-even-read", file, *options, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert names(tmp_path) == ["in.jsonl"]


def test_a_shard_needs_an_output_and_a_file(tmp_path: Path, file: Path, capsys: Captured) -> None:
    assert score(tmp_path, file, "--shard", "1/2") == 2
    assert "--shard continues a run with an --output" in capsys.readouterr().err
    assert score(tmp_path, "--source", "a", "--summary", "a", "--output", tmp_path / "out.jsonl", "--join") == 2
    assert "Shards are of a file or a folder" in capsys.readouterr().err


def test_probabilities_are_those_of_one_process(asking_qagen: Path, tmp_path: Path, file: Path) -> None:
    scorer = QualsScorer(str(asking_qagen), num_groups=30, diversity=2.0)
    calibration = Calibration(2.0, 3.0, scorer.signature, ("news",), 400, 200, 0.6)
    calibration.write(tmp_path / "map.json")
    options = ["--skip-invalid", "--calibration", tmp_path / "map.json", "--output"]
    whole, made = tmp_path / "whole.parquet", tmp_path / "made.parquet"
    assert score(asking_qagen, file, *options, whole) == 0
    written = read_table(whole)
    assert [row["probability"] for row in written] == [calibration.probability(row["quals"]) for row in written]
    assert sum(row["probability"] is not None for row in written) > 20
    for end in (["--shard", "1/2"], ["--shard", "2/2"], ["--join"]):
        assert score(asking_qagen, file, *options, made, *end) == 0
    assert made.read_bytes() == whole.read_bytes()
    assert score(asking_qagen, file, *options, made, "--processes", "2") == 0
    assert made.read_bytes() == whole.read_bytes()
    folder = tmp_path / "in"
    folder.mkdir()
    file.rename(folder / "in.jsonl")
    assert score(asking_qagen, folder, *options, tmp_path / "out") == 0
    of_folder = read_table(tmp_path / "out" / "in.jsonl")
    assert [row["probability"] for row in of_folder] == [row["probability"] for row in written]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("settings", "with other settings (their signature is quals-"),
        ("calibration", "with other probabilities:"),
        ("texts", "with other texts:"),
        ("columns", "with other columns:"),
    ],
)
def test_shards_of_other_work_are_never_put_together(
    asking_qagen: Path, tmp_path: Path, file: Path, capsys: Captured, change: str, message: str
) -> None:
    options = [file, "--skip-invalid", "--output", tmp_path / "out.jsonl"]
    assert score(asking_qagen, *options, "--shard", "1/2") == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("chunk-*")}
    signature = QualsScorer(str(asking_qagen), num_groups=30, diversity=2.0).signature
    Calibration(2.0, 3.0, signature, ("news",), 400, 200, 0.6).write(tmp_path / "map.json")
    more = {"settings": ["--max-pairs", "1"], "columns": ["--explain"]}.get(change, [])
    more += ["--calibration", str(tmp_path / "map.json")] * (change == "calibration")
    if change == "texts":
        write(file, rows(90))
    for end in (["--shard", "2/2"], ["--join"]):
        assert score(asking_qagen, *options, *more, *end) == 2
        error = capsys.readouterr().err
        assert f"holds results of another run, {message}" in error
        assert error.count("\n") == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("chunk-*")} == before


def test_a_folder_gets_an_output_for_each_file_and_a_manifest(
    asking_qagen: Path, tmp_path: Path, capsys: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        write(folder / f"part-{number}.jsonl", rows(40, 40 * number))
    (folder / "notes.txt").write_text("not read")
    assert score(asking_qagen, folder, "--output", tmp_path / "out") == 0
    shown = capsys.readouterr().out
    assert f"Scoring {folder}: 1 of 3 files done, about " in caplog.text
    assert f"Scoring {folder}: 3 files done in " in caplog.text
    for name in ("part-0.jsonl", "part-1.jsonl", "part-2.jsonl"):
        assert score(asking_qagen, folder / name, "--output", tmp_path / "alone.jsonl") == 0
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "alone.jsonl").read_bytes()
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert [(file["file"], file["rows"], file["left_out"]) for file in manifest["files"]] == [
        (f"part-{number}.jsonl", 40, 0) for number in range(3)
    ]
    assert manifest["signature"] in shown
    assert "files      3\nrows       120\n" in shown
    assert names(tmp_path / "out") == [".done", "manifest.json", "part-0.jsonl", "part-1.jsonl", "part-2.jsonl"]

    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (tmp_path / "out").glob("part-*")}
    (tmp_path / "out" / "part-1.jsonl").unlink()
    capsys.readouterr()
    assert score(asking_qagen, folder, "--output", tmp_path / "out", "--join") == 2
    assert "1 of 3 files of" in capsys.readouterr().err
    assert score(asking_qagen, folder, "--output", tmp_path / "out", "--shard", "2/3") == 0
    assert score(asking_qagen, folder, "--output", tmp_path / "out", "--join") == 0
    assert score(asking_qagen, folder, "--output", tmp_path / "out") == 0
    assert f"Scoring {folder}: 1 of 3" not in caplog.text.partition("3 files done in ")[2]
    after = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (tmp_path / "out").glob("part-*")}
    assert {path.name for path in before if before[path] != after[path]} == {"part-1.jsonl"}
    assert {path: whole for path, (whole, _) in before.items()} == {path: whole for path, (whole, _) in after.items()}

    assert score(asking_qagen, folder, "--output", tmp_path / "out", "--max-pairs", "1") == 2
    assert "holds the scores of another part-0.jsonl, or with other settings" in capsys.readouterr().err
    assert score(asking_qagen, folder, "--output", tmp_path / "out", "--shard", "1/4") == 2
    assert "has 3 files, too few for 4 shards" in capsys.readouterr().err


def test_a_file_that_is_wrong_is_named_and_the_others_are_scored(
    asking_qagen: Path, tmp_path: Path, capsys: Captured
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder / "a.jsonl", [*rows(2), {"source": "a", "summary": 3}])
    write(folder / "b.jsonl", rows(3))
    assert score(asking_qagen, folder, "--output", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert "a.jsonl, row 3: 'summary' is int '3'" in error.splitlines()[-1]
    assert "Or leave such rows out with --skip-invalid" in error
    assert "1 of 2 files failed; the others are done." in error
    assert names(tmp_path / "out") == [".done", "b.jsonl"]
    assert score(asking_qagen, folder, "--output", folder) == 2
    assert "is the input" in capsys.readouterr().err


def test_a_row_that_breaks_the_model_is_named(
    asking_qagen: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainer_ext.scale import rows as work

    scored = QualsScorer.score

    def breaking(self: QualsScorer, sources: list[str], summaries: list[str], **options: object) -> object:
        if "poison" in sources:
            raise RuntimeError("the index is out of range")
        return scored(self, sources, summaries, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(work.QualsScorer, "score", breaking)
    content = rows(70)
    content[40]["source"] = "poison"
    assert score(asking_qagen, write(tmp_path / "in.jsonl", content), "--output", tmp_path / "out.jsonl") == 2
    error = capsys.readouterr().err
    assert "in.jsonl, row 41: it cannot be scored (RuntimeError: the index is out of range)" in error
    assert not (tmp_path / "out.jsonl").exists()
    assert [path.name for path in tmp_path.rglob("chunk-*")] == ["chunk-000000.json"], "what came before is kept"


def test_a_dry_run_counts_and_estimates_and_writes_nothing(
    asking_qagen: Path, tmp_path: Path, file: Path, capsys: Captured
) -> None:
    assert score(asking_qagen, file, "--skip-invalid", "--output", tmp_path / "out.jsonl", "--dry-run") == 0
    shown = capsys.readouterr().out
    assert "rows       111, of which 1 are left out" in shown
    assert f"parts      {-(-110 // CHUNK)}\n" in shown
    assert "rows per second and worker, on the first 32 rows" in shown
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "a.jsonl", rows(40))
    write(folder / "b.jsonl", rows(40))
    assert score(asking_qagen, folder, "--dry-run") == 0
    assert "files      2\nrows       80, " in capsys.readouterr().out
    assert names(tmp_path) == ["folder", "in.jsonl"]
