"""QUALS against QAGS, its predecessor: both read the same texts whole, in one run."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from functools import partial

from qags import QAGSResult, QAGSScorer
from quals import QualsScorer
from transformers import PreTrainedModel

from benchmarks.speed.measure import flops, seconds
from benchmarks.speed.staged_qags import StagedQags
from benchmarks.speed.ways import Texts, ordinary_products, run_ours

SAME = 1e-4  # F1: scores that differ by less are equal
_ROUNDS = 3
_LEAST_EQUAL = 0.8  # share of equal scores; a near tie of beams or spans may change one


def compare_with_qags(quals: QualsScorer, qags: QAGSScorer, texts: Texts) -> None:
    """Print time and operations of QAGS in its authors' way, of QAGS in our batches, and of QUALS.

    Raises:
        ValueError: the two ways to QAGS differ, or no summary has a score.
    """
    ways: dict[str, Callable[[Texts], list[float]]] = {
        "QAGS stage by stage, as its authors: one answer a `generate`, reading padded": StagedQags(qags).score,
        "+ reading padded no more than a batch needs": StagedQags(qags, "longest").score,
        "QAGS in batches": partial(_run_batches, qags),
        "+ float32 products by oneDNN: QAGSScorer": partial(_run_qags, qags),
        "QUALS: QualsScorer": partial(run_ours, quals),
    }
    scores = {name: work(texts[:2]) for name, work in ways.items()}  # first calls pay for set-up
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_ROUNDS):
        for name, work in ways.items():
            time, scores[name] = seconds(partial(work, texts))
            times[name].append(time)
    counts = {name: flops(partial(work, texts)) for name, work in ways.items()}
    staged, _, _, batched, of_quals = scores.values()
    _agree(staged, batched)
    *_, last = ways
    print(f"| {len(texts)} summaries | time relative to QUALS | FLOPs relative to QUALS | FLOPs per second, relative |")
    print("|---|---:|---:|---:|")
    for name in ways:
        time = statistics.median(times[name]) / statistics.median(times[last])
        count = counts[name] / counts[last]
        print(f"| {name} | {time:.2f}x | {count:.2f}x | {count / time:.2f}x |", flush=True)
    asked = [len(result.questions) for result in _results(qags, texts)]
    print(f"\nMedian of {_ROUNDS} rounds in turn. Parameters: QAGen {_millions(quals.qagen.model)}, question generator "
          f"{_millions(qags.questioner.model)}, reader {_millions(qags.reader.model)}.")  # fmt: skip
    print(f"QUALS has a score for {_scored(of_quals)} summaries, QAGS for {_scored(batched)}, by "
          f"{sum(asked) / len(asked):.1f} questions each. Both ways to QAGS give the same for "
          f"{_equal(staged, batched)} of {len(texts)}.\n")  # fmt: skip


def _results(scorer: QAGSScorer, texts: Texts) -> list[QAGSResult]:
    return scorer.score([source for source, _ in texts], [summary for _, summary in texts], progress=False)


def _run_qags(scorer: QAGSScorer, texts: Texts) -> list[float]:
    return [result.score for result in _results(scorer, texts)]


def _run_batches(scorer: QAGSScorer, texts: Texts) -> list[float]:
    with ordinary_products():
        return _run_qags(scorer, texts)


def _millions(model: PreTrainedModel) -> str:
    return f"{model.num_parameters() / 1e6:.1f} M"


def _scored(scores: list[float]) -> int:
    return sum(not math.isnan(score) for score in scores)


def _equal(staged: list[float], batched: list[float]) -> int:
    return sum(
        (math.isnan(one) and math.isnan(other)) or abs(one - other) < SAME
        for one, other in zip(staged, batched, strict=True)
    )


def _agree(staged: list[float], batched: list[float]) -> None:
    if not _scored(batched):
        raise ValueError("No summary has a QAGS score: give another questioner.")
    equal = _equal(staged, batched)
    if equal < _LEAST_EQUAL * len(staged):
        raise ValueError(f"QAGS in batches and stage by stage agree on {equal} of {len(staged)} scores only.")
