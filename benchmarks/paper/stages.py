"""The stages that a data set's arms share: likelihood, one pool of candidates, two selections.

Each stage is done once, and resumes after a kill.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from datasets import Dataset
from transformers import EarlyStoppingCallback, PreTrainedTokenizerBase

from benchmarks.common.quals_model import QualsModel
from benchmarks.common.ratings import Ratings, rated, ratings_hash
from benchmarks.common.summarizers import load, stage_arguments, train_stage
from benchmarks.common.variants import Variant
from benchmarks.common.work_folder import DONE, finish
from benchmarks.paper.mining import RANKERS, Mined, Mining
from trainer_ext import ContrastiveSeq2SeqTrainer
from trainer_ext.mining import SamplingSettings, Selection, random_documents, score_candidates, select_candidates

AS_IT_IS = Variant()
SELECTIONS = ("paper", "per_document")


@dataclass(frozen=True)
class Settings:
    """What an experiment is made with.

    Attributes:
        model: model to fine-tune.
        work: folder of checkpoints, candidates and summaries, with one folder per data set.
        mle_epochs: most passes of fine-tuning, which stops after a pass without a lower validation loss. 0 takes the
            model as it is.
        mle_learning_rate: learning rate of fine-tuning.
        lead_epochs: passes over articles' first sentences before it, where there are any.
        documents: most documents to sample candidates for.
        temperature: sampling temperature; below 1 is more cautious.
        selection: ``paper`` trains towards references, on documents selected by either side's score. ``per_document``
            ranks samples only and trains towards the best one, on every document whose samples differ in score.
        fraction: for ``paper``, the share of documents that QUALS selects on either side; ROUGE selects as many.
        negatives: number of worst samples per document to train away from.
        epochs, learning_rate, loss, weight: of the contrastive training.
        seeds: each ranker's arm is trained once with each.
        batch: documents per step.
        max_source, max_target: most tokens of a document and of a summary.
        prefix: text that the model expects before a document.
    """

    model: str
    work: Path
    mle_epochs: float = 10.0
    mle_learning_rate: float = 3e-4
    lead_epochs: float = 1.0
    documents: int = 1500
    temperature: float = 1.0
    selection: Literal["paper", "per_document"] = "paper"
    fraction: float = 0.3
    negatives: int = 1
    epochs: float = 2.0
    learning_rate: float = 3e-5
    loss: str = "unlikelihood"
    weight: float = 1.0
    seeds: tuple[int, ...] = (17, 18, 19)
    batch: int = 8
    max_source: int = 400
    max_target: int = 64
    prefix: str = ""

    @property
    def sampling(self) -> SamplingSettings:
        """How candidates are sampled."""
        return SamplingSettings(
            temperature=self.temperature, max_length=self.max_target, batch_tokens=32768, seed=self.seeds[0]
        )

    def varied(self, variant: Variant) -> Settings:
        """These settings with a variant's changes of the contrastive stage.

        Raises:
            ValueError: its selection is unknown here.
        """
        changes = {name: value for name, value in asdict(variant).items() if value is not None}
        if "selection" in changes:
            names = {"two_sided": "paper", "per_document": "per_document"}
            if changes["selection"] not in names:
                raise ValueError(f"--variant has selection={changes['selection']}: give one of {', '.join(names)}.")
            changes["selection"] = names[changes["selection"]]
        return replace(self, **changes)


def fine_tuned(
    settings: Settings,
    name: str,
    train: Dataset,
    validation: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    leads: Dataset | None = None,
) -> Path:
    """The summarizer that all arms start from, trained by likelihood until the validation loss stops falling.

    With ``leads`` (articles with their first sentences), it is trained on those first.
    """
    model: str | Path = settings.model
    if leads is not None:
        folder = settings.work / name / "leads"
        model = _by_likelihood(settings, model, folder, leads, validation, tokenizer, settings.lead_epochs)
    folder = settings.work / name / "mle"
    return _by_likelihood(settings, model, folder, train, validation, tokenizer, settings.mle_epochs)


def _by_likelihood(
    settings: Settings,
    model: str | Path,
    folder: Path,
    train: Dataset,
    validation: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    epochs: float,
) -> Path:
    if (folder / DONE).is_file():
        return folder
    if not epochs:
        load(model, settings.max_target).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        finish(folder, {"steps": 0})
        return folder
    arguments = stage_arguments(
        folder,
        settings.batch,
        settings.seeds[0],
        num_train_epochs=epochs,
        learning_rate=settings.mle_learning_rate,
        eval_strategy="epoch",
        save_strategy="epoch",
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        save_total_limit=2,
    )
    trainer = ContrastiveSeq2SeqTrainer(
        load(model, settings.max_target),
        arguments,
        train_dataset=train,
        eval_dataset=validation,
        processing_class=tokenizer,
        callbacks=[EarlyStoppingCallback(1)],
    )
    train_stage(trainer, folder, {"documents": len(train)})
    return folder


def selected_folders(settings: Settings, name: str, variant: Variant = AS_IT_IS) -> dict[str, Path]:
    """By ranker: the folder of the rows that it selects."""
    return {ranker: settings.work / name / named(f"selected-{ranker}", variant) for ranker in RANKERS}


def mining(
    settings: Settings, name: str, mle: Path, train: Dataset, tokenizer: PreTrainedTokenizerBase, ranker: QualsModel
) -> Mining:
    """The one pool of candidates, which all rankers and variants share."""
    pool = random_documents(train, settings.documents, settings.seeds[0])
    folder = settings.work / name / "mining"
    return Mining(mle, settings.max_target, pool, settings.sampling, tokenizer, ranker, folder)


def selections(
    settings: Settings, name: str, mined: Callable[[], Mined], variant: Variant = AS_IT_IS
) -> dict[str, Path]:
    """By ranker: the folder of the rows that it selects; ``mined`` is called only if one is missing."""
    folders = selected_folders(settings, name, variant)
    if all((folder / DONE).is_file() for folder in folders.values()):
        return folders
    pool = mined()
    for ranker, rows in chosen_rows(settings, pool).items():
        rows.save_to_disk(str(folders[ranker]))
        documents = len(pool.scored[ranker])
        finish(folders[ranker], {"documents": documents, "selected": len(rows), "sample_rouge_l": pool.rouge_l})
    return folders


def rated_rows(settings: Settings, name: str, mined: Callable[[], Mined], path: Path, ratings: Ratings) -> Path:
    """The folder of what another judge's ratings of the pool select, per document and among samples alone.

    Raises:
        ValueError: the file rates no sample of the pool, or rates all samples of each document alike.
    """
    folder = settings.work / name / f"selected-rated-{ratings_hash(ratings)}"
    if (folder / DONE).is_file():
        return folder
    pool = mined()
    scored = rated(pool.scored["quals"], pool.tokenizer, ratings, path)
    return _keep_best(settings, scored, pool.tokenizer, folder)


def paired_rows(settings: Settings, name: str, mined: Callable[[], Mined]) -> Path:
    """The folder of what the share of the document's word pairs selects, per document and among samples alone."""
    folder = settings.work / name / "selected-pairs"
    if (folder / DONE).is_file():
        return folder
    pool = mined()
    samples, tokenizer = pool.scored["quals"], pool.tokenizer
    scored = score_candidates(samples, "word_pairs", tokenizer, source_column="document", progress=False)
    return _keep_best(settings, scored, tokenizer, folder)


