"""Workers of Ray against one process, on this machine: rate, memory per worker, cost of starting.

    python -m benchmarks.scale news.jsonl --rows 256

Each way scores the same rows, in the same parts. The first part of each worker is not timed: it warms up.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from quals import QualsScorer
from quals.errors import DataError
from quals.inputs import whole_number

from benchmarks.common.command import command_parser, exit_status
from benchmarks.speed.measure import own_peak
from trainer_ext.io.chunks import in_turn
from trainer_ext.scale import RayPool
from trainer_ext.scale.rows import ScoreRows, SomeRows
from trainer_ext.scale.table import CHUNK, Reading, Texts


@dataclass(frozen=True)
class Measured:
    """Scores rows, and says how much memory its process has needed."""

    work: ScoreRows

    def __call__(self, rows: SomeRows) -> tuple[list[float | None], float]:
        return [row["quals"] for row in self.work(rows)], own_peak()


@dataclass(frozen=True)
class Run:
    """One way's run.

    Attributes:
        seconds: of all parts but the first of each worker.
        start: seconds until the first parts were done, less what they took.
        peak: bytes of the largest worker.
        scores: of all rows.
    """

    seconds: float
    start: float
    peak: float
    scores: list[float | None]


def main(argv: Sequence[str] | None = None) -> int:
    """Run; a user's mistake, and scores that differ, are one line on standard error and exit status 2."""
    parser = command_parser("benchmarks.scale", __doc__)
    add = parser.add_argument
    add("texts", type=Path, help="table of sources and summaries, such as news")
    add("--checkpoint", help="QAGen to use; without it the embedded one")
    add("--rows", type=int, default=256, help=f"number of rows to score; {CHUNK} are a part")
    add("--rounds", type=int, default=1, help="rounds of all ways, of which the medians count")
    arguments = parser.parse_args(argv)
    return exit_status("benchmarks.scale", lambda: compare(arguments))


def compare(arguments: Any) -> None:
    """Print the table."""
    whole_number("rounds", arguments.rounds, 1)
    whole_number("rows", arguments.rows, 3 * CHUNK)
    texts = Reading().read(arguments.texts)
    if len(texts.places) < arguments.rows:
        raise DataError(f"{arguments.texts} has {len(texts.places)} rows: give --rows of at most that.")
    parts = ("places", "sources", "summaries")
    texts = replace(texts, **{name: getattr(texts, name)[: arguments.rows] for name in parts})
    ways: dict[str, Callable[[], Run]] = {
        "one process, 2 threads": lambda: _in_a_process(texts, arguments.checkpoint, 2),
        "one process, 1 thread": lambda: _in_a_process(texts, arguments.checkpoint, 1),
        "1 worker of 1 thread": lambda: _with_ray(texts, arguments.checkpoint, 1),
        "2 workers of 1 thread": lambda: _with_ray(texts, arguments.checkpoint, 2),
    }
    runs: dict[str, list[Run]] = {name: [] for name in ways}
    for _ in range(arguments.rounds):
        for name, way in ways.items():
            runs[name].append(way())
            print(f"{name}: {runs[name][-1].seconds:.1f} s", file=sys.stderr, flush=True)
    alike = [run.scores for name, some in runs.items() if "1 thread" in name for run in some]
    if any(scores != alike[0] for scores in alike):
        raise DataError("Processes of one thread gave different scores.")
    rates = {
        name: statistics.median((len(texts.places) - CHUNK * _workers(name)) / run.seconds for run in some)
        for name, some in runs.items()
    }
    print("| way | rows per second | relative to one process of 2 threads | start | peak memory per process |")
    print("|---|---:|---:|---:|---:|")
    for name, some in runs.items():
        start, peak = statistics.median(run.start for run in some), statistics.median(run.peak for run in some)
        ratio = rates[name] / rates["one process, 2 threads"]
        print(f"| {name} | {rates[name]:.2f} | {ratio:.2f}x | {start:.1f} s | {peak / 2**20:,.0f} MiB |")
    print(f"\nTwo workers over one: {rates['2 workers of 1 thread'] / rates['1 worker of 1 thread']:.2f}x.")
    print("Scores of one thread are equal, digit for digit.")


def _workers(name: str) -> int:
    return 2 if name.startswith("2 workers") else 1


def _with_ray(texts: Texts, checkpoint: str | None, workers: int) -> Run:
    began = time.perf_counter()
    with RayPool(workers) as pool:
        work = Measured(ScoreRows(QualsScorer(checkpoint, device="cpu", chunk=CHUNK)))
        return _timed(pool.spread, work, texts, workers, began)


def _in_a_process(texts: Texts, checkpoint: str | None, threads: int) -> Run:
    """In a fresh process, whose start counts too."""
    began = time.perf_counter()
    with get_context("spawn").Pool(1) as pool:
        run: Run = pool.apply(_alone, (texts, checkpoint, threads))
    parts = len(texts.sizes)
    start = time.perf_counter() - began - run.seconds * parts / (parts - 1)
    return Run(run.seconds, max(0.0, start), run.peak, run.scores)


def _alone(texts: Texts, checkpoint: str | None, threads: int) -> Run:
    torch.set_num_threads(threads)
    work = Measured(ScoreRows(QualsScorer(checkpoint, device="cpu", chunk=CHUNK)))
    return _timed(in_turn, work, texts, 1, time.perf_counter())


def _timed(spread: Any, work: Measured, texts: Texts, workers: int, began: float) -> Run:
    numbers = range(len(texts.sizes))
    found = dict(spread(work, texts.chunk, numbers[:workers]))
    warm = time.perf_counter()
    found |= dict(spread(work, texts.chunk, numbers[workers:]))
    seconds = time.perf_counter() - warm
    first = seconds * workers / (len(numbers) - workers)  # what the first parts take, side by side
    scores = [score for number in numbers for score in found[number][0]]
    return Run(seconds, max(0.0, warm - began - first), max(peak for _, peak in found.values()), scores)


if __name__ == "__main__":
    sys.exit(main())
