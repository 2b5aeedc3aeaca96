"""Processes side by side, which share the threads and can wait for each other."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from multiprocessing.synchronize import Barrier
from threading import Thread

import torch

_waiting: Barrier | None = None  # set in a process of a pool: where it waits for the others


def pool_of(processes: int) -> ProcessPoolExecutor:
    """A pool of ``processes`` processes, each with its share of this process's threads."""
    context = get_context("spawn")  # a forked process would hang in the parent's thread pools
    begin = max(1, torch.get_num_threads() // processes), context.Barrier(processes)
    return ProcessPoolExecutor(processes, context, initializer=_begin, initargs=begin)


def wait_for_others() -> None:
    """Wait until every process of the pool has called this.

    Raises:
        threading.BrokenBarrierError: one called :func:`release_others` instead.
    """
    assert _waiting is not None
    _waiting.wait()


def release_others() -> None:
    """Say that this process failed, so that the others do not wait for it."""
    assert _waiting is not None
    _waiting.abort()


def _begin(threads: int, waiting: Barrier) -> None:
    global _waiting
    _waiting = waiting
    torch.set_num_threads(threads)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process with its parent: one that is killed cannot tell its processes to stop."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
