"""Calls from many threads at once, as in a server."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

THREADS = 8


def check_threads(score: Callable[[str, str], float], sources: list[str], summaries: list[str]) -> None:
    """Each thread scores all texts one by one in an order of its own, and gets the numbers of one thread alone."""
    wanted = [score(source, summary) for source, summary in zip(sources, summaries, strict=True)]
    assert len(set(map(repr, wanted))) > 2, "numbers that are mixed up would look the same"
    count = len(sources)

    def scored(thread: int) -> list[float]:
        order = [(place * 7 + thread * 25) % count for place in range(count)]
        found = {place: score(sources[place], summaries[place]) for place in order}
        return [found[place] for place in range(count)]

    with ThreadPoolExecutor(THREADS) as pool:
        for found in pool.map(scored, range(THREADS)):
            assert found == pytest.approx(wanted, abs=1e-6, nan_ok=True)
