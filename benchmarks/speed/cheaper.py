"""Measure what cheaper settings save, and how far their scores are from the default's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from quals import QualsScorer

from benchmarks.common.statistics import pearson
from benchmarks.speed.measure import seconds
from benchmarks.speed.ways import Texts, run_ours

_SETTINGS: dict[str, dict[str, Any]] = {
    "float32, 60 pairs generated": {},
    "bfloat16": {"dtype": "bfloat16"},
    "30 pairs generated": {"num_groups": 30},
    "15 pairs generated": {"num_groups": 15},
}


def cheaper(checkpoint: str | None, texts: Texts, others: Sequence[str] = ()) -> None:
    """Print times and how the scores differ; rounding changes choices too, and so the questions.

    Args:
        checkpoint: folder or Hub name of the QAGen that all lines but the last ones use.
        texts: what is scored.
        others: further QAGens, such as one with fewer pieces; each has a line.
    """
    ways = [(name, checkpoint, settings) for name, settings in _SETTINGS.items()]
    ways += [(f"checkpoint {Path(other).name}", other, {}) for other in others]
    print("| setting | time of the first line | scores | mean difference of a score | correlation |")
    print("|---|---:|---:|---:|---:|")
    first: tuple[float, np.ndarray] | None = None
    for name, qagen, settings in ways:
        scorer = QualsScorer(qagen, long_sources="truncate", **settings)
        run_ours(scorer, texts[:2])  # first calls pay for set-up
        time, found = seconds(partial(run_ours, scorer, texts))
        scores = np.array(found)  # (n,)
        first = first or (time, scores)
        print(
            f"| {name} | {time / first[0]:.2f} | {np.isfinite(scores).sum()} | {_differences(first[1], scores)} |",
            flush=True,
        )
    print()


def _differences(one: np.ndarray, other: np.ndarray) -> str:
    """Cells of the mean difference and of the correlation where both are scores; empty ones for equal scores."""
    both = np.stack([one, other])[:, np.isfinite(one) & np.isfinite(other)]  # (2, m)
    if not both.size or np.array_equal(both[0], both[1]):
        return " | "
    together = pearson(both[0], both[1])
    return f"{np.abs(both[0] - both[1]).mean():.3f} | {'' if np.isnan(together) else f'{together:.2f}'}"
