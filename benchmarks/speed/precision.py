"""Measure what bfloat16 saves, and how far its scores are from float32's."""

from __future__ import annotations

from functools import partial

import numpy as np
from quals import QualsScorer

from benchmarks.common.statistics import pearson
from benchmarks.speed.measure import seconds
from benchmarks.speed.ways import Texts, run_ours


def precision(checkpoint: str | None, texts: Texts) -> None:
    """Print both times and how the scores differ; rounding changes choices, and so the questions."""
    times, scores = {}, {}
    for dtype in ("float32", "bfloat16"):
        scorer = QualsScorer(checkpoint, long_sources="truncate", dtype=dtype)
        run_ours(scorer, texts[:2])  # first calls pay for set-up
        times[dtype], scores[dtype] = seconds(partial(run_ours, scorer, texts))
    both = np.array([scores["float32"], scores["bfloat16"]])  # (2, n)
    both = both[:, ~np.isnan(both).any(0)]
    share, apart = times["bfloat16"] / times["float32"], np.abs(both[0] - both[1])
    together = pearson(both[0], both[1])
    cells = [f"{apart.mean():.3f}" if apart.size else "", "" if np.isnan(together) else f"{together:.2f}"]
    print("| dtype | time relative to float32 | scores | mean difference from float32 scores | correlation |")
    print("|---|---:|---:|---:|---:|")
    print(f"| float32 | 1.00 | {np.isfinite(scores['float32']).sum()} | | |")
    print(f"| bfloat16 | {share:.2f} | {np.isfinite(scores['bfloat16']).sum()} | {' | '.join(cells)} |\n", flush=True)
