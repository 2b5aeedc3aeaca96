"""A pool's processes end with the one that began them, however it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.tiny import REPOSITORY

_PARENT = """
import time
from benchmarks.paper.processes import pool_of

if __name__ == "__main__":
    with pool_of(2) as pool:
        pool.submit(time.sleep, 0).result()
        waiting = [pool.submit(time.sleep, 300) for _ in range(4)]
        print("begun", flush=True)
        time.sleep(300)
"""


def test_they_do_not_outlive_one_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(_PARENT)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (REPOSITORY, REPOSITORY / "metrics")))}
    with subprocess.Popen([sys.executable, str(script)], env=environment, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "begun\n"
        parent.kill()
        # All of them write there, so that it ends with the last of them.
        assert parent.communicate(timeout=60)[0] == ""
