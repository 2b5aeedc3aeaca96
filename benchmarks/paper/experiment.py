"""One set from documents to scores: fine-tune, mine, train with each ranker, judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from benchmarks.common.examples import Example, tokenized
from benchmarks.common.judging import Judge, judged
from benchmarks.common.quals_model import QualsModel
from benchmarks.common.ratings import Ratings
from benchmarks.common.summarizers import summarized
from benchmarks.common.variants import Variant
from benchmarks.paper.arms import ARMS, BEST, Arm, Common, Contrastive, Reranked, side_by_side
from benchmarks.paper.cape import Cape, halves
from benchmarks.paper.chosen import chosen_texts
from benchmarks.paper.data import Parts
from benchmarks.paper.mining import RANKERS, Mined
from benchmarks.paper.stages import Settings, fine_tuned, mining, paired_rows, rated_rows, selected_folders, selections
from benchmarks.paper.table import MLE
from trainer_ext.study.statistics import Floats


@dataclass(frozen=True)
class Summarizer:
    """A finished summarizer.

    Attributes:
        method: ``"mle"``, one of :data:`~benchmarks.paper.arms.ARMS`, or its variant as text.
        seed: seed of its training; 0 for ``"mle"``, and for an arm without training.
        folder: folder of its model and summaries.
    """

    method: str
    seed: int
    folder: Path


@dataclass(frozen=True)
class Experiment:
    """What all data sets share.

    Attributes:
        settings: settings of the stages.
        variants: further arms with their settings.
        tokenizer: tokenizer of the summarizers.
        ranker: the QUALS that ranks.
        judges: judges by name.
        processes: number of processes that mine and train.
        arms: arms beside likelihood, of :data:`~benchmarks.paper.arms.ARMS`.
        cape_alpha: how far CaPE goes.
        ratings: by set, ratings of its samples by another judge and their file; a further arm is trained by them.
    """

    settings: Settings
    variants: Mapping[Variant, Settings]
    tokenizer: PreTrainedTokenizerBase
    ranker: QualsModel
    judges: Mapping[str, Judge]
    processes: int
    arms: Sequence[str] = ARMS
    cape_alpha: float = 1.0
    ratings: Mapping[str, tuple[Path, Ratings]] = field(default_factory=dict)

    def trained(self, name: str, parts: Parts) -> list[Summarizer]:
        """All summarizers of a set, likelihood first; their summaries of its test documents are on disk."""
        settings = self.settings
        train, validation = self._tokenized(parts.train), self._tokenized(parts.validation)
        tests = [self._tokenized(some) for some in (parts.test, parts.further) if some]
        leads = self._tokenized(parts.leads) if parts.leads else None
        mle = fine_tuned(settings, name, train, validation, self.tokenizer, leads)
        pool = mining(settings, name, mle, train, self.tokenizer, self.ranker)

        @cache
        def mined() -> Mined:
            if self.processes > 1:
                pool.share(self.processes)
            return pool.mined(self.ranker.load())

        common = Common(settings, name, mle, tests, self.tokenizer, self.ranker)
        arms = self._arms(common, mined)
        side_by_side(arms, self.processes)
        return [Summarizer(MLE, 0, mle)] + [Summarizer(arm.method, arm.seed, arm.folder) for arm in arms]

    def _arms(self, common: Common, mined: Callable[[], Mined]) -> list[Arm]:
        settings, name, seeds = self.settings, common.name, self.settings.seeds
        arms: list[Arm] = []
        for ranker in [ranker for ranker in RANKERS if ranker in self.arms]:
            rows = selections(settings, name, mined)[ranker]
            arms += [Contrastive(common, ranker, seed, ranker, rows, settings) for seed in seeds]
        if "pairs" in self.arms:
            rows = paired_rows(settings, name, mined)
            arms += [Contrastive(common, "pairs", seed, "pairs", rows, settings) for seed in seeds]
        if "best" in self.arms:
            best = settings.varied(BEST)
            rows = selections(best, name, mined, BEST)["quals"]
            arms += [Contrastive(common, "best", seed, "quals", rows, best, BEST) for seed in seeds]
        if "rerank" in self.arms:
            arms.append(Reranked(common, "rerank", 0))
        if "cape" in self.arms:
            both = halves(settings, name, mined)
            arms += [Cape(common, "cape", seed, both, self.cape_alpha) for seed in seeds]
        if name in self.ratings:
            rows = rated_rows(settings, name, mined, *self.ratings[name])
            ranker = rows.name.removeprefix("selected-")  # other ratings train other models
            arms += [Contrastive(common, "rated", seed, ranker, rows, settings) for seed in seeds]
        for variant, varied in self.variants.items():
            rows = selections(varied, name, mined, variant)["quals"]
            arms.append(Contrastive(common, str(variant), seeds[0], "quals", rows, varied, variant))
        return arms

    def judged(
        self, name: str, summarizers: Sequence[Summarizer], test: Sequence[Example]
    ) -> tuple[dict[str, dict[str, Floats]], list[dict[str, object]]]:
        """By method and judge: scores, ``(seeds, documents)``; and one row per summary."""
        documents = self._tokenized(test)
        by_method: dict[str, list[dict[str, Floats]]] = {}
        rows: list[dict[str, object]] = []
        for summarizer in summarizers:
            texts = self._summaries(summarizer.folder, documents)
            scores = self._scores(name, texts, test)
            by_method.setdefault(summarizer.method, []).append(scores)
            arm = {"set": name, "method": summarizer.method, "seed": summarizer.seed}
            rows += [arm | row for row in _rows(texts, scores)]
        by_seed = {
            method: {judge: np.stack([seed[judge] for seed in seeds]) for judge in self.judges}
            for method, seeds in by_method.items()
        }
        return by_seed, rows

    def chosen(
        self, name: str, train: Sequence[Example], documents: int
    ) -> tuple[dict[str, Floats], dict[str, tuple[dict[str, Floats], dict[str, Floats]]]]:
        """Judge documents that both rankers selected.

        Args:
            name: the set's name.
            train: its training documents.
            documents: most documents to judge.

        Returns:
            Scores of the summaries by likelihood, and by ranker the scores of its targets and of its negatives; both
            empty if the rankers share no document.
        """
        examples, texts = chosen_texts(selected_folders(self.settings, name), train, documents, self.tokenizer)
        if not examples:
            return {}, {}
        mle = self.settings.work / name / "mle"
        written = self._summaries(mle, self._tokenized(examples))
        return self._scores(name, written, examples), {
            ranker: (self._scores(name, targets, examples), self._scores(name, negatives, examples))
            for ranker, (targets, negatives) in texts.items()
        }

    def _summaries(self, folder: Path, documents: Dataset) -> list[str]:
        return summarized(folder, documents, self.tokenizer, self.settings.max_target)

    def _scores(self, name: str, texts: Sequence[str], examples: Sequence[Example]) -> dict[str, Floats]:
        return judged(self.judges, texts, examples, self.settings.work / name / "scores")

    def _tokenized(self, examples: Sequence[Example]) -> Dataset:
        settings = self.settings
        return tokenized(examples, self.tokenizer, settings.max_source, settings.max_target, settings.prefix)


def _rows(texts: Sequence[str], scores: Mapping[str, Floats]) -> Iterator[dict[str, object]]:
    for place, text in enumerate(texts):
        known = {key: float(values[place]) if np.isfinite(values[place]) else None for key, values in scores.items()}
        yield {"document": place, "summary": text} | known
