"""Fine-tuning by likelihood before the mining, in the same call, and never twice."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import load_model, save_model
from transformers.trainer_utils import get_last_checkpoint

from trainer_ext.columns import CANDIDATE_LABELS, CANDIDATE_SCORES, REFERENCE_SCORE
from trainer_ext.mining.fingerprint import data_fingerprint, fingerprint, model_fingerprint
from trainer_ext.tables import replacing

if TYPE_CHECKING:
    from trainer_ext.trainer import ContrastiveSeq2SeqTrainer

_FOLDER = "_mle"  # underscore: not for the Hub
_NOTE = "mle.json"
_WEIGHTS = "fine-tuned.safetensors"
_SETTINGS = ("per_device_train_batch_size", "gradient_accumulation_steps", "label_smoothing_factor", "seed")


def train_by_likelihood(trainer: ContrastiveSeq2SeqTrainer, epochs: float, learning_rate: float) -> None:
    """Train the trainer's model by likelihood alone, in ``_mle/`` in its output folder.

    A run that was cut off goes on from its last checkpoint, and a finished one is not repeated, where weights, data and
    settings are the same.

    Raises:
        ValueError: the folder holds the work of other weights, data or settings.
    """
    folder = Path(trainer.args.output_dir) / _FOLDER
    key = fingerprint(
        weights=model_fingerprint(trainer.model),
        data=data_fingerprint(trainer.train_dataset, ["input_ids", "labels"]),
        epochs=epochs,
        learning_rate=learning_rate,
        **{name: getattr(trainer.args, name) for name in _SETTINGS},
    )
    note = folder / _NOTE
    known = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else None
    if known is not None and known["key"] != key:
        raise ValueError(
            f"{folder} holds a model that was fine-tuned from other weights, data or settings: give another output "
            "folder, or delete it."
        )
    if known is not None and known["finished"]:
        load_model(trainer.model, folder / _WEIGHTS, device=str(trainer.args.device))
        return
    if trainer.is_world_process_zero():
        folder.mkdir(parents=True, exist_ok=True)
        _write(note, key, finished=False)
    trainer.accelerator.wait_for_everyone()
    args = copy.copy(trainer.args)
    args.output_dir = str(folder)
    args.num_train_epochs, args.learning_rate, args.max_steps = epochs, learning_rate, -1
    args.mine_candidates = False
    args.push_to_hub = False
    train: Any = trainer.train_dataset
    columns = getattr(train, "column_names", ())
    brought = [name for name in (CANDIDATE_LABELS, CANDIDATE_SCORES, REFERENCE_SCORE) if name in columns]
    stage = type(trainer)(
        model=trainer.model,
        args=args,
        data_collator=trainer.data_collator,
        train_dataset=train.remove_columns(brought) if brought else train,
        eval_dataset=trainer.eval_dataset,
        processing_class=trainer.processing_class,
        compute_metrics=trainer.compute_metrics,
    )
    stage.train(get_last_checkpoint(str(folder)))
    if trainer.is_world_process_zero():
        temporary = folder / f".{_WEIGHTS}"
        save_model(trainer.model, str(temporary))
        temporary.replace(folder / _WEIGHTS)
        _write(note, key, finished=True)
    trainer.accelerator.wait_for_everyone()


def _write(note: Path, key: str, finished: bool) -> None:
    with replacing(note) as file:
        file.write(json.dumps({"key": key, "finished": finished}).encode())
