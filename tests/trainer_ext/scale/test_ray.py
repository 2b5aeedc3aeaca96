"""A real Ray cluster of two nodes: the bytes of one process, whatever dies on the way."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from quals import Calibration, QualsScorer
from support import mining_data
from support.mining_data import FEW, columns, copied, documents, with_labels
from support.ray_work import Deadly, part
from support.scale_data import QUICK, names, rows, score, write
from support.tiny import REPOSITORY, tiny_tokenizer

from trainer_ext.cli.main import main
from trainer_ext.io.tables import read_table
from trainer_ext.mining import Selection, Workers, mine
from trainer_ext.scale import RayPool, ray_pool, score_rows

ray = pytest.importorskip("ray", reason="the extra ray is not installed")
Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="session")
def scored(asking_qagen: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A file, and its scores by one process."""
    folder = tmp_path_factory.mktemp("scored")
    file = write(folder / "in.jsonl", rows(150))
    assert score(asking_qagen, file, "--output", folder / "out.jsonl", "--explain") == 0
    return file, folder / "out.jsonl"


def test_a_data_set_of_rays_and_rows_come_back_scored_in_order(
    pool: RayPool, asking_qagen: Path, scored: tuple[Path, Path]
) -> None:
    import ray.data

    expected = [dict(row) for row in read_table(scored[1])]
    scorer = QualsScorer(str(asking_qagen), device="cpu", num_groups=30, diversity=2.0)
    assert score_rows(rows(150), scorer, pool=pool, explain=True) == expected
    dataset = ray.data.from_items(rows(150), override_num_blocks=7)
    back = score_rows(dataset, scorer, pool=pool, explain=True)
    assert isinstance(back, ray.data.Dataset)
    assert back.take_all() == expected
    with pytest.raises(ValueError, match="row 2: 'summary' is null"):
        score_rows([*rows(1), {"source": "a", "summary": None}], scorer, pool=pool)
    left_out = score_rows([*rows(1), {"source": "a", "summary": None}], scorer, pool=pool, skip_invalid=True)
    assert (left_out[1]["quals"], left_out[1]["num_pairs"]) == (None, None)
    calibration = Calibration(2.0, 3.0, scorer.signature, ("news",), 400, 200, 0.6)
    calibrated = QualsScorer(scorer.qagen, calibration=calibration, device="cpu", num_groups=30, diversity=2.0)
    judged = score_rows(rows(40), calibrated, pool=pool)
    assert [row["probability"] for row in judged] == [calibration.probability(row["quals"]) for row in expected[:40]]


def test_mining_gives_the_candidates_of_one_process(pool: RayPool, tmp_path: Path) -> None:
    model = mining_data.summarizer()
    dataset = with_labels(model, documents(40))
    options: dict[str, Any] = {"tokenizer": tiny_tokenizer(), "ranker": copied, "sampling": FEW}
    options |= {"selection": Selection(rule="all"), "progress": False}
    expected, summary = mine(model, dataset, **options)
    mined, same = mine(model, dataset, **options, folder=tmp_path, workers=Workers(spread=pool.spread))
    assert columns(mined) == columns(expected)
    assert same == summary


def test_the_command_mines_the_rows_of_one_process(
    pool: RayPool, summarizer: Path, qagen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = [{"document": row["source"], "summary": " ".join(row["source"].split()[:3])} for row in rows(30)]
    command = ["mine", str(write(tmp_path / "in.jsonl", content)), "--model", str(summarizer), "--device", "cpu"]
    command += ["--checkpoint", str(qagen), "--num-candidates", "3", "--max-length", "8", "--num-groups", "10"]
    assert main([*command, "--output", str(tmp_path / "one.jsonl")]) == 0
    monkeypatch.setattr("trainer_ext.scale.RayPool", lambda *_, **options: nullcontext(pool))
    assert main([*command, "--output", str(tmp_path / "ray.jsonl"), "--engine", "ray"]) == 0
    assert (tmp_path / "ray.jsonl").read_bytes() == (tmp_path / "one.jsonl").read_bytes()
    assert read_table(tmp_path / "ray.jsonl")


def test_the_code_of_the_docs_page_runs(
    pool: RayPool, embedded: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    assert embedded.is_dir()
    monkeypatch.setattr("trainer_ext.scale.RayPool", lambda *_, **options: nullcontext(pool))
    page = (REPOSITORY / "docs" / "scale.md").read_text(encoding="utf-8")
    [code] = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    names["main"]()
    assert -1 < float(capsys.readouterr().out) < 0.1


def test_a_worker_that_dies_is_replaced_and_a_part_that_kills_is_given_up(
    pool: RayPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_pool, "_MOST_CRASHES", 2)
    got: dict[int, Any] = {}

    def gather() -> None:
        for number, content in pool.spread(Deadly(tmp_path, always=7, poisoned=4), part, [3, 4, 5, 7, 8]):
            got[number] = content

    with pytest.raises(ValueError, match=r"in.jsonl, rows 5 to 5: KeyError: 'poison'.*And 1 other") as error:
        gather()
    assert got == {3: [3], 5: [5], 8: [8]}, "what met one death, and the neighbours"
    assert (tmp_path / "3").exists(), "a worker died over it"
    assert "\n" not in str(error.value)


def test_nodes_with_another_version_are_refused(pool: RayPool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ray_pool, "__version__", "9.9")
    with pytest.raises(ValueError, match=r"A node has version .* of quals, and this machine 9\.9: install one"):
        list(pool.spread(Deadly(tmp_path), part, [1]))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_a_killed_driver_goes_on_to_the_same_bytes(
    cluster: str, asking_qagen: Path, scored: tuple[Path, Path], tmp_path: Path, capsys: Captured
) -> None:
    file, expected = scored
    output = tmp_path / "out.jsonl"
    options = [file, "--output", output, "--explain", "--engine", "ray", "--workers", "2"]
    command = ["score", *map(str, options), "--checkpoint", str(asking_qagen), *QUICK, "--address", cluster]
    code = "import sys; from trainer_ext.cli.main import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def kept() -> list[Path]:
        return list(output.with_name(output.name + ".partial").glob("*/chunk-*.json"))

    deadline = time.monotonic() + 200
    while process.poll() is None and not kept() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(random.Random(3).uniform(0, 0.3))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it ended before"
    assert kept()
    assert not output.exists()
    before = {path: path.stat().st_mtime_ns for path in kept()}
    capsys.readouterr()
    assert score(asking_qagen, *options) == 0
    assert output.read_bytes() == expected.read_bytes()
    assert before
    assert "rows       150\nscored " in capsys.readouterr().out
    assert names(tmp_path) == ["out.jsonl"]


def test_a_cluster_that_is_not_there_and_a_missing_package_are_one_line(
    asking_qagen: Path, scored: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    options = [scored[0], "--output", tmp_path / "out.jsonl", "--engine", "ray"]
    assert score(asking_qagen, *options, "--workers", "0") == 2
    assert "workers is 0" in capsys.readouterr().err
    monkeypatch.setattr("quals.errors.find_spec", lambda name: None)
    assert score(asking_qagen, *options) == 2
    error = capsys.readouterr().err
    assert "This needs ray, which is not installed" in error
    assert ".[ray]" in error
    assert names(tmp_path) == []
