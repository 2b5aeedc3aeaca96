"""Chunks in threads: the order, the number at once, and errors are those of one chunk after another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trainer_ext.io.ahead import ahead
from trainer_ext.io.chunks import ALONE, ChunkStore, Workers, run_chunks


def doubled(number: int) -> int:
    return number * 2


def run(store: ChunkStore, compute: Callable[[int], Any], workers: Workers) -> list[Any]:
    return run_chunks(store, [1] * 12, compute, workers, "Doubling", progress=False)


def test_results_come_in_order_and_so_many_at_once(tmp_path: Path) -> None:
    lock, at_work, most = threading.Lock(), 0, 0

    def slow(number: int) -> int:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.02 * (number % 3))
        with lock:
            at_work -= 1
        return number * 2

    store = ChunkStore(tmp_path)
    store.write(4, 8)
    assert run(store, slow, ahead(ALONE, 3)) == run(ChunkStore(None), doubled, ALONE)
    assert 2 <= most <= 4
    assert all(store.read(number) == number * 2 for number in range(12))


def test_what_was_done_before_an_error_is_kept(tmp_path: Path) -> None:
    def fails(number: int) -> int:
        if number == 5:
            raise OSError("no room")
        return number * 2

    store = ChunkStore(tmp_path)
    with pytest.raises(OSError, match="no room"):
        run(store, fails, ahead(ALONE, 2))
    assert [store.read(number) for number in range(6)] == [0, 2, 4, 6, 8, None]
    assert run(store, doubled, ahead(ALONE, 2)) == [number * 2 for number in range(12)]


def test_one_process_and_another_way_are_left_alone() -> None:
    assert ahead(ALONE, 1) is ALONE
    other = replace(ALONE, spread=lambda compute, inputs, numbers: [])
    assert ahead(other, 4) is other
