"""Chunks that wait for other processes: several are begun at once, in threads, so that those processes never wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from quals.processes import in_order

from trainer_ext.io.chunks import Workers, in_turn


def ahead(workers: Workers, processes: int) -> Workers:
    """The same workers; with several ``processes`` to compute a chunk each, one chunk more than these is begun.

    Whoever has its chunks computed in another way, by Ray for example, is left alone.
    """
    if processes == 1 or workers.spread is not in_turn:
        return workers

    def spread(
        compute: Callable[[Any], Any], inputs: Callable[[int], Any], numbers: Sequence[int]
    ) -> Iterator[tuple[int, Any]]:
        threads = ThreadPoolExecutor(processes + 1)
        try:
            yield from in_order(lambda number: threads.submit(compute, inputs(number)), numbers, processes)
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    return replace(workers, spread=spread)
