"""How much there is to score, and for how long: known before the work, from a first part."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from trainer_ext.io.chunks import Workers
from trainer_ext.io.progress import duration
from trainer_ext.scale.rows import ScoreRows
from trainer_ext.scale.table import Texts


@dataclass
class Estimate:
    """What a run would have to do.

    Attributes:
        files, rows, left_out, parts: numbers of them; a part is what is scored and kept at once.
        measured: rows of the part that was scored to see how long it takes.
        seconds: time that it took, once the model was warm.
    """

    files: int = 0
    rows: int = 0
    left_out: int = 0
    parts: int = 0
    measured: int = 0
    seconds: float = 0.0

    def total_seconds(self, workers: int) -> float:
        """Of the whole work, on so many workers.

        Example:
            >>> Estimate(rows=1000, left_out=40, measured=32, seconds=4.0).total_seconds(workers=2)
            60.0
        """
        return (self.rows - self.left_out) / max(1, self.measured) * self.seconds / workers

    def lines(self, workers: int) -> list[tuple[str, str]]:
        """For a terminal."""
        rate = self.measured / max(self.seconds, 1e-9)
        return [
            ("files", f"{self.files:,}"),
            ("rows", f"{self.rows:,}, of which {self.left_out:,} are left out"),
            ("parts", f"{self.parts:,}"),
            ("measured", f"{rate:.3g} rows per second and worker, on the first {self.measured} rows"),
            ("time", f"about {duration(self.total_seconds(workers))} on {workers} worker{'s' * (workers > 1)}"),
        ]


def estimate(tables: Iterable[Texts], work: ScoreRows, workers: Workers) -> Estimate:
    """Count what is in all tables, and score the first part of the first, twice: once to get warm. Nothing is kept."""
    found = Estimate()
    for texts in tables:
        if not found.files:
            for _ in range(2):
                start = time.monotonic()
                list(workers.spread(work, texts.chunk, [0]))
            found.measured, found.seconds = texts.sizes[0], time.monotonic() - start
        found.files += 1
        found.rows += len(texts.rows)
        found.left_out += len(texts.rows) - len(texts.places)
        found.parts += len(texts.sizes)
    return found
