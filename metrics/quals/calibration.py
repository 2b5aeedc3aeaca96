"""A map from a score to the probability that the summary is consistent, as one small JSON file."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from .errors import CheckpointError, OptionError

_FORMAT = "quals-calibration-1"
_MOST_BYTES = 1_000_000
_ADVICE = "make it with `quals calibrate`"


@dataclass(frozen=True)
class Calibration:
    """A logistic map, fitted on judged summaries; ``quals calibrate`` makes one.

    It holds for texts and systems like those that it was fitted on, and for scores with its signature alone.

    Attributes:
        slope: above 0, per unit of the score (nats per token, unless the weighting has none): a higher score is a
            higher probability.
        intercept: log-odds of a summary whose score is 0.
        signature: of the scorer whose scores it was fitted on.
        sets: names of the sets that it was fitted on.
        rows, documents: how many judged summaries these are, and of how many documents.
        base_rate: share of them that is consistent, between 0 and 1.

    Raises:
        CheckpointError: a value is not what it should be.

    Example:
        >>> from quals.calibration import Calibration
        >>> calibration = Calibration(2.0, 3.0, "quals-v2-0123456789ab", ("news",), 400, 200, 0.6)
        >>> round(calibration.probability(-0.5), 3), round(calibration.probability(-2.5), 3)
        (0.881, 0.119)
    """

    slope: float
    intercept: float
    signature: str
    sets: tuple[str, ...]
    rows: int
    documents: int
    base_rate: float

    def __post_init__(self) -> None:
        for name in ("slope", "intercept", "base_rate"):
            if not _is_number(getattr(self, name)):
                raise CheckpointError(f"{name} is not a finite number: {_ADVICE}.")
        for name in ("rows", "documents"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise CheckpointError(f"{name} is not a whole number above 0: {_ADVICE}.")
        if self.slope <= 0:
            raise CheckpointError(f"slope is {self.slope}, and must be above 0: {_ADVICE}.")
        if not 0 < self.base_rate < 1:
            raise CheckpointError(f"base_rate is {self.base_rate}, and must be between 0 and 1: {_ADVICE}.")
        if not isinstance(self.signature, str) or not all(isinstance(name, str) for name in self.sets):
            raise CheckpointError(f"signature or sets are not text: {_ADVICE}.")

    def probability(self, score: float | None) -> float | None:
        """Probability that a summary with this score is consistent, from 0 to 1.

        Args:
            score: of a scorer with this signature.

        Returns:
            None where the score is None or NaN.
        """
        if score is None or math.isnan(score):
            return None
        return (1 + math.tanh((self.slope * score + self.intercept) / 2)) / 2  # the logistic, without an overflow

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Calibration:
        """The map in a file.

        Raises:
            CheckpointError: there is no such file, or it does not hold a map.
        """
        try:
            with Path(path).open("rb") as file:
                data = file.read(_MOST_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CheckpointError(f"The calibration {str(path)!r} cannot be read ({reason}): {_ADVICE}.") from error
        try:
            if len(data) > _MOST_BYTES:
                raise CheckpointError(f"it is above {_MOST_BYTES:,} bytes: {_ADVICE}.")
            return cls._of(json.loads(data))
        except CheckpointError as error:
            raise CheckpointError(f"{str(path)!r} is not a calibration: {error}") from error
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"{str(path)!r} is not a calibration: it is not JSON; {_ADVICE}.") from error

    @classmethod
    def _of(cls, values: Any) -> Calibration:
        names = [f.name for f in fields(cls)]
        if not isinstance(values, dict) or values.get("format") != _FORMAT:
            raise CheckpointError(f"it does not say that its format is {_FORMAT!r}; {_ADVICE}.")
        missing = [name for name in names if name not in values]
        if missing:
            raise CheckpointError(f"it has no {missing[0]!r}; {_ADVICE}.")
        if not isinstance(values["sets"], list):
            raise CheckpointError(f"sets are not a list: {_ADVICE}.")
        return cls(**{name: values[name] for name in names} | {"sets": tuple(values["sets"])})

    def to_json(self) -> bytes:
        """What :meth:`read` reads from a file."""
        return (json.dumps({"format": _FORMAT, **asdict(self)}, indent=2, allow_nan=False) + "\n").encode()

    def write(self, path: str | os.PathLike[str]) -> None:
        """Put the map in a file, as JSON.

        Raises:
            OSError: it could not be written.
        """
        Path(path).write_bytes(self.to_json())


def calibration_for(signature: str, given: str | os.PathLike[str] | Calibration | None) -> Calibration | None:
    """The map that was given, or that is in the file that was, for scores with a signature; None for None.

    Raises:
        OptionError: what was given is none of these.
        CheckpointError: the file does not hold a map, or the map is for other scores.
    """
    if isinstance(given, str | os.PathLike):
        given = Calibration.read(given)
    if given is None:
        return None
    if not isinstance(given, Calibration):
        raise OptionError(f"calibration is a {type(given).__name__}: give the path of a file, or None.")
    if given.signature != signature:
        raise CheckpointError(
            f"The calibration is for scores {given.signature!r}, and this scorer's are {signature!r}: give the "
            "checkpoint and the options that it was fitted with, or fit another with `quals calibrate`."
        )
    return given


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False