def _keep_best(settings: Settings, scored: Dataset, tokenizer: PreTrainedTokenizerBase | None, folder: Path) -> Path:
    rows = select_candidates(scored, _per_document(settings), tokenizer=tokenizer)
    rows.save_to_disk(str(folder))
    finish(folder, {"documents": len(scored), "selected": len(rows)})
    return folder


def _per_document(settings: Settings) -> Selection:
    # A reference has the highest ROUGE against itself: with it, ROUGE could not choose a sample as a target.
    return Selection(rule="per_document", num_negatives=settings.negatives, references=False)


def chosen_rows(settings: Settings, pool: Mined) -> dict[str, Dataset]:
    """The rows that each ranker selects by its scores of one pool.

    Wordless samples, and those that differ from the reference in case and typography alone, are never trained on.

    Raises:
        ValueError: no row is left.
    """
    scored, tokenizer = pool.scored, pool.tokenizer
    if settings.selection == "per_document":
        best = _per_document(settings)
        return {ranker: select_candidates(rows, best, tokenizer=tokenizer) for ranker, rows in scored.items()}
    sides = Selection(fraction=settings.fraction, num_negatives=settings.negatives)
    chosen = {"quals": select_candidates(scored["quals"], sides, tokenizer=tokenizer)}
    # One-sided selection keeps 1 - (1 - fraction)^2 of the documents: as many as QUALS's two sides together.
    share = len(chosen["quals"]) / len(scored["quals"])
    one_sided = replace(sides, rule="one_sided", fraction=1 - (1 - share) ** 0.5)
    chosen["rouge"] = select_candidates(scored["rouge"], one_sided, needs_reference=True, tokenizer=tokenizer)
    return chosen


def named(part: str, variant: Variant) -> str:
    """The name of a variant's folder."""
    return part if variant == AS_IT_IS else f"{part}-{variant}"
