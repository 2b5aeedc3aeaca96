"""The stages of one data set: likelihood, one pool of candidates, two selections, an arm for each ranker and seed.

Each is done once, and goes on where it was killed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from datasets import Dataset, load_from_disk
from transformers import EarlyStoppingCallback, PreTrainedTokenizerBase

from benchmarks.common.variants import Variant
from benchmarks.common.work_folder import DONE, finish, texts_hash
from benchmarks.one_run.stages import Settings as Decoding
from benchmarks.one_run.stages import load, summarized
from benchmarks.paper.mining import RANKERS, Mined, Mining
from benchmarks.paper.processes import pool_of
from trainer_ext import ContrastiveSeq2SeqTrainer, ContrastiveSeq2SeqTrainingArguments
from trainer_ext.dataset import REFERENCE_SCORE
from trainer_ext.mining import SamplingSettings, Selection, random_documents, select_candidates
from trainer_ext.recipes.checkpoints import last_whole_checkpoint

AS_IT_IS = Variant()
SELECTIONS = ("paper", "per_document")


@dataclass(frozen=True)
class Settings:
    """Of the whole experiment.

    Attributes:
        model: where fine-tuning starts.
        work: folder of checkpoints, candidates and summaries, one below it for each data set.
        mle_epochs: passes at most; training stops when the validation loss did not fall in a pass. 0 takes the model
            as it is.
        mle_learning_rate: of the fine-tuning.
        lead_epochs: passes over articles' first sentences before it, where there are such.
        documents: that candidates are sampled for, at most.
        temperature: of the sampling; below 1 is more cautious.
        selection: ``paper`` trains towards references, on documents selected by either side's score;
            ``per_document`` towards the best of a document's samples, which are all that is ranked, on every document
            whose samples differ in score.
        fraction: of documents selected by QUALS on either side; ROUGE's selection is as large. For ``paper``.
        negatives: worst samples of a document that are trained away from.
        epochs, learning_rate, loss, weight: of the contrastive training.
        seeds: of the contrastive training, which each ranker's arm is repeated with.
        batch: documents in a step.
        max_source, max_target: tokens.
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

    def varied(self, variant: Variant) -> Settings:
        """These settings with a variant's changes of the contrastive stage.

        Raises:
            ValueError: its selection is none of this experiment's.
        """
        changes = {name: value for name, value in asdict(variant).items() if value is not None}
        if "selection" in changes:
            names = {"two_sided": "paper", "per_document": "per_document"}
            if changes["selection"] not in names:
                raise ValueError(f"--variant has selection={changes['selection']}: give one of {', '.join(names)}.")
            changes["selection"] = names[changes["selection"]]
        return replace(self, **changes)

    def decoding(self) -> Decoding:
        """What :func:`benchmarks.one_run.stages.load` wants to know."""
        return Decoding(self.model, self.work, max_target=self.max_target)


def fine_tuned(
    settings: Settings,
    name: str,
    train: Dataset,
    validation: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    leads: Dataset | None = None,
) -> Path:
    """The summarizer that all arms start from, trained by likelihood until the validation loss stops falling.

    With ``leads``, articles with their first sentences, it learns from them before.
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
        load(model, settings.decoding()).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        finish(folder, {"steps": 0})
        return folder
    arguments = _arguments(
        settings,
        folder,
        seed=settings.seeds[0],
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
        load(model, settings.decoding()),
        arguments,
        train_dataset=train,
        eval_dataset=validation,
        processing_class=tokenizer,
        callbacks=[EarlyStoppingCallback(1)],
    )
    _train(trainer, folder, {"documents": len(train)})
    return folder


def selected_folders(settings: Settings, name: str, variant: Variant = AS_IT_IS) -> dict[str, Path]:
    """For each ranker the folder of the rows that it selects, or will."""
    return {ranker: settings.work / name / _named(f"selected-{ranker}", variant) for ranker in RANKERS}


def mining(
    settings: Settings, name: str, mle: Path, train: Dataset, tokenizer: PreTrainedTokenizerBase, ranker_dtype: str
) -> Mining:
    """The one pool of candidates, that all rankers and variants share."""
    sampling = SamplingSettings(
        temperature=settings.temperature,
        max_length=settings.max_target,
        batch_tokens=32768,
        seed=settings.seeds[0],
    )
    pool = random_documents(train, settings.documents, settings.seeds[0])
    folder = settings.work / name / "mining"
    return Mining(mle, settings.decoding(), pool, sampling, tokenizer, ranker_dtype, folder)


def selections(
    settings: Settings, name: str, mined: Callable[[], Mined], variant: Variant = AS_IT_IS
) -> dict[str, Path]:
    """For each ranker the folder of the rows that it selects of what was mined, if it is not there already."""
    folders = selected_folders(settings, name, variant)
    if all((folder / DONE).is_file() for folder in folders.values()):
        return folders
    found = mined()
    for ranker, rows in chosen_rows(settings, found.scored).items():
        rows.save_to_disk(str(folders[ranker]))
        documents = len(found.scored[ranker])
        finish(folders[ranker], {"documents": documents, "selected": len(rows), "sample_rouge_l": found.rouge_l})
    return folders


def chosen_rows(settings: Settings, scored: dict[str, Dataset]) -> dict[str, Dataset]:
    """What each ranker selects from its scores of one pool.

    Raises:
        ValueError: nothing is left.
    """
    if settings.selection == "per_document":
        # Against itself a reference has the highest ROUGE there is: with it, ROUGE could choose no sample as a target.
        samples = {
            ranker: rows.remove_columns(list({REFERENCE_SCORE} & set(rows.column_names)))
            for ranker, rows in scored.items()
        }
        best = Selection(rule="per_document", num_negatives=settings.negatives)
        return {ranker: select_candidates(rows, best) for ranker, rows in samples.items()}
    sides = Selection(fraction=settings.fraction, num_negatives=settings.negatives)
    chosen = {"quals": select_candidates(scored["quals"], sides)}
    # One-sided selection keeps 1 - (1 - fraction)^2 of the documents: as many as QUALS's two sides together.
    share = len(chosen["quals"]) / len(scored["quals"])
    one_sided = replace(sides, rule="one_sided", fraction=1 - (1 - share) ** 0.5)
    chosen["rouge"] = select_candidates(scored["rouge"], one_sided, needs_reference=True)
    return chosen


def summaries(settings: Settings, folder: Path, test: Dataset, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """The model's summaries of test documents, generated once."""
    name = f"summaries-{texts_hash(test['document'][:])[:12]}"
    return summarized(settings.decoding(), folder, test, tokenizer, name)


