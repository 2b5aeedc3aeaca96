"""Several processes of few threads against one process of all threads, and what each process costs."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import torch
from quals import QualsScorer
from quals.processes import processes_of

from benchmarks.speed.ways import Texts, run_ours

_CHUNK = 16  # summaries that a process takes at a time


def compare_processes(checkpoint: str | None, texts: Texts, count: int, rounds: int) -> None:
    """Print summaries per second of one process, and of ``count`` that share its threads; A B A B, medians.

    Raises:
        ValueError: the scores differ by more than rounding.
    """
    threads = torch.get_num_threads()
    one = QualsScorer(checkpoint, device="cpu")
    small = QualsScorer(one.qagen, device="cpu", chunk=_CHUNK)
    many = QualsScorer(one.qagen, device="cpu", chunk=_CHUNK, processes=count)
    start = time.perf_counter()
    run_ours(many, texts[:1])
    first = time.perf_counter() - start
    ways = {
        f"1 process, {threads} threads": one,
        f"1 process, {threads} threads, {_CHUNK} summaries at a time": small,
        f"{count} processes, {max(1, threads // count)} threads each, {_CHUNK} summaries at a time": many,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    scores: dict[str, list[float]] = {}
    for _ in range(rounds + 1):  # the first is the warm-up
        for name, scorer in ways.items():
            start = time.perf_counter()
            scores[name] = run_ours(scorer, texts)
            seconds[name].append(time.perf_counter() - start)
    print(f"| {len(texts)} summaries, {rounds} rounds | summaries per second | of the first line |\n|---|---:|---:|")
    base = statistics.median(next(iter(seconds.values()))[1:])
    for name, times in seconds.items():
        middle = statistics.median(times[1:])
        print(f"| {name} | {len(texts) / middle:.2f} | {base / middle:.2f}x |")
    wanted, _, found = scores.values()
    worst = max(abs(a - b) for a, b in zip(wanted, found, strict=True) if a == a or b == b)
    memory = [_proportional(pid) for pid in processes_of(many, count).pids]
    print(f"\nLargest difference of a score: {worst:.1e}. Start to first score: {first:.1f} s.")
    if all(memory):
        print(f"Memory of each process, its share of what is shared: {', '.join(f'{mib:.0f} MiB' for mib in memory)}.")
    if not worst < 1e-4:
        raise ValueError(
            f"The scores of one process and of {count} differ by {worst:.1e}, which is more than rounding."
        )


def _proportional(pid: int) -> float:
    """A process's proportional set size in MiB; 0 where the system does not say."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
