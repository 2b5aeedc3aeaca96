"""A metric without a model, with summaries that make its process do what processes do at bad times."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

from quals import DataError
from quals.source_scorer import SourceScorer


class OverlapScorer(SourceScorer[float]):
    """The share of a summary's words that its source has."""

    NAME = "Overlap"
    VERSION = "1"

    def _score_chunk(self, rows: list[tuple[str, str]], advance: Any) -> Iterator[float]:
        for source, summary in rows:
            words = summary.split()
            if words == ["raise"]:
                raise DataError(f"The source {source!r} is wrong: give another.")
            if words == ["die"]:
                os.kill(os.getpid(), signal.SIGKILL)
            if words == ["sleep"]:
                time.sleep(600)
            yield os.getpid() if words == ["who"] else sum(word in source.split() for word in words) / len(words)
