"""One change of a run's contrastive stage, as it is written on the command line."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields

from trainer_ext.losses import LOSSES
from trainer_ext.options import RULES


@dataclass(frozen=True)
class Variant:
    """What differs from the run's own contrastive stage; None keeps the run's value.

    Attributes:
        learning_rate, epochs, loss, weight: as in :class:`~benchmarks.one_run.stages.Settings`.
        selection: rule that keeps documents and candidates; per_document makes the best candidate the target.
        fraction: share of documents selected on either side.
        negatives: number of worst candidates per document to train away from.
    """

    learning_rate: float | None = None
    epochs: float | None = None
    loss: str | None = None
    weight: float | None = None
    selection: str | None = None
    fraction: float | None = None
    negatives: int | None = None

    @staticmethod
    def of(text: str) -> Variant:
        """Read from ``name=value,name=value``.

        Raises:
            ValueError: a name or a value is unknown, or a name occurs twice.
        """
        values: dict[str, object] = {}
        known = [field.name for field in fields(Variant)]
        for part in text.split(","):
            name, _, value = part.partition("=")
            if name not in known or name in values:
                raise ValueError(f"--variant has {part!r}: give {', '.join(known)} once at most, = and a value.")
            values[name] = _read(name, value)
        return Variant(**values)  # type: ignore[arg-type]

    def __str__(self) -> str:
        """The variant as it is written; equal variants give the same text."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        return ",".join(f"{name}={value if isinstance(value, str) else f'{value:g}'}" for name, value in given.items())


def _read(name: str, value: str) -> object:
    names = {"loss": tuple(LOSSES), "selection": RULES}
    if name in names:
        if value not in names[name]:
            raise ValueError(f"--variant has {name}={value}: give one of {', '.join(names[name])}.")
        return value
    try:
        number = int(value) if name == "negatives" else float(value)
    except ValueError:
        number = math.nan
    least = 0.0 if name == "weight" else 1.0 if name == "negatives" else math.ulp(0.0)
    most = 1.0 if name == "fraction" else math.inf
    if not least <= number <= most or math.isinf(number):
        raise ValueError(f"--variant has {name}={value}: give a number that {name} can be.")
    return number
