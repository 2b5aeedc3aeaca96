"""Summarizers on disk: how an experiment loads, trains and runs them. Each stage is done once, and resumes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForSeq2SeqLM, PreTrainedModel, PreTrainedTokenizerBase

from benchmarks.common.work_folder import finish, texts_hash
from trainer_ext import ContrastiveSeq2SeqTrainer, ContrastiveSeq2SeqTrainingArguments
from trainer_ext.io.atomic import replacing
from trainer_ext.mining import generate_summaries
from trainer_ext.recipes.checkpoints import last_whole_checkpoint

WARMUP = 50  # steps until the learning rate is reached


def load(folder: str | Path, max_target: int) -> PreTrainedModel:
    """A model in float32 that writes by beam search, at most ``max_target`` tokens per summary."""
    model = AutoModelForSeq2SeqLM.from_pretrained(str(folder), dtype=torch.float32, trust_remote_code=False)
    model.generation_config.update(
        max_length=max_target, num_beams=4, no_repeat_ngram_size=3, early_stopping=True, length_penalty=1.0
    )
    return model


def summarized(folder: Path, test: Dataset, tokenizer: PreTrainedTokenizerBase, max_target: int) -> list[str]:
    """Summaries of the documents by the model in ``folder``, which also keeps them: generated once per set."""

    def write() -> list[str]:
        model = load(folder, max_target)
        ids = generate_summaries(model, test, model.generation_config)
        return [text.strip() for text in tokenizer.batch_decode(ids, skip_special_tokens=True)]

    return kept_summaries(folder, test, write)


def kept_summaries(folder: Path, test: Dataset, write: Callable[[], list[str]]) -> list[str]:
    """What ``write`` gave for these documents when it was first called for them; ``folder`` keeps it."""
    file = folder / f"summaries-{texts_hash(test['document'][:])[:12]}.json"
    if not file.is_file():
        texts = write()
        with replacing(file) as out:
            out.write(json.dumps(texts).encode())
    summaries: list[str] = json.loads(file.read_text(encoding="utf-8"))
    return summaries


def stage_arguments(folder: Path, batch: int, seed: int, **options: Any) -> ContrastiveSeq2SeqTrainingArguments:
    """Training arguments that all stages share: documents of similar length together, nothing mined or reported."""
    return ContrastiveSeq2SeqTrainingArguments(
        output_dir=str(folder),
        lr_scheduler_type="linear",
        per_device_train_batch_size=batch,
        per_device_eval_batch_size=batch,
        label_smoothing_factor=0.1,
        train_sampling_strategy="group_by_length",
        bf16=True,
        use_cpu=not torch.cuda.is_available(),
        logging_steps=20,
        report_to="none",
        card_documents=0,
        seed=seed,
        **{"mine_candidates": False, "warmup_steps": WARMUP, **options},
    )


def train_stage(trainer: ContrastiveSeq2SeqTrainer, folder: Path, note: Mapping[str, Any]) -> None:
    """Train from the last whole checkpoint on, save the model, and note what was done.

    The note holds ``note``, the steps, and the logged losses; a run's mined rows and their summary are kept beside it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with redirect_stdout(sys.stderr):  # where Trainer logs; standard output is for the report
        result = trainer.train(last_whole_checkpoint(folder))
    trainer.save_model(str(folder))
    if trainer.mined_dataset is not None:
        trainer.mined_dataset.save_to_disk(str(folder / "mined"))
    log = [entry for entry in trainer.state.log_history if "loss" in entry or "eval_loss" in entry]
    mining = None if trainer.mining_summary is None else trainer.mining_summary.to_dict()
    finish(folder, {**note, "steps": result.global_step, "mining": mining, "log": log})
