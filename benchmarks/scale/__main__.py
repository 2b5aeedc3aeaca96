"""Workers of Ray against one process, on this machine: rate, memory per worker, cost of starting.

    python -m benchmarks.scale news.jsonl --rows 256

Each way scores the same rows, in the same parts. The first part of each worker is not timed: it warms up.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from quals.errors import DataError
from quals.inputs import whole_number

from benchmarks.common.command import command_parser, exit_status
from benchmarks.scale.ways import Run, in_a_process, with_ray
from trainer_ext.scale.table import CHUNK, Reading


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
        "one process, 2 threads": lambda: in_a_process(texts, arguments.checkpoint, 2),
        "one process, 1 thread": lambda: in_a_process(texts, arguments.checkpoint, 1),
        "1 worker of 1 thread": lambda: with_ray(texts, arguments.checkpoint, 1),
        "2 workers of 1 thread": lambda: with_ray(texts, arguments.checkpoint, 2),
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


if __name__ == "__main__":
    sys.exit(main())
