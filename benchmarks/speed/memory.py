"""Peak memory of both ways, each in a process of its own."""

from __future__ import annotations

from quals import QualsScorer

from benchmarks.speed.measure import peak_memory
from benchmarks.speed.plain import Techniques
from benchmarks.speed.ways import Texts, run_ours, run_plain


def memory(checkpoint: str | None, texts: Texts) -> None:
    """Print what each way needs beyond the loaded model."""
    loaded = peak_memory(_load, checkpoint)
    print("| | peak memory above the loaded model |\n|---|---:|")
    for name, work in (("plain", _plain), ("QualsScorer", _ours)):
        print(f"| {name} | {(peak_memory(work, checkpoint, texts) - loaded) / 2**20:,.0f} MiB |", flush=True)


def _load(checkpoint: str | None) -> None:
    QualsScorer(checkpoint, long_sources="truncate")


def _plain(checkpoint: str | None, texts: Texts) -> None:
    run_plain(QualsScorer(checkpoint, long_sources="truncate"), Techniques(), texts)


def _ours(checkpoint: str | None, texts: Texts) -> None:
    run_ours(QualsScorer(checkpoint, long_sources="truncate"), texts)
