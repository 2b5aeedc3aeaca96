"""QUALS against QAGS, its predecessor: models of the same size, the same texts, one run."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from qags import QAGSScorer
from quals import QualsScorer

from benchmarks.speed.measure import flops, seconds
from benchmarks.speed.staged_qags import StagedQags
from benchmarks.speed.ways import Texts, run_ours

SAME = 1e-4  # F1: scores that differ by less are equal
_COUNTED = 8  # summaries whose FLOPs are counted
_LEAST_EQUAL = 0.8  # of the scores of both QAGS; a near tie of beams or spans may change one


def compare_with_qags(quals: QualsScorer, qags: QAGSScorer, texts: Texts) -> None:
    """Print time and operations of QAGS in its authors' way, of ours in batches, and of QUALS; all read whole sources.

    Raises:
        ValueError: the two QAGS do not compute the same.
    """
    ways: dict[str, Callable[[Texts], list[float]]] = {
        "QAGS, stage by stage, one `generate` an answer, padded reading": StagedQags(qags).score,
        "QAGS in batches: QAGSScorer": partial(_run_qags, qags),
        "QUALS: QualsScorer": partial(run_ours, quals),
    }
    for work in ways.values():
        work(texts[:2])  # first calls pay for set-up
    times, counts, scores = {}, {}, {}
    for name, work in ways.items():
        times[name], scores[name] = seconds(partial(work, texts))
        few = texts[:_COUNTED]
        counts[name] = flops(partial(work, few)) / len(few) * len(texts)
    *_, last = ways
    print(f"| {len(texts)} summaries | time, of QUALS's | FLOPs, of QUALS's | FLOPs a second, of QUALS's |")
    print("|---|---:|---:|---:|")
    for name in ways:
        time, count = times[name] / times[last], counts[name] / counts[last]
        print(f"| {name} | {time:.2f}x | {count:.2f}x | {count / time:.2f}x |", flush=True)
    staged, batched, _ = scores.values()
    _agree(staged, batched)


def _run_qags(scorer: QAGSScorer, texts: Texts) -> list[float]:
    sources, summaries = [source for source, _ in texts], [summary for _, summary in texts]
    return [result.score for result in scorer.score(sources, summaries, progress=False)]


def _agree(staged: list[float], batched: list[float]) -> None:
    equal = sum(
        (math.isnan(one) and math.isnan(other)) or abs(one - other) < SAME
        for one, other in zip(staged, batched, strict=True)
    )
    print(f"\nBoth QAGS give the same score for {equal} of {len(staged)} summaries.\n")
    if equal < _LEAST_EQUAL * len(staged):
        raise ValueError(f"QAGS in batches and stage by stage agree on {equal} of {len(staged)} scores only.")
