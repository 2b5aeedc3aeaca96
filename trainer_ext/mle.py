"""Fine-tuning by likelihood before the mining: in the same call of ``train()``, and never twice."""

from __future__ import annotations

import copy
import time
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_model, save_model
from transformers import TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from trainer_ext.arguments import ContrastiveOptions
from trainer_ext.collator import COLUMNS
from trainer_ext.dataset import as_dataset
from trainer_ext.io.hashing import hash_json
from trainer_ext.io.keyed_file import KeyedFile
from trainer_ext.io.processes import send_weights
from trainer_ext.mining.fingerprint import data_fingerprint, summarizer_fingerprint

if TYPE_CHECKING:
    from trainer_ext.candidate_trainer import CandidateSeq2SeqTrainer

_FOLDER = "_mle"  # underscore: not for the Hub
_NOTE = "mle.json"
_WEIGHTS = "fine-tuned.safetensors"
_SEEN_WITHIN = 90  # seconds: a network's file system may remember for a while that there was no file
_NOT_SHARED = "{} is not the same folder in all processes: give an output_dir that all machines share."
# Arguments that do not bear on the weights. Every other argument does, so one that transformers adds counts at once.
_WITHOUT_EFFECT = {
    *("output_dir", "run_name", "project", "use_cpu", "local_rank", "ddp_timeout", "ddp_backend", "report_to"),
    *("do_train", "do_eval", "do_predict", "resume_from_checkpoint", "overwrite_output_dir", "disable_tqdm"),
    *("skip_memory_metrics", "include_num_input_tokens_seen", "include_tokens_per_second", "include_for_metrics"),
    *("batch_eval_metrics", "torch_empty_cache_steps", "enable_jit_checkpoint", "push_to_hub"),
    *("dataloader_num_workers", "dataloader_pin_memory", "dataloader_prefetch_factor"),
    *("dataloader_persistent_workers", "dataloader_multiprocessing_context"),
}
_WITHOUT_EFFECT_PREFIXES: tuple[str, ...] = ("log_", "logging_", "hub_", "push_to_hub_", "trackio_")
# These choose the checkpoint that load_best_model_at_end takes, and have no other effect.
_OF_THE_BEST = {"predict_with_generate", "per_device_eval_batch_size", "bf16_full_eval", "fp16_full_eval"}
_OF_THE_BEST_PREFIXES = ("eval_", "save_", "generation_", "metric_for_best", "greater_is_better", "prediction_loss")


def train_by_likelihood(trainer: CandidateSeq2SeqTrainer, epochs: float, learning_rate: float) -> None:
    """Train the trainer's model by likelihood alone, in the folder ``_mle/`` of its output folder.

    With the same weights, data and settings, an interrupted run resumes from its last checkpoint, and a finished run
    is not repeated. The trainer's callbacks take no part, since they may count the steps of the training that follows.

    Raises:
        ValueError: the folder holds work that was done with other weights, data or settings, or the processes do not
            share it.
    """
    folder = Path(trainer.args.output_dir) / _FOLDER
    train = as_dataset(trainer.train_dataset)
    args = _stage_arguments(trainer.args, folder, epochs, learning_rate)
    key = hash_json(
        weights=summarizer_fingerprint(trainer.model),
        data=data_fingerprint(train, ["input_ids", "labels"]),
        settings=settings_that_bear_on_weights(args),
    )
    note = KeyedFile(folder / _NOTE, key)
    state = note.read()
    if state is None and (note.is_of_another_key() or _has_work(folder)):
        raise ValueError(
            f"{folder} holds a model that was fine-tuned from other weights, data or settings: give another "
            "output_dir, or delete that folder."
        )
    finished = state is not None and state["finished"]
    # A barrier too: nobody writes until all have read.
    everyone = trainer.accelerator.gather(torch.tensor([int(finished)], device=trainer.args.device))
    if everyone.min() != everyone.max():
        raise ValueError(_NOT_SHARED.format(folder))
    if finished:
        load_model(trainer.model, folder / _WEIGHTS, device=str(trainer.args.device))
        return
    if trainer.is_world_process_zero():
        note.write({"finished": False})
    trainer.accelerator.wait_for_everyone()
    deadline = time.monotonic() + _SEEN_WITHIN
    while note.read() is None:
        if time.monotonic() > deadline:
            raise ValueError(_NOT_SHARED.format(folder))
        time.sleep(0.2)
    candidate_columns = [name for name in COLUMNS if name in train.column_names]
    stage = type(trainer)(
        model=trainer.model,
        args=args,
        data_collator=trainer.data_collator,
        train_dataset=train.remove_columns(candidate_columns) if candidate_columns else train,
        eval_dataset=trainer.eval_dataset,
        processing_class=trainer.processing_class,
        compute_metrics=trainer.compute_metrics,
        preprocess_logits_for_metrics=trainer.preprocess_logits_for_metrics,
    )
    stage.train(get_last_checkpoint(str(folder)))
    send_weights(trainer)
    if trainer.is_world_process_zero():
        temporary = folder / f".{_WEIGHTS}"
        save_model(trainer.model, str(temporary))
        temporary.replace(folder / _WEIGHTS)
        note.write({"finished": True})
    trainer.accelerator.wait_for_everyone()


def settings_that_bear_on_weights(args: TrainingArguments) -> dict[str, Any]:
    """All training arguments but those known to leave the weights alone: paths, logging, the Hub, the candidates.

    How often the model is evaluated and saved counts only with ``load_best_model_at_end``.
    """
    names, prefixes = set(_WITHOUT_EFFECT), _WITHOUT_EFFECT_PREFIXES
    if not args.load_best_model_at_end:
        names, prefixes = names | _OF_THE_BEST, prefixes + _OF_THE_BEST_PREFIXES
    names |= {option.name for option in fields(ContrastiveOptions)}
    settings = {
        name: value for name, value in args.to_dict().items() if name not in names and not name.startswith(prefixes)
    }
    return {**settings, "world_size": args.world_size}


def _stage_arguments(args: Any, folder: Path, epochs: float, learning_rate: float) -> Any:
    stage = copy.copy(args)
    stage.output_dir = str(folder)
    stage.num_train_epochs, stage.learning_rate, stage.max_steps = epochs, learning_rate, -1
    stage.mine_candidates = stage.push_to_hub = False
    return stage


def _has_work(folder: Path) -> bool:
    """Whether there is work from which a training could wrongly resume."""
    return folder.is_dir() and ((folder / _WEIGHTS).exists() or get_last_checkpoint(str(folder)) is not None)
