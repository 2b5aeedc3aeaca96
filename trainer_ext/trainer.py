"""The drop-in for Seq2SeqTrainer: mines inaccurate summaries of the model's own, and trains away from them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
from quals import QualsScorer
from torch import Tensor, nn
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainingArguments,
    enable_full_determinism,
    set_seed,
)
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled
from transformers.trainer_utils import get_last_checkpoint

from trainer_ext.candidate_trainer import CandidateSeq2SeqTrainer
from trainer_ext.card import ContrastiveFacts, extend_card
from trainer_ext.card_quality import CardQuality, card_quality
from trainer_ext.collator import Collator
from trainer_ext.dataset import CANDIDATE_LABELS, CANDIDATE_SCORES, as_dataset, brings_candidates
from trainer_ext.evaluation import SummaryQuality
from trainer_ext.losses import ContrastiveLoss
from trainer_ext.mining import Ranker, Workers, mine, require_rankable, resolve_ranker, select_candidates
from trainer_ext.mining.fingerprint import summarizer_fingerprint
from trainer_ext.mle import train_by_likelihood
from trainer_ext.model_state import align_special_tokens, forget_preparation, without_autocast
from trainer_ext.monitor import CollapseWatch, Monitor
from trainer_ext.one_pass import base_model, shared_states

if TYPE_CHECKING:
    from transformers.trainer_utils import TrainOutput

# Trainer.push_to_hub leaves out what begins with an underscore: mined candidates are training data.
_NOTE = "_contrastive.json"
_MINING = "_mining"


class ContrastiveSeq2SeqTrainer(CandidateSeq2SeqTrainer):
    """Seq2SeqTrainer that trains towards target summaries and away from inaccurate candidates (Nan et al. 2021).

    :meth:`train` samples candidates for each training document from the model, ranks them with QUALS, selects documents
    and their worst candidates, and trains on both, with one pass of the encoder for a document's summaries. A training
    set with a column ``candidate_labels`` is used as it is. Evaluation data are never mined.

    ``push_to_hub`` is Trainer's own, which leaves mined candidates out; ``quals publish model`` is the careful way.
    Everything else is Seq2SeqTrainer's. With ``mine_candidates=False`` and no candidates the steps are bit for bit its
    own, but for four mended faults: with gradient accumulation or several ranks, transformers 5 multiplies the loss of
    encoder-decoders by their number; here the loss is the mean over all target tokens of the optimiser step. And with
    ``train_sampling_strategy="group_by_length"`` it evaluates in another order than the data's; here in theirs. And
    several ranks that evaluate before they train drift apart; here they stay together. And where labels are smoothed
    and the collator makes no decoder inputs of them, BART reads its source in their stead; here they are made.

    Args:
        ranker: what ranks candidates: ``"quals"``, ``"rouge"``, a :class:`~quals.QualsScorer`, a loaded evaluate
            metric, or a function ``(sources, summaries, references) -> scores``, higher being better. None: the one
            that the arguments name.
        contrastive_loss: a loss of :mod:`trainer_ext.losses`. None: the one that the arguments name.
        others: as for Seq2SeqTrainer. ``args`` may be plain Seq2SeqTrainingArguments, or
            :class:`~trainer_ext.ContrastiveSeq2SeqTrainingArguments` to change the options. ``processing_class`` is
            needed to mine.

    Attributes:
        mined_dataset: the rows that the last :meth:`train` trained on, candidates included.
        before, after: :class:`~trainer_ext.evaluation.SummaryQuality` around the last training, for the card.

    Raises:
        ValueError: an option is out of range; or, from :meth:`train`, the data or the model cannot be mined.
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
        self.before: SummaryQuality | None = None
        self.after: SummaryQuality | None = None
        self._mining: dict[str, Any] | None = None
        self._ranker_name: str | None = None
        self._scorer: QualsScorer | None = None
        self._fine_tuned = self._trained = False

    def _is_contrastive(self) -> bool:
        return self.train_dataset is not None and (self.options.mine_candidates or self._brings)

    # Before training: likelihood first, mining, measuring.

    def train(
        self,
        resume_from_checkpoint: str | bool | None = None,
        trial: Any = None,
        ignore_keys_for_eval: list[str] | None = None,
    ) -> TrainOutput:
        """Mine, unless the training set brings candidates, then train; arguments as for Seq2SeqTrainer.

        Raises:
            ValueError: the data or the model cannot be mined; the message says why, and what to do.
        """
        if trial is not None:
            self._hp_search_setup(trial)  # Trainer does too, but only after the mining
        self._brings = brings_candidates(self.train_dataset)
        # What an earlier training wrapped, Trainer itself takes up again.
        if self.model_init is None and self.model_wrapped is self.model:
            forget_preparation(self.model)
        if not self._is_contrastive():
            return super().train(resume_from_checkpoint, trial, ignore_keys_for_eval)
        if resume_from_checkpoint is True and get_last_checkpoint(self.args.output_dir) is None:
            resume_from_checkpoint = None  # cut off before the first: what came before goes on by itself
        self._steps, self._collapse = Monitor(self.args.device), CollapseWatch()
        self._trained, self._mining, self._ranker_name = False, None, None
        self.before = self.after = None
        given = self.train_dataset
        self._prepare_model(trial)
        # Found out before the work.
        self._check()
        rows, ranker = self._to_train_on(given)
        quality = self._card_quality()
        self._fine_tune()
        try:
            with without_autocast(self.model):
                weights = summarizer_fingerprint(self.model)
                self.train_dataset = self.mined_dataset = rows if ranker is None else self._mined(rows, ranker)
                if quality is not None:
                    if self.is_world_process_zero():
                        note = Path(self.args.output_dir) / _NOTE
                        self.before = quality.measure_once(self.model, self._quals_scorer(), weights, note)
                    self.accelerator.wait_for_everyone()
            # Dropout must not depend on whether what came before was done by this process or found on disk.
            _seed(self.args)
            # A model that is made anew in training is not the one whose attention would be changed here.
            sharing = shared_states(self.model) if self.model_init is None else nullcontext(False)
            with sharing as self._shared:
                output = super().train(resume_from_checkpoint, trial, ignore_keys_for_eval)
            if quality is not None:
                if self.is_world_process_zero():
                    with without_autocast(self.model):
                        self.after = quality.measure(self.model, self._quals_scorer())
                self.accelerator.wait_for_everyone()
        finally:
            self.train_dataset, self._shared = given, False
        self._trained = True
        return output

    def _prepare_model(self, trial: Any) -> None:
        """The model that is trained, as it is in every process and at every call."""
        if self.model_init is not None:  # Trainer makes it anew, but only after the mining
            if self.options.mle_epochs > 0:
                raise ValueError(
                    "mle_epochs fine-tunes the model, and model_init would make it anew: give the model itself."
                )
            _seed(self.args)
            self.model = self.model_wrapped = self.call_model_init(trial)
            if self.place_model_on_device:
                self._move_model_to_device(self.model, self.args.device)
        align_special_tokens(self.model, self.processing_class)

    def _to_train_on(self, dataset: Any) -> tuple[Any, Ranker | None]:
        """The rows to train on as they were brought; or rows to mine, and what ranks."""
        options = self.options
        if self._brings:
            if options.selection is None:
                self._require_targets(dataset)
                return dataset, None
            dataset = as_dataset(dataset).with_format(None)
            self._require_targets(dataset)
            if CANDIDATE_SCORES not in dataset.column_names:
                raise ValueError(
                    f"selection is {options.selection!r} and the training set has {CANDIDATE_LABELS} without "
                    f"{CANDIDATE_SCORES}: score them first (trainer_ext.mining.score_candidates), or leave selection "
                    "out."
                )
            return select_candidates(dataset, options.selecting()), None
        if self.is_fsdp_enabled or is_deepspeed_zero3_enabled():
            # A rank that generates waits for the weights of ranks that have nothing to generate.
            raise ValueError(
                "Weights split over processes (FSDP, ZeRO-3) cannot be sampled by each on its own: mine first, with "
                "`quals mine` or trainer_ext.mining.mine, and train on its candidate columns."
            )
        dataset, tokenizer = as_dataset(dataset).with_format(None), self._tokenizer()
        if tokenizer is None:
            raise ValueError("Candidates are ranked as texts, and there is no tokenizer: give processing_class.")
        self._require_targets(dataset)
        ranker = self._resolve_ranker()
        require_rankable(
            dataset, tokenizer, ranker, self._source_prefix(), options.source_column, options.reference_column
        )
        return dataset, ranker

    def _require_targets(self, rows: Any) -> None:
        """Refuse rows of which the collator makes no labels; of a stream the first batch tells soon enough."""
        if not isinstance(rows, datasets.Dataset) or "labels" in rows.column_names or not len(rows):
            return
        [row] = self._remove_unused_columns(rows.select([0]), "training")
        if self.data_collator([row]).get("labels") is None:
            raise ValueError(
                "The training set has no labels, so nothing says what to train towards, and no selection makes them of "
                "candidates: add a column 'labels' with the token ids of target summaries."
            )

    def _fine_tune(self) -> None:
        """Train by likelihood, where that was asked for and not done yet."""
        if self.options.mle_epochs > 0 and not self._fine_tuned:
            train_by_likelihood(self, self.options.mle_epochs, self.options.mle_learning_rate)
            self._fine_tuned = True
            forget_preparation(self.model)

    def _mined(self, dataset: datasets.Dataset, ranker: Ranker) -> datasets.Dataset:
        """The selected rows with their candidates."""
        options = self.options
        tokenizer: Any = self._tokenizer()
        self._ranker_name = ranker.name
        rows, summary = mine(
            self.model,
            dataset,
            tokenizer=tokenizer,
            ranker=ranker,
            sampling=options.sampling(self.args.seed, getattr(self.args, "generation_max_length", None)),
            selection=options.selecting(),
            source_prefix=self._source_prefix(),
            source_column=options.source_column,
            reference_column=options.reference_column,
            folder=Path(options.mining_folder or Path(self.args.output_dir) / _MINING),
            workers=Workers.of(self.accelerator),
            max_documents=options.max_mined_documents,
        )
        self._mining = summary.to_dict()
        return rows

    def _resolve_ranker(self) -> Ranker:
        ranker = self.options.ranker if self.ranker is None else self.ranker
        return resolve_ranker(self._quals_scorer() if ranker == "quals" else ranker)

    def _quals_scorer(self) -> QualsScorer:
        """Ranks, and measures for the card; loaded once."""
        if self._scorer is None:
            self._scorer = QualsScorer(self.options.ranker_checkpoint, device=str(self.args.device))
        return self._scorer

    def _tokenizer(self) -> PreTrainedTokenizerBase | None:
        tokenizer = self.processing_class or self.data_collator.tokenizer
        return getattr(tokenizer, "tokenizer", tokenizer)

    def _source_prefix(self) -> str:
        if self.options.mining_source_prefix is not None:
            return self.options.mining_source_prefix
        tasks = getattr(self.model.config, "task_specific_params", None) or {}
        return str(tasks.get("summarization", {}).get("prefix", ""))

    def _card_quality(self) -> CardQuality | None:
        if self.is_fsdp_enabled or is_deepspeed_zero3_enabled():
            return None  # one rank measures, and would wait for the others' weights for ever
        config = copy.deepcopy(self.model.generation_config)
        if getattr(self.args, "generation_max_length", None) is not None:
            config.max_length, config.max_new_tokens = self.args.generation_max_length, None
        if getattr(self.args, "generation_num_beams", None) is not None:
            config.num_beams = self.args.generation_num_beams
        return card_quality(
            self.eval_dataset,
            self.options.card_documents,
            self._tokenizer(),
            config,
            self.options.sampling_batch_tokens,
            self._source_prefix(),
            self.options.source_column,
            self.options.reference_column,
        )

    # The card.

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
        """As Trainer's; once trained, with a part on what was mined, the loss, and QUALS and ROUGE before and after."""
        super().create_model_card(
            language, license, tags, model_name, finetuned_from, tasks, dataset_tags, dataset, dataset_args
        )
        if not self.is_world_process_zero() or not self._trained:
            return
        facts = ContrastiveFacts(
            objective=self._objective,
            mining=self._mining,
            ranker=self._ranker_name,
            before=None if self.before is None else self.before.to_dict(),
            after=None if self.after is None else self.after.to_dict(),
            model_class=type(base_model(self.model)).__name__,
            source_prefix=self._source_prefix(),
        )
        extend_card(Path(self.args.output_dir) / "README.md", facts, dataset or dataset_tags)


def _seed(args: TrainingArguments) -> None:
    """As Trainer does before it makes a model."""
    if args.full_determinism:
        enable_full_determinism(args.seed)
    else:
        set_seed(args.seed)
