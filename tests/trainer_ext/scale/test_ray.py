"""A real Ray cluster of two nodes: the bytes of one process, whatever dies on the way."""

from __future__ import annotations

import os
import random
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from quals import Calibration, QualsScorer
from quals.errors import OptionError
from support import mining_data
from support.killed import kill_midway
from support.mining_data import FEW, columns, copied, documents, with_labels
from support.ray_work import NODE, Deadly, StruckPool, Unreadable, kill_worker, part
from support.scale_data import QUICK, names, rows, score, write
from support.tiny import REPOSITORY, tiny_tokenizer

from trainer_ext.cli.main import main
from trainer_ext.io.tables import read_table
from trainer_ext.mining import Selection, Workers, mine
from trainer_ext.scale import RayPool, ray_pool, score_rows

ray = pytest.importorskip("ray", reason="the extra ray is not installed")
Captured = pytest.CaptureFixture[str]
needs_kill = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")


@pytest.fixture(scope="session")
def scored(asking_qagen: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A file, and its scores by one process."""
    folder = tmp_path_factory.mktemp("scored")
    file = write(folder / "in.jsonl", rows(300))
    assert score(asking_qagen, file, "--output", folder / "out.jsonl", "--explain") == 0
    return file, folder / "out.jsonl"


@pytest.fixture
def the_pool(pool: RayPool, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Commands with --engine ray take the pool of all tests, or another one that they are told."""
    taken: list[Any] = [nullcontext(pool)]
    monkeypatch.setattr("trainer_ext.scale.RayPool", lambda *_, **options: taken[-1])
    return taken.append


@needs_kill
def test_a_driver_a_worker_and_a_node_that_die_cost_scores_no_byte(
    cluster: Any,
    pool: RayPool,
    the_pool: Callable[[Any], None],
    asking_qagen: Path,
    scored: tuple[Path, Path],
    tmp_path: Path,
    capsys: Captured,
    caplog: pytest.LogCaptureFixture,
) -> None:
    output = tmp_path / "out.jsonl"
    options = [scored[0], "--output", output, "--explain", "--engine", "ray", "--workers", "1"]
    command = ["score", *map(str, options), "--checkpoint", str(asking_qagen), *QUICK, "--address", cluster.address]
    partial = output.with_name(output.name + ".partial")
    kill_midway(command, lambda: list(partial.glob("*/chunk-*.json")), output, partial, 0.3)

    def kill_node(workers: dict[int, str]) -> bool:
        nodes = [node for node in cluster.worker_nodes if node.node_id in workers.values()]
        for node in nodes:
            cluster.remove_node(node, allow_graceful=False)
        return bool(nodes)

    def kill_another(workers: dict[int, str]) -> bool:
        """A worker outlives its node for a moment: not that one, which would be one death for two blows."""
        living = {node.node_id for node in cluster.list_all_nodes()}
        return kill_worker({process: node for process, node in workers.items() if node in living})

    struck = StruckPool(pool, tmp_path / "notes", {1: kill_node, 3: kill_another})
    the_pool(struck)
    capsys.readouterr()
    try:
        assert score(asking_qagen, *options) == 0
    finally:
        cluster.add_node(**NODE)  # the next test needs it
    assert struck.fallen == 2
    assert output.read_bytes() == scored[1].read_bytes()
    assert "rows       300\nscored " in capsys.readouterr().out
    assert "of 300 rows are on disk in" in caplog.text
    assert caplog.text.count("A worker died") >= 2
    assert names(tmp_path) == ["notes", "out.jsonl"]


def test_a_data_set_of_rays_and_rows_come_back_scored_in_order(
    pool: RayPool, asking_qagen: Path, scored: tuple[Path, Path]
) -> None:
    import ray.data

    expected = [dict(row) for row in read_table(scored[1])]
    scorer = QualsScorer(str(asking_qagen), device="cpu", num_groups=30, diversity=2.0)
    assert score_rows(rows(300), scorer, pool=pool, explain=True) == expected
    dataset = ray.data.from_items(rows(300), override_num_blocks=7)
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


@needs_kill
def test_a_driver_and_workers_that_die_cost_mining_no_byte(
    cluster: Any,
    pool: RayPool,
    the_pool: Callable[[Any], None],
    summarizer: Path,
    qagen: Path,
    tmp_path: Path,
) -> None:
    content = [{"document": row["source"], "summary": " ".join(row["source"].split()[:3])} for row in rows(60)]
    options = ["mine", str(write(tmp_path / "in.jsonl", content)), "--model", str(summarizer), "--device", "cpu"]
    options += ["--checkpoint", str(qagen), "--num-candidates", "3", "--max-length", "8", "--num-groups", "10"]
    options += ["--sampling-batch-tokens", "160"]
    assert main([*options, "--output", str(tmp_path / "one.jsonl")]) == 0
    output = tmp_path / "ray.jsonl"
    options += ["--output", str(output), "--engine", "ray"]
    work = output.with_name(output.name + ".mining")
    command = [*options, "--address", cluster.address, "--workers", "1"]
    kill_midway(command, lambda: list(work.glob("*/chunk-*.json")), output, work, 0.3)
    # The killed driver left eight parts or so: those of the scoring.
    struck = StruckPool(pool, tmp_path / "notes", {random.randrange(1, 4): kill_worker})
    the_pool(struck)
    assert main(options) == 0
    assert struck.fallen == 1
    assert output.read_bytes() == (tmp_path / "one.jsonl").read_bytes()
    assert read_table(output)


def test_the_training_guides_commands_mine_with_ray_and_train_with_accelerate(
    the_pool: Callable[[Any], None], summarizer: Path, qagen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the page has them, with a small data set, and two processes on CPUs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-summarizer").symlink_to(summarizer)
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    content = [{"article": row["source"], "highlights": " ".join(row["source"].split()[:3])} for row in rows(12)]
    write(tmp_path / "articles.jsonl", content)
    page = (REPOSITORY / "docs" / "training.md").read_text(encoding="utf-8")
    [block] = [block for block in re.findall(r"^```bash\n(.*?)^```$", page, re.M | re.S) if "--engine ray" in block]
    mining, training = map(shlex.split, block.replace("\\\n", " ").splitlines())
    options = ["--device", "cpu", "--checkpoint", str(qagen), "--num-candidates", "3", "--max-length", "8"]
    assert main([*mining[1:], *options, "--fraction", "1"]) == 0
    assert training[:4] == ["accelerate", "launch", "--num_processes", "8"]
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--main_process_port", "0"]
    command += ["--num_processes", "2", *training[4:]]
    command += ["--use_cpu", "--max_steps", "2", "--report_to", "none", "--save_strategy", "no"]
    command += ["--max_target_length", "8", "--ranker", "rouge", "--card_documents", "0"]
    # A group of processes that is open at a process's end now and then aborts it. And the first process, which makes
    # the output folder, may be the slower one.
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, os, sys, time\n"
        "if os.environ.get('RANK') == '0':\n"
        "    makedirs = os.makedirs\n"
        "    os.makedirs = lambda name, *a, **k: (name == 'out' and time.sleep(3), makedirs(name, *a, **k))[1]\n"
        "def end():\n"
        "    torch = sys.modules.get('torch')\n"
        "    if torch and torch.distributed.is_initialized(): print('a group of processes is left open')\n"
        "atexit.register(end)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "left open" not in done.stdout
    assert (tmp_path / "out" / "model.safetensors").is_file()
    assert not list((tmp_path / "out").rglob("chunk-*.json")), "nothing is mined again"
    assert "Candidates: " in (tmp_path / "out" / "README.md").read_text()


def test_the_code_of_the_docs_page_runs(the_pool: Callable[[Any], None], embedded: Path, capsys: Captured) -> None:
    assert embedded.is_dir()
    page = (REPOSITORY / "docs" / "scale.md").read_text(encoding="utf-8")
    [code] = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    names["main"]()
    assert -1 < float(capsys.readouterr().out) < 0.1


def test_a_part_that_kills_workers_is_given_up_and_a_poisoned_one_is_named(
    pool: RayPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_pool, "_MOST_CRASHES", 1)
    got: dict[int, Any] = {}

    def gather() -> None:
        for number, content in pool.spread(Deadly(kills=7, poisoned=4), part, [4, 5, 7, 8]):
            got[number] = content

    with pytest.raises(ValueError, match=r"in.jsonl, rows 5 to 5: KeyError: 'poison'.*And 1 other") as error:
        gather()
    assert got == {5: [5], 8: [8]}, "the neighbours"
    assert "\n" not in str(error.value)


def test_work_that_does_not_reach_a_worker_is_not_blamed_on_the_texts(
    pool: RayPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_pool, "_MOST_CRASHES", 1)
    with pytest.raises(ValueError, match=r"in.jsonl, rows 1 to 1: 1 workers died over it \(.*lost on the way"):
        list(pool.spread(Unreadable(), part, [0]))

    def full(_: object) -> None:
        raise ray.exceptions.OutOfDiskError("Local disk is full")

    monkeypatch.setattr(ray, "put", full)
    with pytest.raises(OptionError, match=r"object store is full, and so is the disk.*: give Ray more") as error:
        list(pool.spread(Deadly(), part, [1]))
    assert "\n" not in str(error.value)


def test_nodes_with_another_version_are_refused(pool: RayPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_pool, "__version__", "9.9")
    with pytest.raises(ValueError, match=r"A node has version .* of quals, and this machine 9\.9: install one"):
        list(pool.spread(Deadly(), part, [1]))


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
