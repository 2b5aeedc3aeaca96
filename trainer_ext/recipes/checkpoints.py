"""Which checkpoint a killed run goes on from: whole ones of the same recipe only."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from transformers.trainer_utils import get_last_checkpoint

if TYPE_CHECKING:
    from trainer_ext.recipes.train_qagen import QAGenRecipe

_NOTE = "recipe.json"


def prepare_checkpoints(folder: Path, recipe: QAGenRecipe) -> str | None:
    """The checkpoint to resume from, or None to begin anew; afterwards ``folder`` belongs to ``recipe``.

    A checkpoint without the trainer's state, which is written last, was cut off by a kill and is removed.

    Raises:
        ValueError: the checkpoints are of another recipe.
    """
    # Where the QAGen goes, and whether to resume, change nothing about the weights.
    settings = {name: value for name, value in asdict(recipe).items() if name not in ("output_dir", "resume")}
    settings = json.loads(json.dumps(settings))
    if not recipe.resume:
        shutil.rmtree(folder, ignore_errors=True)
    for checkpoint in folder.glob("checkpoint-*"):
        if not (checkpoint / "trainer_state.json").is_file():
            shutil.rmtree(checkpoint)
    note = folder / _NOTE
    last = get_last_checkpoint(str(folder)) if folder.is_dir() else None
    if last is not None and (not note.is_file() or json.loads(note.read_text(encoding="utf-8")) != settings):
        raise ValueError(
            f"{folder} holds checkpoints of another recipe, from which this one cannot go on: give the same options, "
            "another --output-dir, or --no-resume to begin anew."
        )
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    return str(last) if last is not None else None
