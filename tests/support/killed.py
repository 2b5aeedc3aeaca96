"""Commands that are killed at a random moment in the middle of their work."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import torch

_MAIN = "import sys; from trainer_ext.cli.main import main; sys.exit(main(sys.argv[1:]))"


def kill_midway(
    command: Sequence[str], kept: Callable[[], Collection[object]], output: Path, work: Path, longest: float
) -> None:
    """Run a command in a process of its own; kill it up to `longest` seconds after its first part is `kept`.

    A run that had all but ended by then is begun anew, and struck sooner.

    Raises:
        AssertionError: it failed by itself, or three times there was nothing left to strike.
    """
    delay = random.uniform(0, longest)
    for wait in (delay, delay / 4, 0):
        process = subprocess.Popen(
            [sys.executable, "-c", _MAIN, *command],
            # Sums come out in another order, and so to other last digits, on another number of threads.
            env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 200
        while process.poll() is None and not kept() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        if process.wait() == -signal.SIGKILL and kept() and not output.exists():
            return
        assert process.returncode <= 0, f"it failed by itself: {command}"
        output.unlink(missing_ok=True)
        shutil.rmtree(work, ignore_errors=True)
    raise AssertionError("it ended before")