@dataclass(frozen=True)
class Arm:
    """A contrastive training: which ranker's rows, with which seed; the rest is what all arms of a set share."""

    settings: Settings
    name: str
    ranker: str
    seed: int
    mle: Path
    selected: Path
    tests: Sequence[Dataset]
    tokenizer: PreTrainedTokenizerBase
    variant: Variant = AS_IT_IS

    @property
    def folder(self) -> Path:
        """Where its model and summaries are."""
        return self.settings.work / self.name / _named(f"{self.ranker}-{self.seed}", self.variant)


def trained_and_summarized(arm: Arm) -> None:
    """Fill the arm's folder with its model and its summaries of all test documents."""
    contrastive(arm)
    for test in arm.tests:
        summaries(arm.settings, arm.folder, test, arm.tokenizer)


def contrastive(arm: Arm) -> None:
    """Train the arm's model towards the targets of the selected rows and away from their worst candidates."""
    settings = arm.settings
    if (arm.folder / DONE).is_file():
        return
    rows = load_from_disk(str(arm.selected))
    assert isinstance(rows, Dataset)
    arguments = _arguments(
        settings,
        arm.folder,
        seed=arm.seed,
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        contrastive_loss=settings.loss,
        contrastive_weight=settings.weight,
        save_steps=200,
        save_total_limit=1,
    )
    trainer = ContrastiveSeq2SeqTrainer(
        load(arm.mle, settings.decoding()), arguments, train_dataset=rows, processing_class=arm.tokenizer
    )
    _train(trainer, arm.folder, {"documents": len(rows)})


def side_by_side(arms: Sequence[Arm], processes: int) -> None:
    """Make the arms, so many at a time, each with its share of the threads."""
    if processes == 1:
        for arm in arms:
            trained_and_summarized(arm)
        return
    with pool_of(processes) as pool:
        list(pool.map(trained_and_summarized, arms))


def _named(part: str, variant: Variant) -> str:
    return part if variant == AS_IT_IS else f"{part}-{variant}"


def _arguments(settings: Settings, folder: Path, **options: Any) -> ContrastiveSeq2SeqTrainingArguments:
    return ContrastiveSeq2SeqTrainingArguments(
        output_dir=str(folder),
        lr_scheduler_type="linear",
        warmup_steps=50,
        per_device_train_batch_size=settings.batch,
        per_device_eval_batch_size=settings.batch,
        label_smoothing_factor=0.1,
        train_sampling_strategy="group_by_length",
        bf16=True,
        use_cpu=not torch.cuda.is_available(),
        logging_steps=20,
        report_to="none",
        card_documents=0,
        mine_candidates=False,
        **options,
    )


def _train(trainer: ContrastiveSeq2SeqTrainer, folder: Path, note: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with redirect_stdout(sys.stderr):  # where Trainer logs; standard output is for the report
        result = trainer.train(last_whole_checkpoint(folder))
    trainer.save_model(str(folder))
    history = [entry for entry in trainer.state.log_history if "loss" in entry or "eval_loss" in entry]
    note = {**note, "steps": result.global_step, "log": history}
    finish(folder, note)
