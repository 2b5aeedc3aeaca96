"""Checkpoints on disk: written with clear errors, and gone on from only where whole and of the same recipe."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol

from safetensors import SafetensorError
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.trainer_utils import get_last_checkpoint

_NOTE = "recipe.json"
# Where the model goes, how it is stored and what its card says change nothing about the training.
_AFTER_TRAINING = ("output_dir", "resume", "dtype", "data_credit", "base_credit", "test_file")


class Recipe(Protocol):
    """A dataclass of settings."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def resume(self) -> bool:
        """Go on from checkpoints that are there."""


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write a model's folder.

    Raises:
        OSError: it could not be written, e.g. because the disk is full.
    """
    for name in ("is_local", "local_files_only"):  # of this machine, yet transformers would save them
        tokenizer.init_kwargs.pop(name, None)
    try:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except SafetensorError as error:  # which is no OSError, whatever its cause
        raise OSError(f"{folder} could not be written: {error}; make room or give another folder.") from error


def prepare_checkpoints(folder: Path, recipe: Recipe, data: Sequence[Any]) -> str | None:
    """The checkpoint to resume from, or None to begin anew; afterwards ``folder`` belongs to ``recipe``.

    Raises:
        ValueError: the checkpoints are of another recipe, or of other data under the same name.
    """
    # Options that are not given are left out, so that a new one does not make a training that was begun another's.
    settings = {name: value for name, value in _given(asdict(recipe)).items() if name not in _AFTER_TRAINING}
    settings["data"] = hashlib.sha256(repr(data).encode("utf-8", "backslashreplace")).hexdigest()
    settings = json.loads(json.dumps(settings))
    note = folder / _NOTE
    if not recipe.resume:
        note.unlink(missing_ok=True)
        for checkpoint in folder.glob("checkpoint-*"):
            shutil.rmtree(checkpoint)
    last = last_whole_checkpoint(folder)
    if last is not None and (not note.is_file() or _given(json.loads(note.read_text(encoding="utf-8"))) != settings):
        raise ValueError(
            f"{folder} holds checkpoints of another recipe, from which this one cannot go on: give the same options "
            "and data, another --output-dir, or --no-resume to begin anew."
        )
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    return last


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


def last_whole_checkpoint(folder: Path) -> str | None:
    """The newest of a trainer's checkpoints; one without the trainer's whole state, written last, is removed."""
    for checkpoint in folder.glob("checkpoint-*"):
        if not _is_whole(checkpoint / "trainer_state.json"):
            shutil.rmtree(checkpoint)
    last = get_last_checkpoint(str(folder)) if folder.is_dir() else None
    return str(last) if last is not None else None


def _is_whole(state: Path) -> bool:
    try:
        json.loads(state.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # killed before it was written, or while
        return False
    return True
