"""The drop-in for Seq2SeqTrainer: mines inaccurate summaries of the model's own, and trains away from them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
from quals import QualsScorer
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainingArguments, trainer_utils
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

from trainer_ext.arguments import make_sampling, make_selection
from trainer_ext.candidate_trainer import CandidateSeq2SeqTrainer
from trainer_ext.card import CardQuality, ContrastiveFacts, card_quality, decoding_config, extend_card
from trainer_ext.checks import (
    as_checkpoint,
    check_batch,
    check_metrics,
    check_model_init,
    check_scores,
    check_whole_weights,
    usable_checkpoint,
)
from trainer_ext.collator import Collator
from trainer_ext.dataset import as_dataset, has_candidates
from trainer_ext.evaluation import SummaryQuality
from trainer_ext.io.processes import send_weights
from trainer_ext.io.progress import inform
from trainer_ext.losses import ContrastiveLoss
from trainer_ext.mining import (
    MiningSummary,
    Ranker,
    Workers,
    mine,
    require_rankable,
    resolve_ranker,
    select_candidates,
    source_prefix_of,
)
from trainer_ext.mining.fingerprint import summarizer_fingerprint
from trainer_ext.mle import train_by_likelihood
from trainer_ext.model_state import forget_preparation, seed_everything, without_autocast
from trainer_ext.monitor import CollapseWatch, Monitor
from trainer_ext.one_pass import base_model, shared_states

if TYPE_CHECKING:
    from transformers.trainer_utils import TrainOutput

# Trainer.push_to_hub leaves out what begins with an underscore: mined candidates are training data.
_NOTE = "_contrastive.json"
_MINING = "_mining"


class ContrastiveSeq2SeqTrainer(CandidateSeq2SeqTrainer):
    """Seq2SeqTrainer that trains towards target summaries and away from inaccurate candidates (Nan et al. 2021).

    :meth:`train` samples candidates for each training document from the model, ranks them with QUALS, and selects
    documents with their worst candidates. It then trains on both, with one encoder pass per document. A training set
    with a column ``candidate_labels`` is used as it is. Evaluation sets are never mined.

    Everything else is Seq2SeqTrainer's. With ``mine_candidates=False`` and no candidates, the steps are its own bit for
    bit, apart from four faults that are mended here:

    - Gradient accumulation and several ranks do not multiply the loss of an encoder-decoder.
    - ``train_sampling_strategy="group_by_length"`` does not change the order of evaluation.
    - Ranks that evaluate before they train do not drift apart.
    - With smoothed labels the decoder always reads the target, whatever the collator knows of the model.

    Args:
        ranker: what ranks candidates: ``"quals"``, ``"rouge"``, ``"word_pairs"``, a :class:`~quals.QualsScorer`, a
            loaded evaluate metric, or a function ``(sources, summaries, references) -> scores``, where higher is
            better. None is the ranker that the arguments name.
        contrastive_loss: a loss object of :mod:`trainer_ext.losses`; None is the loss that the arguments name.
        others: as for Seq2SeqTrainer. ``args`` are :class:`~trainer_ext.ContrastiveSeq2SeqTrainingArguments`, or plain
            Seq2SeqTrainingArguments, for which the options have their defaults. Mining needs ``processing_class``.

    Attributes:
        mined_dataset: the rows that the last :meth:`train` trained on, with their candidates.
        mining_summary: what the last mining found, in numbers; None if nothing was mined.
        quality_before, quality_after: :class:`~trainer_ext.evaluation.SummaryQuality` around the last training, on the
            first rank; None if it was not measured.

    Raises:
        ValueError: an option is out of range; from :meth:`train`, the data or the model cannot be mined.
    """

    def __init__(
        self,
        model: PreTrainedModel | nn.Module | None = None,
        args: TrainingArguments | None = None,
        data_collator: Collator | None = None,
        train_dataset: Any = None,
        eval_dataset: Any = None,
        processing_class: Any = None,
        model_init: Callable[..., PreTrainedModel] | None = None,
        compute_loss_func: Callable[..., Tensor] | None = None,
        *others: Any,
        ranker: Any = None,
        contrastive_loss: ContrastiveLoss | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            model,
            args,
            data_collator,
            train_dataset,
            eval_dataset,
            processing_class,
            model_init,
            compute_loss_func,
            *others,
            contrastive_loss=contrastive_loss,
            **kwargs,
        )
        self.ranker = ranker
        self.mined_dataset: datasets.Dataset | None = None
        self.mining_summary: MiningSummary | None = None
        self.quality_before: SummaryQuality | None = None
        self.quality_after: SummaryQuality | None = None
        self._scorer: QualsScorer | None = None
        self._fingerprint: str | None = None
        self._fine_tuned = self._trained = False
        self._workers: Any = None  # made by the first training, in all processes together

    def _is_contrastive(self) -> bool:
        return self.train_dataset is not None and (self.options.mine_candidates or self._has_candidates)

    def train(
        self,
        resume_from_checkpoint: str | bool | None = None,
        trial: Any = None,
        ignore_keys_for_eval: list[str] | None = None,
    ) -> TrainOutput:
        """Mine, unless the training set has candidates, and train. The arguments are those of Seq2SeqTrainer.

        In this order:

        1. Check the model, the data, the ranker and the checkpoint, so that nothing fails after hours of work.
        2. Fine-tune by likelihood, if ``mle_epochs`` is above 0 (:mod:`trainer_ext.mle`).
        3. Mine: sample candidates, score them, select documents (:func:`trainer_ext.mining.mine`).
        4. Measure QUALS and ROUGE of the model's summaries, for the card (:mod:`trainer_ext.card.quality`).
        5. Train with Seq2SeqTrainer's own loop, whose steps are ``compute_loss`` of
           :class:`~trainer_ext.candidate_trainer.CandidateSeq2SeqTrainer`.
        6. Measure again.

        Steps 2 to 4 are kept on disk, so that an interrupted run resumes there.

        Raises:
            ValueError: mining is impossible, or WORLD_SIZE tells of unknown processes; the message says what to do.
        """
        self._begin_training(trial)
        resume_from_checkpoint = as_checkpoint(resume_from_checkpoint)
        if not self._is_contrastive():
            return super().train(resume_from_checkpoint, trial, ignore_keys_for_eval)
        given = self.train_dataset
        self._workers = self._workers or Workers.of(self.accelerator)
        self._prepare_model(trial)
        self._check()
        if self.args.eval_strategy != "no":
            check_metrics(self.compute_metrics, self.args)
        resume_from_checkpoint = usable_checkpoint(resume_from_checkpoint, self.args.output_dir)
        rows, ranker = self._rows_and_ranker(given)
        card = self._card_quality()
        self._fine_tune()
        self._fingerprint = None  # of the weights that are mined and measured, computed once
        try:
            self.train_dataset = self.mined_dataset = rows if ranker is None else self._mine(rows, ranker)
            self.quality_before = self._measure(card, before=True)
            output = self._train_on_candidates(resume_from_checkpoint, trial, ignore_keys_for_eval)
            self.quality_after = self._measure(card, before=False)
        finally:
            self.train_dataset = given
        self._trained = True
        return output

    def _begin_training(self, trial: Any) -> None:
        """Forget what an earlier training left, and read the options and the training set again."""
        if trial is not None:
            self._hp_search_setup(trial)  # Trainer does this too, but only after the mining
        self._has_candidates = has_candidates(self.train_dataset)
        # A model that an earlier training wrapped is used again by Trainer itself.
        if self.model_init is None and self.model_wrapped is self.model:
            forget_preparation(self.model)
        self._steps, self._collapse = Monitor(self.args.device), CollapseWatch()
        self._trained, self.mining_summary = False, None
        self.quality_before = self.quality_after = None

    # 1. What is checked before the work.

    def _prepare_model(self, trial: Any) -> None:
        """Make the model the same one in every process and at every call."""
        if self.model_init is not None:  # Trainer makes it anew, but only after the mining
            check_model_init(self.options.mle_epochs)
            seed_everything(self.args)
            self.model = self.model_wrapped = self.call_model_init(trial)
            if self.place_model_on_device:
                self._move_model_to_device(self.model, self.args.device)
        if self.processing_class is not None and hasattr(self.model, "config"):
            # Trainer's loop does this too; candidates depend on it, so a resumed run must see the same tokens.
            trainer_utils.align_special_tokens(self.model, self.processing_class)
        send_weights(self)

    def _rows_and_ranker(self, dataset: Any) -> tuple[Any, Ranker | None]:
        """The rows to train on and None, if they have candidates; else the rows to mine, and the ranker."""
        options = self.options
        if self._has_candidates:
            check_batch(dataset, self._first_batch, mines=False)
            if options.selection is None:
                return dataset, None
            dataset = as_dataset(dataset).with_format(None)
            check_scores(dataset, options.selection)
            return select_candidates(dataset, make_selection(options)), None
        check_whole_weights(self.is_fsdp_enabled or is_deepspeed_zero3_enabled())
        dataset, tokenizer = as_dataset(dataset).with_format(None), self._tokenizer()
        if tokenizer is None:
            raise ValueError("Candidates are ranked as texts, and there is no tokenizer: give processing_class.")
        check_batch(dataset, self._first_batch, mines=True)
        ranker = self._resolve_ranker()
        require_rankable(
            dataset, tokenizer, ranker, self._source_prefix(), options.source_column, options.reference_column
        )
        return dataset, ranker

    def _first_batch(self, rows: datasets.Dataset) -> Any:
        return self.data_collator(list(self._remove_unused_columns(rows, "training")))

    # 2. to 5. Fine-tuning, mining, training.

    def _fine_tune(self) -> None:
        """Train by likelihood, if the options say so and it has not been done yet."""
        if self.options.mle_epochs > 0 and not self._fine_tuned:
            train_by_likelihood(self, self.options.mle_epochs, self.options.mle_learning_rate)
            self._fine_tuned = True
            forget_preparation(self.model)

    def _mine(self, dataset: datasets.Dataset, ranker: Ranker) -> datasets.Dataset:
        """The selected rows with their candidates."""
        options = self.options
        tokenizer: Any = self._tokenizer()
        with without_autocast(self.model):
            rows, self.mining_summary = mine(
                self.model,
                dataset,
                tokenizer=tokenizer,
                ranker=ranker,
                sampling=make_sampling(options, self.args.seed, getattr(self.args, "generation_max_length", None)),
                selection=make_selection(options),
                source_prefix=self._source_prefix(),
                source_column=options.source_column,
                reference_column=options.reference_column,
                folder=Path(options.mining_folder or Path(self.args.output_dir) / _MINING),
                workers=self._workers,
                max_documents=options.max_mined_documents,
                fingerprint=self._model_fingerprint(),
            )
        return rows

    def _model_fingerprint(self) -> str:
        self._fingerprint = self._fingerprint or summarizer_fingerprint(self.model)
        return self._fingerprint

    def _train_on_candidates(
        self, resume_from_checkpoint: str | bool | None, trial: Any, ignore_keys_for_eval: list[str] | None
    ) -> TrainOutput:
        if self.is_world_process_zero():
            inform(f"Training: {self.training_objective.explanation()}")
        # Dropout must not depend on whether this process did the work before, or found it on disk.
        seed_everything(self.args)
        # With model_init, Trainer replaces the model whose attention would be changed here.
        sharing = shared_states(self.model) if self.model_init is None else nullcontext(False)
        try:
            with sharing as self._shares_encoder_states:
                return super().train(resume_from_checkpoint, trial, ignore_keys_for_eval)
        finally:
            self._shares_encoder_states = False

    def _resolve_ranker(self) -> Ranker:
        ranker = self.options.ranker if self.ranker is None else self.ranker
        return resolve_ranker(self._quals_scorer() if ranker == "quals" else ranker)

    def _quals_scorer(self) -> QualsScorer:
        """The scorer that ranks and that measures for the card, loaded once."""
        if self._scorer is None:
            self._scorer = QualsScorer(self.options.ranker_checkpoint, device=str(self.args.device))
        return self._scorer

    def _tokenizer(self) -> PreTrainedTokenizerBase | None:
        tokenizer = self.processing_class or self.data_collator.tokenizer
        return getattr(tokenizer, "tokenizer", tokenizer)

    def _source_prefix(self) -> str:
        if self.options.mining_source_prefix is not None:
            return self.options.mining_source_prefix
        return source_prefix_of(self.train_dataset, self._tokenizer(), self.model)

    # 4., 6. and the card.

    def _card_quality(self) -> CardQuality | None:
        """What to measure for the card; None for nothing."""
        if self.is_fsdp_enabled or is_deepspeed_zero3_enabled():
            return None  # the one rank that measures would wait forever for the weights of the others
        generation = decoding_config(self.model, self.args)
        return card_quality(self.eval_dataset, self.options, self._tokenizer(), generation, self._source_prefix())

    def _measure(self, card: CardQuality | None, before: bool) -> SummaryQuality | None:
        """What the first rank measures while the others wait; None on the others."""
        if card is None:
            return None
        quality = None
        if self.is_world_process_zero():
            with without_autocast(self.model):
                if before:
                    note = Path(self.args.output_dir) / _NOTE
                    quality = card.measure_once(self.model, self._quals_scorer(), self._model_fingerprint(), note)
                else:
                    quality = card.measure(self.model, self._quals_scorer())
        self._workers.wait()
        return quality

    def create_model_card(
        self,
        language: str | None = None,
        license: str | None = None,
        tags: str | list[str] | None = None,
        model_name: str | None = None,
        finetuned_from: str | None = None,
        tasks: str | list[str] | None = None,
        dataset_tags: str | list[str] | None = None,
        dataset: str | list[str] | None = None,
        dataset_args: str | list[str] | None = None,
    ) -> None:
        """Write Trainer's card. After a training it also has what was mined, the loss, and QUALS and ROUGE."""
        super().create_model_card(
            language, license, tags, model_name, finetuned_from, tasks, dataset_tags, dataset, dataset_args
        )
        if not self.is_world_process_zero() or not self._trained:
            return
        facts = ContrastiveFacts(
            objective=self.training_objective,
            mining=self.mining_summary,
            quality_before=self.quality_before,
            quality_after=self.quality_after,
            model_class=type(base_model(self.model)).__name__,
            source_prefix=self._source_prefix(),
        )
        extend_card(Path(self.args.output_dir) / "README.md", facts, dataset or dataset_tags)
