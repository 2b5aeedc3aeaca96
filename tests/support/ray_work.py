"""Work for Ray's workers that goes wrong, and workers and nodes that die during real work."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from trainer_ext.scale import RayPool
from trainer_ext.scale.rows import SomeRows

NODE = {"num_cpus": 2, "object_store_memory": 100 * 2**20}  # of the tests' cluster
_PAUSE = 0.3  # seconds before each part, so that blows fall during the work
_PATIENCE = 60  # seconds


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


class Unreadable(Deadly):
    """Work that no worker can read."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return _raise, ("lost on the way",)


def _raise(message: str) -> None:
    raise OSError(message)


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

    Nothing is given out while a blow falls, so work is left for those that live on.

    Args:
        pool: the pool.
        folder: for the workers' notes.
        blows: what is done soon after so many parts are finished. It is told the workers that live, each process with
            its node, the one that began a part last at the end; it says whether it found whom to strike.

    Attributes:
        fallen: how many blows have fallen.
    """

    def __init__(self, pool: RayPool, folder: Path, blows: dict[int, Callable[[dict[int, str]], bool]]) -> None:
        self._pool, self._folder, self._blows = pool, folder, blows
        self.fallen = 0
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
        for finished, done in enumerate(self._pool.spread(Slow(compute, self._folder), inputs, numbers), start=1):
            if finished in self._blows:
                self._strike(self._blows.pop(finished))
            yield done

    def _strike(self, blow: Callable[[dict[int, str]], bool]) -> None:
        time.sleep(random.uniform(0, _PAUSE))
        until = time.monotonic() + _PATIENCE
        while not blow(self._living()):
            assert time.monotonic() < until, "nobody to strike"
            time.sleep(0.05)
        self.fallen += 1

    def _living(self) -> dict[int, str]:
        notes = sorted(self._folder.iterdir(), key=lambda note: note.stat().st_mtime)
        return {int(note.name): note.read_text() for note in notes if _lives(int(note.name))}


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def kill_worker(workers: dict[int, str]) -> bool:
    """The one that began a part last."""
    if workers:
        os.kill(list(workers)[-1], signal.SIGKILL)
    return bool(workers)
