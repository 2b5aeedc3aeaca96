"""The stages of a run: fine-tuning, contrastive training, and its control. Each is done once, and resumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset, load_from_disk
from quals.loading import model_fingerprint
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from benchmarks.common.examples import Example
from benchmarks.common.summarizers import load, stage_arguments, train_stage
from benchmarks.common.work_folder import DONE, texts_hash
from trainer_ext import ContrastiveSeq2SeqTrainer


@dataclass(frozen=True)
class Settings:
    """What a run is made with.

    Attributes:
        model: where fine-tuning starts.
        work: folder for checkpoints, mined candidates and results.
        mle_epochs, mle_learning_rate: passes and learning rate of the fine-tuning.
        epochs, learning_rate: passes and learning rate of the contrastive training and of its control.
        documents: most documents to mine.
        loss, weight: the contrastive loss and its weight.
        batch: documents per step.
        max_source, max_target: most tokens of a document and of a summary.
        seed: seed of everything random.
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
        """What makes a work folder this run's: settings, texts, weights, and ``ranked_by``, the signature of QUALS."""
        own = {name: str(value) for name, value in vars(self).items() if name != "work"}
        weights = model_fingerprint(
            load(self.model, self.max_target), AutoTokenizer.from_pretrained(self.model, trust_remote_code=False)
        )
        return own | {
            "texts": texts_hash([vars(example) for example in examples]),
            "test_documents": str(test_documents),
            "weights": weights,
            "ranked_by": ranked_by,
        }


def fine_tuned(settings: Settings, train: Dataset, tokenizer: PreTrainedTokenizerBase) -> Path:
    """The summarizer before: trained by likelihood alone."""
    return _stage("before", settings.model, settings, train, tokenizer, settings.mle_epochs, settings.mle_learning_rate)


def contrastive(
    settings: Settings,
    before: Path,
    train: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    name: str = "after",
    **options: Any,
) -> Path:
    """The summarizer after: its own candidates are mined, ranked by QUALS and trained away from.

    Args:
        settings: of the run.
        before: folder of the summarizer to start from.
        train: documents that may be mined.
        tokenizer: of the summarizer.
        name: of its own folder.
        options: further training arguments.
    """
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
    """The control: as many passes over the selected rows, by likelihood alone."""
    rows = load_from_disk(str(after / "mined"))
    assert isinstance(rows, Dataset)
    rows = rows.remove_columns(["candidate_labels", "candidate_scores", "reference_score"])
    return _stage("control", str(before), settings, rows, tokenizer, settings.epochs, settings.learning_rate)


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
    arguments = stage_arguments(
        folder,
        settings.batch,
        settings.seed,
        num_train_epochs=epochs,
        learning_rate=learning_rate,
        save_steps=200,
        save_total_limit=1,
        **options,
    )
    trainer = ContrastiveSeq2SeqTrainer(
        load(model, settings.max_target), arguments, train_dataset=train, processing_class=tokenizer
    )
    train_stage(trainer, folder, {"documents": len(train)})
    return folder
