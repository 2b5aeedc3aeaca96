"""The processor time that a run reports."""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.common.cost import cpu_hours


def test_the_time_of_this_process_and_of_ended_ones_counts() -> None:
    before, start = cpu_hours(), time.process_time()
    while time.process_time() < start + 0.3:
        pass
    here = cpu_hours()
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.5: pass"], check=True)
    assert (here - before) * 3600 >= 0.25
    assert (cpu_hours() - here) * 3600 >= 0.45
