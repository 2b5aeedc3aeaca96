"""The arms that are compared: each makes summaries of the test documents, from one likelihood model and one pool.

Each is done once, and resumes after a kill.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset, load_from_disk
from transformers import PreTrainedTokenizerBase

from benchmarks.common.quals_model import QualsModel
from benchmarks.common.summarizers import WARMUP, kept_summaries, load, stage_arguments, summarized, train_stage
from benchmarks.common.variants import Variant
from benchmarks.common.work_folder import DONE
from benchmarks.paper.processes import pool_of
from benchmarks.paper.stages import AS_IT_IS, Settings, named
from trainer_ext import ContrastiveSeq2SeqTrainer
from trainer_ext.rerank import best_of

ARMS = ("rouge", "quals", "pairs", "best", "rerank", "cape")
BEST = Variant(weight=0.0, selection="per_document")  # likelihood alone, on the best sample of each document


@dataclass(frozen=True)
class Common:
    """What all arms of a set share.

    Attributes:
        settings: settings of the experiment.
        name: name of the set.
        mle: folder of the likelihood model.
        tests: the documents to summarize.
        tokenizer: tokenizer of the summarizers.
        ranker: the QUALS that ranks.
    """

    settings: Settings
    name: str
    mle: Path
    tests: Sequence[Dataset]
    tokenizer: PreTrainedTokenizerBase
    ranker: QualsModel

    def trained(self, folder: Path, rows: Path, seed: int, settings: Settings, **options: Any) -> None:
        """Train the likelihood model further, on rows from disk, into ``folder``."""
        if (folder / DONE).is_file():
            return
        dataset = load_from_disk(str(rows))
        assert isinstance(dataset, Dataset)
        steps = math.ceil(len(dataset) / settings.batch) * settings.epochs
        arguments = stage_arguments(
            folder,
            settings.batch,
            seed,
            warmup_steps=min(WARMUP, int(steps) // 10),  # so that a short training reaches its learning rate too
            num_train_epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            save_steps=200,
            save_total_limit=1,
            **options,
        )
        model = load(self.mle, settings.max_target)
        trainer = ContrastiveSeq2SeqTrainer(model, arguments, train_dataset=dataset, processing_class=self.tokenizer)
        train_stage(trainer, folder, {"documents": len(dataset)})


@dataclass(frozen=True)
class Arm(ABC):
    """One summarizer.

    Attributes:
        common: what it shares with the others.
        method: one of :data:`ARMS`, or a variant as text.
        seed: seed of its training; 0 if it has none.
    """

    common: Common
    method: str
    seed: int

    @property
    def folder(self) -> Path:
        """Folder of its model and summaries."""
        return self.common.settings.work / self.common.name / self.folder_name

    @property
    @abstractmethod
    def folder_name(self) -> str:
        """Name of the folder."""

    @abstractmethod
    def finish(self) -> None:
        """Make the model, and its summaries of all test documents."""

    def summarize(self) -> None:
        """Summarize all test documents with the model in the folder."""
        for test in self.common.tests:
            summarized(self.folder, test, self.common.tokenizer, self.common.settings.max_target)


@dataclass(frozen=True)
class Contrastive(Arm):
    """Trained towards the targets of selected rows and away from their worst candidates.

    Attributes:
        ranker: the ranker that selected.
        selected: folder of the rows.
        settings: settings of this training.
        variant: what differs from the run's own training.
    """

    ranker: str
    selected: Path
    settings: Settings
    variant: Variant = AS_IT_IS

    @property
    def folder_name(self) -> str:
        """Ranker, seed and variant."""
        return named(f"{self.ranker}-{self.seed}", self.variant)

    def finish(self) -> None:
        """Train and summarize."""
        options = {"contrastive_loss": self.settings.loss, "contrastive_weight": self.settings.weight}
        self.common.trained(self.folder, self.selected, self.seed, self.settings, **options)
        self.summarize()


@dataclass(frozen=True)
class Reranked(Arm):
    """Not trained at all: the best by QUALS of as many samples as mining draws."""

    @property
    def folder_name(self) -> str:
        """Rerank, because there is one."""
        return "rerank"

    def finish(self) -> None:
        """Sample, rank and keep the best."""
        for test in self.common.tests:
            kept_summaries(self.folder, test, lambda test=test: self._best(test))  # type: ignore[misc]

    def _best(self, test: Dataset) -> list[str]:
        common, settings = self.common, self.common.settings
        best = best_of(
            load(common.mle, settings.max_target),
            test["document"][:],
            settings.sampling.num_candidates,
            common.ranker.load(),
            tokenizer=common.tokenizer,
            sampling=settings.sampling,
            source_prefix=settings.prefix,
            max_source_length=settings.max_source,
            folder=self.folder / "mining",
        )
        return [(one.summary or "").strip() for one in best]


def side_by_side(arms: Sequence[Arm], processes: int) -> None:
    """Finish the arms, ``processes`` at a time, each with its share of the threads."""
    if processes == 1:
        for arm in arms:
            arm.finish()
        return
    with pool_of(processes) as pool:
        list(pool.map(_finish, arms))


def _finish(arm: Arm) -> None:
    arm.finish()
