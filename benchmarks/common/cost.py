"""What a run cost, in processor time."""

from __future__ import annotations

import os


def cpu_hours() -> float:
    """Hours of processor time of this process, and of the processes that it started and that have ended."""
    times = os.times()  # those of children are 0 on Windows
    return (times.user + times.system + times.children_user + times.children_system) / 3600
