"""This working tree against another commit, side by side in one run: time, scores, memory, operations."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import quals
from quals.checkpoint import EMBEDDED
from quals.typography import plain

from benchmarks.speed.measure import matrix_rate
from benchmarks.speed.ways import Texts

REPOSITORY = Path(__file__).parents[2]
SAME = 1e-5  # nats per token: scores that differ by less are equal


@dataclass(frozen=True)
class Workload:
    """What both builds score in one call.

    Attributes:
        name: its name in the table.
        rows: (source, summary) of every row.
        cold: whether every round begins with a new process and counts the loading of the model.
    """

    name: str
    rows: Texts
    cold: bool = False


@dataclass(frozen=True)
class Cost:
    """What one build needed for a workload: seconds of each round, peak bytes above the loaded model, operations."""

    seconds: list[float]
    scores: list[float | None]
    peak: float | None
    operations: float


def compare_with_commit(
    commit: str,
    workloads: Sequence[Workload],
    *,
    checkpoint: str | None = None,
    rounds: int = 3,
    options: Mapping[str, Any] | None = None,
    repository: Path = REPOSITORY,
) -> None:
    """Run every workload on the commit and on this working tree in turn, and print what they differ by.

    Args:
        commit: the baseline; only its ``metrics/quals`` is used.
        workloads: what to score.
        checkpoint: a QAGen that both load; None is this tree's embedded one.
        rounds: measured rounds after a warm-up; medians count.
        options: further arguments of ``QualsScorer``.
        repository: where the commit is.

    Raises:
        ValueError: there is no such commit, or a build fails.
    """
    model = checkpoint or str(Path(quals.__file__).parent / EMBEDDED)
    with checked_out(commit, repository) as baseline:
        trees = {"baseline": baseline, "now": REPOSITORY / "metrics"}
        print(_HEAD)
        for workload in workloads:
            costs = _measured(workload, trees, {"checkpoint": model, "options": dict(options or {})}, rounds)
            print(_line(workload, costs["baseline"], costs["now"], matrix_rate()), flush=True)
    print(
        f"\nBaseline: {commit}. Median of {rounds} rounds in turn after a warm-up, [slowest and fastest round]. Equal: "
        f"scores that differ by less than {SAME:g}. Memory is the peak above the loaded model. The rate is the "
        "share of what a 2048 x 2048 float32 product reached in this run."
    )


@contextmanager
def checked_out(commit: str, repository: Path = REPOSITORY) -> Iterator[Path]:
    """A temporary folder that holds the commit's package ``quals``; the repository is left as it is.

    Raises:
        ValueError: there is no such commit, or it has no ``metrics/quals``.
    """
    packed = subprocess.run(
        ["git", "-C", str(repository), "archive", "--format=tar", commit, "--", "metrics/quals/*.py"],
        capture_output=True,
        check=False,
    )
    if packed.returncode:
        reason = packed.stderr.decode(errors="replace").strip().splitlines()[-1]
        raise ValueError(f"--baseline is {commit!r}, which cannot be checked out ({reason}): give a commit.")
    with TemporaryDirectory() as folder:
        with tarfile.open(fileobj=BytesIO(packed.stdout)) as archive:
            archive.extractall(folder, filter="data")
        yield Path(folder) / "metrics"


def cut(rows: Texts, number: int, source_words: int, summary_words: int) -> Texts:
    """The first ``number`` rows, long ones before short ones, cut to these lengths."""
    words = [(source.split(), summary.split()) for source, summary in rows]
    words.sort(key=lambda row: len(row[0]) < source_words or len(row[1]) < summary_words)  # stable
    return [(" ".join(s[:source_words]), " ".join(t[:summary_words])) for s, t in words[:number]]


def _measured(workload: Workload, trees: Mapping[str, Path], task: Mapping[str, Any], rounds: int) -> dict[str, Cost]:
    # Builds from before version 2 leave typography as it is, so both get texts in one.
    sources, summaries = ([plain(text) for text in texts] for texts in zip(*workload.rows, strict=True))
    task = {**task, "sources": sources, "summaries": summaries}
    measure = _cold if workload.cold else _warm
    return measure(trees, task, rounds)


def _warm(trees: Mapping[str, Path], task: Mapping[str, Any], rounds: int) -> dict[str, Cost]:
    """Both builds stay loaded; their first call is the warm-up, and shows the memory."""
    with ExitStack() as stack:
        builds = {name: stack.enter_context(_Build(tree, task)) for name, tree in trees.items()}
        first = {name: build.ask("score") for name, build in builds.items()}
        seconds: dict[str, list[float]] = {name: [] for name in trees}
        for _ in range(rounds):
            for name, build in builds.items():
                seconds[name].append(build.ask("score")["seconds"])
        return {
            name: Cost(seconds[name], first[name]["scores"], first[name]["peak"], build.ask("count")["operations"])
            for name, build in builds.items()
        }


def _cold(trees: Mapping[str, Path], task: Mapping[str, Any], rounds: int) -> dict[str, Cost]:
    """Every call is the first one of a new process, and the loading of the model counts."""
    costs: dict[str, Cost] = {}
    for _ in range(rounds):
        for name, tree in trees.items():
            with _Build(tree, task) as build:
                answer = build.ask("score")
                if name not in costs:
                    costs[name] = Cost([], answer["scores"], answer["peak"], build.ask("count")["operations"])
                costs[name].seconds.append(build.loading + answer["seconds"])
    return costs


class _Build:
    """A worker process on one tree's ``quals``, which has loaded its model when the block begins."""

    def __init__(self, metrics: Path, task: Mapping[str, Any]) -> None:
        self._metrics, self._task = metrics, task

    def __enter__(self) -> _Build:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("worker.py"))],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(self._metrics), os.environ.get("PYTHONPATH", "")]),
                "PYTHONSAFEPATH": "1",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            ready = self.ask(json.dumps(self._task))
            self.loading = float(ready["seconds"])
            if not Path(ready["package"]).resolve().is_relative_to(self._metrics.resolve()):
                raise ValueError(f"The build in {self._metrics} is hidden by {ready['package']}: unset PYTHONPATH.")
        except BaseException:
            self.__exit__()
            raise
        return self

    def ask(self, line: str) -> dict[str, Any]:
        """The worker's answer to one line.

        Raises:
            ValueError: the worker ended instead; its error is on standard error.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(line, file=self._process.stdin, flush=True)
            answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError) as error:
            raise ValueError(f"The build in {self._metrics} failed; its error is above.") from error
        return answer

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


_HEAD = (
    "| work | rows | words | faster | equal scores | largest difference | memory | memory before | operations "
    "| rate | rate before |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
)


def _line(workload: Workload, baseline: Cost, now: Cost, rate: float) -> str:
    ratios = sorted(before / after for before, after in zip(baseline.seconds, now.seconds, strict=True))
    ratio = statistics.median(baseline.seconds) / statistics.median(now.seconds)
    apart = [_apart(*pair) for pair in zip(baseline.scores, now.scores, strict=True)]
    lengths = [statistics.mean(len(text.split()) for text in texts) for texts in zip(*workload.rows, strict=True)]
    cells = [
        workload.name,
        f"{len(workload.rows):,}",
        " / ".join(f"{length:.0f}" for length in lengths),
        f"{ratio:.2f}x [{ratios[0]:.2f}, {ratios[-1]:.2f}]",
        f"{sum(difference < SAME for difference in apart)} of {len(apart)}",
        f"{max(apart):.1e}",
        *("" if cost.peak is None else f"{cost.peak / 2**20:,.0f} MiB" for cost in (now, baseline)),
        f"{now.operations / baseline.operations:.0%}" if baseline.operations else "",
        *(f"{cost.operations / statistics.median(cost.seconds) / rate:.0%}" for cost in (now, baseline)),
    ]
    return f"| {' | '.join(cells)} |"


def _apart(before: float | None, now: float | None) -> float:
    """Difference of two scores; infinite where only one build has a score."""
    if before is None or now is None:
        return 0.0 if before is now else math.inf
    return abs(before - now)
