"""Two processes train, mine and evaluate as one does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.ranks_worker import main
from support.tiny import REPOSITORY, one_thread

WORKER = REPOSITORY / "tests" / "support" / "ranks_worker.py"
_OF_A_LAUNCHER = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def run_alone(folder: Path, kind: str, qagen: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """By this process, which need not import everything first."""
    folder.mkdir()
    for name in _OF_A_LAUNCHER:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("trainer_ext.mining.check_summarizer", None)  # the worker replaces it
    with one_thread():
        main(folder / "result.json", kind, str(qagen))
    return json.loads((folder / "result.json").read_text())


def run_two(folder: Path, kind: str, qagen: Path) -> dict[str, Any]:
    """By two processes."""
    folder.mkdir()
    output = folder / "result.json"
    paths = [REPOSITORY, REPOSITORY / "metrics", REPOSITORY / "tests"]
    environment = {name: value for name, value in os.environ.items() if name not in _OF_A_LAUNCHER}
    environment |= {"PYTHONPATH": os.pathsep.join(map(str, paths)), "OMP_NUM_THREADS": "1"}
    environment |= {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    launcher = ["-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1", "--nproc_per_node=2"]
    done = subprocess.run(
        [sys.executable, *launcher, str(WORKER), str(output), kind, str(qagen)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(output.read_text())


@pytest.mark.parametrize("kind", ["candidates", "plain", "mined"])
def test_two_ranks_are_as_good_as_one(tmp_path: Path, qagen: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = run_alone(tmp_path / "one", kind, qagen, monkeypatch), run_two(tmp_path / "two", kind, qagen)
    assert two["loss"] == pytest.approx(one["loss"], abs=1e-4)
    assert two["grad_norm"] == pytest.approx(one["grad_norm"], rel=1e-4)
    assert two["totals"] == [two["totals"][0]] * 2
    assert two["accuracy"] == one["accuracy"]
    assert one["predictions"] == two["predictions"] == 7, "no row is shown twice to a user's metrics"
    assert two["evaluation"] == pytest.approx(one["evaluation"], abs=5e-3)  # after a step of their own
    assert (one["scored"], two["scored"]) == (7, 4), "each rank scores its share alone"
    assert two["mined"] == one["mined"]
