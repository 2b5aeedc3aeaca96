"""What every recipe says: the base model, the data, and how long to train.

A recipe is a dataclass of settings, and each field is an option of ``quals train`` too. A field's metadata hold

- ``help``: what it means, which the option's help repeats,
- ``option``: the option's name where it is not the field's,
- ``least``, ``most`` (included), ``above``, ``below`` (excluded): its range,
- ``choices``: its values.

A class that gives a field another default or another help inherits the rest of its metadata.

Nothing here imports torch or transformers, so that ``quals train --help`` is quick.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from quals.errors import OptionError

QA_FILES = (
    "SQuAD JSON, JSON lines, or a data set's name; ?FIELD=VALUE behind it keeps the rows with this value; "
    "may be given several times"
)
_LIMITS = {
    "least": (operator.ge, "{} or more"),
    "above": (operator.gt, "more than {}"),
    "most": (operator.le, "{} or less"),
    "below": (operator.lt, "less than {}"),
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings that all recipes have.

    Raises:
        OptionError: a setting is out of its range.
    """

    model: str = field(metadata={"help": "folder or Hub name of the base model"})
    train_files: Sequence[str] = field(
        metadata={"help": "file to train on; may be given several times", "option": "train-file"}
    )
    validation_file: str = field(metadata={"help": "file of the same form; chooses the checkpoint that is kept"})
    output_dir: str = field(metadata={"help": "folder of the trained model, with its checkpoints in checkpoints/"})
    epochs: float = field(default=2.0, metadata={"help": "passes over the data", "above": 0, "below": math.inf})
    learning_rate: float = field(default=5e-5, metadata={"help": "peak learning rate", "above": 0, "below": math.inf})
    max_tokens: int = field(default=512, metadata={"help": "tokens that the model reads at once", "least": 16})
    eval_steps: int = field(
        default=500, metadata={"help": "steps between evaluations; each writes a checkpoint", "least": 1}
    )
    bf16: bool | None = field(
        default=None,
        metadata={"help": "autocast to bfloat16 in training; if not given, where the device computes in it"},
    )
    seed: int = field(default=17, metadata={"help": "seed of the data's choice and order"})
    dtype: str = field(
        default="float16",
        metadata={"help": "dtype of the saved weights", "choices": ("float32", "float16", "bfloat16")},
    )
    resume: bool = field(default=True, metadata={"help": "continue from the checkpoints that the folder has"})
    data_credit: Sequence[str] = field(
        default=(),
        metadata={
            "help": "line for the card: a data set, its licence and source; may be given several times",
            "option": "credit",
        },
    )
    base_credit: str = field(default="", metadata={"help": "origin and licence of the base model, for the card"})

    def __post_init__(self) -> None:
        for name, metadata in settings(type(self)).items():
            value = getattr(self, name)
            if value is not None and (allowed := _allowed(value, metadata)):
                raise OptionError(f"{name} is {value!r}: give {allowed}.")


def settings(recipe: type[Any]) -> dict[str, dict[str, Any]]:
    """Each field's metadata, together with what the classes above say of it."""
    merged: dict[str, dict[str, Any]] = {setting.name: {} for setting in fields(recipe)}
    for cls in reversed(recipe.__mro__):
        for name, setting in getattr(cls, "__dataclass_fields__", {}).items():
            merged[name] |= setting.metadata
    return merged


def _allowed(value: Any, metadata: Mapping[str, Any]) -> str | None:
    """The values that a field may have, in words; None where ``value`` is one of them."""
    if "choices" in metadata:
        return None if value in metadata["choices"] else f"one of {', '.join(metadata['choices'])}"
    limits = [(holds, words, metadata[name]) for name, (holds, words) in _LIMITS.items() if name in metadata]
    if all(holds(value, bound) for holds, _, bound in limits):  # NaN holds none
        return None
    return " and ".join(words.format(bound) for _, words, bound in limits)


@dataclass(frozen=True, kw_only=True)
class EncoderRecipe(Recipe):
    """The settings of recipes that fine-tune an encoder. The learning rate rises over a tenth of the steps."""

    model: str = field(metadata={"help": "folder or Hub name of an encoder, e.g. google-bert/bert-base-uncased"})
    batch: int = field(default=16, metadata={"help": "rows in a step", "option": "batch-size", "least": 1})
