"""What bfloat16 saves, and how far its scores are from float32's."""

from __future__ import annotations

from functools import partial

import numpy as np
from quals import QualsScorer

from benchmarks.speed.measure import seconds
from benchmarks.speed.ways import Texts, run_ours


def precision(checkpoint: str | None, texts: Texts) -> None:
    """Print both times, and the scores' differences: rounding changes choices, and so the questions."""
    times, scores = {}, {}
    for dtype in ("float32", "bfloat16"):
        scorer = QualsScorer(checkpoint, long_sources="truncate", dtype=dtype)
        run_ours(scorer, texts[:2])  # first calls pay for set-up
        times[dtype], scores[dtype] = seconds(partial(run_ours, scorer, texts))
    both = np.array([scores["float32"], scores["bfloat16"]])  # (2, n)
    both = both[:, ~np.isnan(both).any(0)]
    apart = np.abs(both[0] - both[1]).mean()
    print("| dtype | time, of float32's | deviation of the scores | mean difference of a score | correlation |")
    print("|---|---:|---:|---:|---:|")
    print(f"| float32 | 1.00 | {both[0].std():.3f} | | |")
    share = times["bfloat16"] / times["float32"]
    print(
        f"| bfloat16 | {share:.2f} | {both[1].std():.3f} | {apart:.3f} | {np.corrcoef(both)[0, 1]:.2f} |\n", flush=True
    )
