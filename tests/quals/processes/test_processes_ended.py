"""Programs that are interrupted, killed or written without a guard leave no process, and say what to do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.metric_texts import FOLDER, SOURCES, SUMMARIES
from support.tiny import REPOSITORY

# A shell may start what runs in the background with Ctrl-C ignored, and programs inherit that.
SCRIPT = """
import signal
from support.overlap import OverlapScorer

signal.signal(signal.SIGINT, signal.default_int_handler)

def work():
    scorer = OverlapScorer(device="cpu", processes=2, chunk=1)
    print(*scorer.score([str(n) for n in range(60)], ["who"] * 60), flush=True)
    scorer.score(["a", "b"], ["sleep", "sleep"])
"""

EVALUATE = """
import json, sys
import evaluate

if __name__ == "__main__":
    path, checkpoint, predictions, sources = json.loads(sys.argv[1])
    metric = evaluate.load(path, checkpoint)
    one = metric.compute(predictions=predictions, sources=sources)
    two = metric.compute(predictions=predictions, sources=sources, processes=2)
    print(json.dumps([type(metric).__module__, one, two]))
"""


def started(tmp_path: Path, text: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """The text as a script, in a session of its own."""
    (tmp_path / "script.py").write_text(text)
    paths = os.pathsep.join(str(REPOSITORY / name) for name in ("metrics", "tests", "."))
    return subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py"), *arguments],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def in_session(session: int) -> list[int]:
    """The processes of a session that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def ended(session: int) -> bool:
    until = time.monotonic() + 20
    while in_session(session) and time.monotonic() < until:
        time.sleep(0.05)
    return not in_session(session)


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="looks for processes in /proc")
@pytest.mark.parametrize("how", ["Ctrl-C", "killed"])
def test_no_process_is_left(tmp_path: Path, how: str) -> None:
    program = started(tmp_path, f'{SCRIPT}\nif __name__ == "__main__":\n    work()\n')
    assert program.stdout is not None
    assert program.stdout.readline().split(), "the processes serve"
    assert len(in_session(program.pid)) >= 3
    begin = time.monotonic()
    if how == "Ctrl-C":
        os.killpg(program.pid, signal.SIGINT)
        _, errors = program.communicate(timeout=60)
        assert "KeyboardInterrupt" in errors
        assert "ForkProcess" not in errors
        assert "SpawnProcess" not in errors
    else:
        program.kill()
        program.communicate(timeout=60)
    assert program.returncode == -(signal.SIGINT if how == "Ctrl-C" else signal.SIGKILL)
    assert ended(program.pid)
    assert time.monotonic() - begin < 30, "they were to sleep for 600 seconds"


def test_a_script_without_a_guard_is_told_what_to_do(tmp_path: Path) -> None:
    program = started(tmp_path, f"{SCRIPT}\nwork()\n")
    printed, errors = program.communicate(timeout=300)
    assert program.returncode == 1
    assert printed == ""
    said = [line for line in errors.splitlines() if line.startswith("ChildProcessError: ")]
    assert len(said) == 1
    assert 'if __name__ == "__main__":' in said[0]
    assert "bootstrapping" not in errors


def test_a_text_that_is_not_a_file_needs_no_guard() -> None:
    """As in a notebook."""
    paths = os.pathsep.join(str(REPOSITORY / name) for name in ("metrics", "tests", "."))
    command = [sys.executable, "-c", SCRIPT.replace("sleep", "b") + "\nwork()\n"]
    environment = {**os.environ, "PYTHONPATH": paths}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.split()) == 60


def test_a_metric_that_evaluate_copied_computes_in_processes(tmp_path: Path, tiny_asking: Path) -> None:
    names = ("HF_MODULES_CACHE", "HF_EVALUATE_CACHE", "HF_METRICS_CACHE")
    caches = {name: str(tmp_path / name) for name in names}
    arguments = json.dumps([str(FOLDER), str(tiny_asking), SUMMARIES, SOURCES])
    program = started(tmp_path, EVALUATE, arguments, **caches)
    printed, errors = program.communicate(timeout=300)
    assert program.returncode == 0, errors
    module, one, two = json.loads(printed.splitlines()[-1])
    assert module.startswith("evaluate_modules.")
    assert repr(two) == repr(one)
