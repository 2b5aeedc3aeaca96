"""Texts that the tests of QUALS as a metric score."""

from __future__ import annotations

import numpy as np

from support.tiny import REPOSITORY

FOLDER = REPOSITORY / "metrics" / "quals"


SOURCES = ["Joshua won in London.", "The king lost in Paris.", "Klitschko lost in London, the queen won in Paris."]


SUMMARIES = ["Joshua won in London.", "", "The queen lost in Paris."]  # nothing can be asked about the second


def same(left: list[float], right: list[float]) -> bool:
    return bool(np.allclose(left, right, rtol=0, atol=1e-5, equal_nan=True))
