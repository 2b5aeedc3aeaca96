"""The ways that are compared: one process, and Ray's workers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import torch
from quals import QualsScorer

from benchmarks.speed.measure import own_peak
from trainer_ext.io.chunks import in_turn
from trainer_ext.scale import RayPool
from trainer_ext.scale.rows import ScoreRows, SomeRows
from trainer_ext.scale.table import CHUNK, Texts


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


def with_ray(texts: Texts, checkpoint: str | None, workers: int) -> Run:
    """A cluster of its own, on this machine."""
    began = time.perf_counter()
    with RayPool(workers) as pool:
        work = Measured(ScoreRows(QualsScorer(checkpoint, device="cpu", chunk=CHUNK)))
        return timed(pool.spread, work, texts, workers, began)


def in_a_process(texts: Texts, checkpoint: str | None, threads: int) -> Run:
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
    return timed(in_turn, work, texts, 1, time.perf_counter())


def timed(spread: Any, work: Measured, texts: Texts, workers: int, began: float) -> Run:
    """Score all parts; the first of each worker is its warm-up. ``began`` is when the start began."""
    numbers = range(len(texts.sizes))
    found = dict(spread(work, texts.chunk, numbers[:workers]))
    warm = time.perf_counter()
    found |= dict(spread(work, texts.chunk, numbers[workers:]))
    seconds = time.perf_counter() - warm
    first = seconds * workers / (len(numbers) - workers)  # what the first parts take, side by side
    scores = [score for number in numbers for score in found[number][0]]
    return Run(seconds, max(0.0, warm - began - first), max(peak for _, peak in found.values()), scores)
