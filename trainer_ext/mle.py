"""Fine-tuning by likelihood before the mining, in the same call, and never twice."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import load_model, save_model
from transformers.trainer_utils import get_last_checkpoint

from trainer_ext.collator import COLUMNS
from trainer_ext.dataset import as_dataset
from trainer_ext.io.atomic import replacing
from trainer_ext.io.hashing import hash_json
from trainer_ext.mining.fingerprint import data_fingerprint, summarizer_fingerprint

if TYPE_CHECKING:
    from trainer_ext.trainer import ContrastiveSeq2SeqTrainer

_FOLDER = "_mle"  # underscore: not for the Hub
_NOTE = "mle.json"
_WEIGHTS = "fine-tuned.safetensors"
# Of the arguments, what bears on the weights that come out.
_SETTINGS = (
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "world_size",
    "label_smoothing_factor",
    "seed",
    "data_seed",
    "full_determinism",
    "optim",
    "optim_args",
    "weight_decay",
    "adam_beta1",
    "adam_beta2",
    "adam_epsilon",
    "max_grad_norm",
    "lr_scheduler_type",
    "lr_scheduler_kwargs",
    "warmup_steps",
    "warmup_ratio",
    "bf16",
    "fp16",
    "train_sampling_strategy",
    "dataloader_drop_last",
    "neftune_noise_alpha",
    "load_best_model_at_end",
    "metric_for_best_model",
)


def train_by_likelihood(trainer: ContrastiveSeq2SeqTrainer, epochs: float, learning_rate: float) -> None:
    """Train the trainer's model by likelihood alone, in ``_mle/`` in its output folder.

    A run that was cut off goes on from its last checkpoint, and a finished one is not repeated, where weights, data and
    settings are the same. The trainer's callbacks take no part: they may keep count of the training that follows.

    Raises:
        ValueError: the folder holds the work of other weights, data or settings.
    """
    folder = Path(trainer.args.output_dir) / _FOLDER
    train = as_dataset(trainer.train_dataset)
    key = hash_json(
        weights=summarizer_fingerprint(trainer.model),
        data=data_fingerprint(train, ["input_ids", "labels"]),
        epochs=epochs,
        learning_rate=learning_rate,
        settings={name: str(getattr(trainer.args, name, None)) for name in _SETTINGS},
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
    brought = [name for name in COLUMNS if name in train.column_names]
    stage = type(trainer)(
        model=trainer.model,
        args=args,
        data_collator=trainer.data_collator,
        train_dataset=train.remove_columns(brought) if brought else train,
        eval_dataset=trainer.eval_dataset,
        processing_class=trainer.processing_class,
        compute_metrics=trainer.compute_metrics,
        preprocess_logits_for_metrics=trainer.preprocess_logits_for_metrics,
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
