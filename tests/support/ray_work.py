"""Work for Ray's workers that goes wrong."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from trainer_ext.scale.rows import SomeRows


class Deadly:
    """Kills its worker the first time that it meets a third part, or always at one; a part is poisoned."""

    def __init__(self, folder: Path, always: int = -1, poisoned: int = -1) -> None:
        self._folder, self._always, self._poisoned = folder, always, poisoned

    def __call__(self, rows: SomeRows) -> list[int]:
        number = rows.places[0]
        met = self._folder / str(number)
        if number == self._always or (number % 3 == 0 and not met.exists()):
            met.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if number == self._poisoned:
            raise KeyError("poison")
        return [number]


def part(number: int) -> SomeRows:
    return SomeRows("in.jsonl", [number], [""], [""])
