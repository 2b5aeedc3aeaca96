"""Checkpoints on disk: training continues only from one that is whole and of the same recipe."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from quals.errors import OptionError
from safetensors import SafetensorError
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.trainer_utils import get_last_checkpoint

from trainer_ext.io.hashing import text_hash
from trainer_ext.io.keyed_file import KeyedFile
from trainer_ext.recipes.recipe import Recipe

_NOTE = "recipe.json"
# Where the model goes, how it is stored and what its card says do not change the training.
_AFTER_TRAINING = ("output_dir", "resume", "dtype", "data_credit", "base_credit", "test_file")


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write a model's folder.

    Raises:
        OSError: it could not be written, e.g. because the disk is full.
    """
    for name in ("is_local", "local_files_only"):  # true on this machine only, but transformers would save them
        tokenizer.init_kwargs.pop(name, None)
    try:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except SafetensorError as error:  # is not an OSError, even if the disk is full
        raise OSError(f"{folder} could not be written: {error}; make room or give another folder.") from error


def save_trained(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> Path:
    """Write the trained model in the recipe's dtype, with a tokenizer that knows how long its texts were.

    Returns:
        Its folder.

    Raises:
        OSError: as :func:`save`.
    """
    tokenizer.model_max_length = recipe.max_tokens
    save(model.to(getattr(torch, recipe.dtype)), tokenizer, folder := Path(recipe.output_dir))
    return folder


def prepare_checkpoints(recipe: Recipe, data: Sequence[Any]) -> str | None:
    """The checkpoint to resume from, or None to begin anew; afterwards the folder belongs to ``recipe``.

    Raises:
        OptionError: the checkpoints are of another recipe, or of other data under the same name.
    """
    folder = checkpoints_folder(recipe)
    # An earlier version's note lacks the options that came later, so options that are not given are left out.
    given = {name: value for name, value in asdict(recipe).items() if value is not None}
    settings = {name: value for name, value in given.items() if name not in _AFTER_TRAINING}
    settings["data"] = text_hash(repr(data))
    note = KeyedFile(folder / _NOTE, settings)
    if not recipe.resume:
        note.path.unlink(missing_ok=True)
        for checkpoint in folder.glob("checkpoint-*"):
            shutil.rmtree(checkpoint)
    last = last_whole_checkpoint(folder)
    if last is not None and note.read() is None:
        raise OptionError(
            f"{folder} holds checkpoints of another recipe: give the same options and data, another --output-dir, "
            "or --no-resume to begin anew."
        )
    note.write("The checkpoints beside this file are of this key.")
    return last


def checkpoints_folder(recipe: Recipe) -> Path:
    """Where a training keeps its checkpoints, and what it makes of its data."""
    return Path(recipe.output_dir) / "checkpoints"


def last_whole_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint of a trainer; those without the trainer's whole state, written last, are removed."""
    for checkpoint in folder.glob("checkpoint-*"):
        if not _is_whole(checkpoint / "trainer_state.json"):
            shutil.rmtree(checkpoint)
    last = get_last_checkpoint(str(folder)) if folder.is_dir() else None
    return str(last) if last is not None else None


def _is_whole(state: Path) -> bool:
    try:
        json.loads(state.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):  # killed before it was written, or while
        return False
    return True
