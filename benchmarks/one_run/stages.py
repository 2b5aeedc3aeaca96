"""The stages of the run: fine-tuning, contrastive training, and its control. Each is done once, and resumes."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, load_from_disk
from quals.loading import model_fingerprint
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from benchmarks.common.examples import Example
from benchmarks.common.work_folder import DONE, finish, texts_hash
from trainer_ext import ContrastiveSeq2SeqTrainer, ContrastiveSeq2SeqTrainingArguments
from trainer_ext.io.atomic import replacing
from trainer_ext.mining import generate_summaries
from trainer_ext.recipes.checkpoints import last_whole_checkpoint


@dataclass(frozen=True)
class Settings:
    """Of the whole run.

    Attributes:
        model: where fine-tuning starts.
        work: folder for checkpoints, mined candidates and results.
        mle_epochs, mle_learning_rate: of the fine-tuning.
        epochs, learning_rate: of the contrastive training and its control.
        documents: mined at most.
        loss, weight: the contrastive loss and its weight.
        batch: documents in a step.
        max_source, max_target: tokens.
        seed: of everything random.
    """

    model: str
    work: Path
    mle_epochs: float = 6.0
    mle_learning_rate: float = 3e-4
    epochs: float = 2.0
    learning_rate: float = 3e-5
    documents: int = 1500
    loss: str = "unlikelihood"
    weight: float = 1.0
    batch: int = 8
    max_source: int = 400
    max_target: int = 64
    seed: int = 17

    def note(self, examples: Sequence[Example], test_documents: int, ranked_by: str) -> dict[str, str]:
        """What a work folder is this run's by; ``ranked_by`` is QUALS's signature."""
        own = {name: str(value) for name, value in vars(self).items() if name != "work"}
        weights = model_fingerprint(load(self.model, self), AutoTokenizer.from_pretrained(self.model))
        return own | {
            "texts": texts_hash([vars(example) for example in examples]),
            "test_documents": str(test_documents),
            "weights": weights,
            "ranked_by": ranked_by,
        }


def load(folder: str | Path, settings: Settings) -> PreTrainedModel:
    """A model in float32, with this run's way to decode."""
    model = AutoModelForSeq2SeqLM.from_pretrained(str(folder), dtype=torch.float32)
    model.generation_config.update(
        max_length=settings.max_target, num_beams=4, no_repeat_ngram_size=3, early_stopping=True, length_penalty=1.0
    )
    return model


def fine_tuned(settings: Settings, train: Dataset, tokenizer: PreTrainedTokenizerBase) -> Path:
    """The summarizer before: trained by likelihood."""
    return _stage("before", settings.model, settings, train, tokenizer, settings.mle_epochs, settings.mle_learning_rate)


def contrastive(
    settings: Settings,
    before: Path,
    train: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    name: str = "after",
    **options: Any,
) -> Path:
    """The summarizer after: its own candidates mined, ranked by QUALS and trained away from; further options apart."""
    return _stage(
        name,
        str(before),
        settings,
        train,
        tokenizer,
        settings.epochs,
        settings.learning_rate,
        mine_candidates=True,
        max_mined_documents=settings.documents,
        contrastive_loss=settings.loss,
        contrastive_weight=settings.weight,
        source_column="document",
        **options,
    )


def control(settings: Settings, before: Path, after: Path, tokenizer: PreTrainedTokenizerBase) -> Path:
    """As much training on the very rows that were selected, by likelihood alone."""
    rows = load_from_disk(str(after / "mined"))
    assert isinstance(rows, Dataset)
    rows = rows.remove_columns(["candidate_labels", "candidate_scores", "reference_score"])
    return _stage("control", str(before), settings, rows, tokenizer, settings.epochs, settings.learning_rate)


def summarized(
    settings: Settings, folder: Path, test: Dataset, tokenizer: PreTrainedTokenizerBase, name: str = "summaries"
) -> list[str]:
    """The model's summaries of the test documents, by its own generation config; generated once for each name."""
    file = folder / f"{name}.json"
    if not file.is_file():
        model = load(folder, settings)
        ids = generate_summaries(model, test, model.generation_config)
        texts = [text.strip() for text in tokenizer.batch_decode(ids, skip_special_tokens=True)]
        with replacing(file) as out:
            out.write(json.dumps(texts).encode())
    found: list[str] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _stage(
    name: str,
    model: str,
    settings: Settings,
    train: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    epochs: float,
    learning_rate: float,
    **options: Any,
) -> Path:
    folder = settings.work / name
    if (folder / DONE).is_file():
        return folder
    arguments = ContrastiveSeq2SeqTrainingArguments(
        output_dir=str(folder),
        num_train_epochs=epochs,
        learning_rate=learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=50,
        per_device_train_batch_size=settings.batch,
        label_smoothing_factor=0.1,
        train_sampling_strategy="group_by_length",
        bf16=True,
        use_cpu=not torch.cuda.is_available(),
        save_steps=200,
        save_total_limit=1,
        logging_steps=20,
        report_to="none",
        seed=settings.seed,
        card_documents=0,
        **{"mine_candidates": False, **options},
    )
    trainer = ContrastiveSeq2SeqTrainer(
        load(model, settings), arguments, train_dataset=train, processing_class=tokenizer
    )
    folder.mkdir(parents=True, exist_ok=True)
    with redirect_stdout(sys.stderr):  # where Trainer logs; standard output is for the report
        result = trainer.train(last_whole_checkpoint(folder))
    trainer.save_model(str(folder))
    if trainer.mined_dataset is not None:
        trainer.mined_dataset.save_to_disk(str(folder / "mined"))
    history = [entry for entry in trainer.state.log_history if "loss" in entry]
    note = {"steps": result.global_step, "documents": len(train), "mining": trainer._mining, "log": history}
    finish(folder, note)
    return folder
