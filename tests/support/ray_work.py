"""Work for Ray's workers that goes wrong, and workers and nodes that die during real work."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from trainer_ext.scale import RayPool
from trainer_ext.scale.rows import SomeRows

NODE = {"num_cpus": 2, "object_store_memory": 100 * 2**20}  # of the tests' cluster
_PAUSE = 0.3  # seconds before each part, so that blows fall during the work


class Deadly:
    """Kills its worker at one part; another part is poisoned."""

    def __init__(self, kills: int = -1, poisoned: int = -1) -> None:
        self._kills, self._poisoned = kills, poisoned

    def __call__(self, rows: SomeRows) -> list[int]:
        number = rows.places[0]
        if number == self._kills:
            os.kill(os.getpid(), signal.SIGKILL)
        if number == self._poisoned:
            raise KeyError("poison")
        return [number]


def part(number: int) -> SomeRows:
    return SomeRows("in.jsonl", [number], [""], [""])


class Slow:
    """The work of another, with a pause before each part and a note of the worker: its process, and its node."""

    def __init__(self, work: Any, folder: Path) -> None:
        self._work, self._folder = work, folder

    def to(self, device: str) -> None:
        self._work.to(device)

    def __call__(self, chunk: Any) -> Any:
        import ray

        (self._folder / str(os.getpid())).write_text(ray.get_runtime_context().get_node_id())
        time.sleep(_PAUSE)
        return self._work(chunk)


class StruckPool:
    """A pool whose work is struck at random moments.

    Args:
        pool: the pool.
        folder: for the workers' notes.
        blows: what is done soon after so many parts are finished; told the workers, each process with its node, the one
            that began a part last at the end.

    Attributes:
        fallen: how many blows have fallen.
    """

    def __init__(self, pool: RayPool, folder: Path, blows: dict[int, Callable[[dict[int, str]], object]]) -> None:
        self._pool, self._folder, self._blows = pool, folder, blows
        self.fallen, self._finished = 0, 0
        folder.mkdir()

    @property
    def size(self) -> int:
        return self._pool.size

    def __enter__(self) -> StruckPool:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def spread(
        self, compute: Callable[[Any], Any], inputs: Callable[[int], Any], numbers: Sequence[int]
    ) -> Iterator[tuple[int, Any]]:
        for done in self._pool.spread(Slow(compute, self._folder), inputs, numbers):
            self._finished += 1
            if self._finished in self._blows:
                threading.Timer(random.uniform(0, _PAUSE), self._strike, [self._blows[self._finished]]).start()
            yield done

    def _strike(self, blow: Callable[[dict[int, str]], object]) -> None:
        notes = sorted(self._folder.iterdir(), key=lambda note: note.stat().st_mtime)
        blow({int(note.name): note.read_text() for note in notes})
        self.fallen += 1


def kill_worker(workers: dict[int, str]) -> None:
    """The one that began a part last."""
    os.kill(list(workers)[-1], signal.SIGKILL)
