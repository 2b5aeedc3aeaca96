"""One pool of candidates with each ranker's scores, made by processes that share the work."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from threading import BrokenBarrierError
from typing import Any

from datasets import Dataset
from quals import QualsScorer
from transformers import PreTrainedTokenizerBase

from benchmarks.common.quals_model import QualsModel
from benchmarks.common.summarizers import load
from benchmarks.paper.processes import pool_of, release_others, wait_for_others
from trainer_ext.io.chunks import ALONE
from trainer_ext.mining import SamplingSettings, Workers, mine

RANKERS = ("rouge", "quals")


@dataclass(frozen=True)
class Mined:
    """The result of mining.

    Attributes:
        scored: by ranker, the pool with its scores.
        rouge_l: mean ROUGE-L of the samples against the references.
        tokenizer: of the summarizer; with it the selection compares samples with references as texts, too.
    """

    scored: dict[str, Dataset]
    rouge_l: float | None
    tokenizer: PreTrainedTokenizerBase | None = None


@dataclass(frozen=True)
class Mining:
    """What to sample, and what ranks it.

    Attributes:
        model: folder of the summarizer.
        max_target: most tokens of a summary that it writes.
        pool: documents to sample for.
        sampling: how candidates are drawn.
        tokenizer: tokenizer of the summarizer.
        ranker: the QUALS that ranks.
        folder: keeps finished chunks.
    """

    model: Path
    max_target: int
    pool: Dataset
    sampling: SamplingSettings
    tokenizer: PreTrainedTokenizerBase
    ranker: QualsModel
    folder: Path

    def mined(self, scorer: QualsScorer, workers: Workers = ALONE) -> Mined:
        """Sample and score what is not in the folder yet.

        Args:
            scorer: the ``ranker``, loaded.
            workers: which process computes which chunk.

        Raises:
            ValueError: the model's samples are not summaries.
        """
        model = load(self.model, self.max_target)
        options: dict[str, Any] = {"tokenizer": self.tokenizer, "folder": self.folder, "workers": workers}
        options["source_column"] = "document"
        sampled, summary = mine(model, self.pool, sampling=self.sampling, steps=["sample"], **options)
        scored = {
            ranker: mine(None, sampled, ranker=scorer if ranker == "quals" else ranker, steps=["score"], **options)[0]
            for ranker in RANKERS
        }
        return Mined(scored, None if math.isnan(summary.rouge_l) else summary.rouge_l, self.tokenizer)

    def share(self, processes: int) -> None:
        """Fill the folder with ``processes`` processes.

        Raises:
            Exception: the error of one of them, once all have ended.
        """
        with pool_of(processes) as pool:
            # Each task waits for the others, so that every process takes one.
            futures = [pool.submit(_mine, self, Workers(rank, processes, wait_for_others)) for rank in range(processes)]
            errors = [error for future in futures if (error := future.exception()) is not None]
        for error in sorted(errors, key=lambda error: isinstance(error, BrokenBarrierError)):
            raise error


def _mine(mining: Mining, workers: Workers) -> None:
    try:
        mining.mined(mining.ranker.load(), workers)
    except BaseException:
        release_others()
        raise
