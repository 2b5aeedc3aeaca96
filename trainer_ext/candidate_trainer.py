"""Seq2SeqTrainer for rows that have candidates: the step, the logs and the evaluation, but not the mining."""

from __future__ import annotations

import copy
import inspect
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.data import Sampler, SequentialSampler
from transformers import Seq2SeqTrainer
from transformers.trainer_pt_utils import find_batch_size
from transformers.trainer_utils import has_length

from trainer_ext.arguments import contrastive_options, make_objective
from trainer_ext.checks import check_metrics, check_model
from trainer_ext.collator import COLUMNS, contrastive_collator
from trainer_ext.dataset import CANDIDATE_LABELS, CANDIDATE_SCORES, IGNORED, has_candidates
from trainer_ext.evaluation import inputs_for
from trainer_ext.losses import ContrastiveLoss, likelihoods
from trainer_ext.mining.generation import generating_with
from trainer_ext.model_state import attend_as_configured
from trainer_ext.monitor import CollapseWatch, Monitor
from trainer_ext.objective import Counts, Objective
from trainer_ext.one_pass import decoder_inputs, forward_rows, target_rows

if TYPE_CHECKING:
    from transformers.trainer_utils import EvalLoopOutput

logger = logging.getLogger(__name__)


class CandidateSeq2SeqTrainer(Seq2SeqTrainer):
    """Seq2SeqTrainer that trains towards a row's target and away from its candidates, with one encoder pass.

    Rows without candidates are trained on by likelihood, as in Seq2SeqTrainer. This is the base class of
    :class:`~trainer_ext.trainer.ContrastiveSeq2SeqTrainer`, which documents the arguments.

    Attributes:
        options: the options of contrastive training, see :class:`~trainer_ext.arguments.ContrastiveOptions`.
        training_objective: what training minimises. (Trainer itself has an attribute ``objective``, for searches.)
        contrastive_loss: the loss object that was given; None means the loss that ``options`` name.
    """

    # Trainer's own annotations allow None and modules without a config, which are refused here.
    model: Any
    args: Any
    data_collator: Any
    train_dataset: Any
    eval_dataset: Any
    processing_class: Any

    def __init__(self, *given: Any, contrastive_loss: ContrastiveLoss | None = None, **options: Any) -> None:
        bound = inspect.signature(Seq2SeqTrainer.__init__).bind(self, *given, **options).arguments
        super().__init__(*given, **options)
        self.contrastive_loss = contrastive_loss
        self._read_options()
        self.data_collator = contrastive_collator(bound.get("data_collator"), self.model, self.processing_class)
        self._has_candidates = has_candidates(self.train_dataset)
        self._shares_encoder_states = False  # in attention, between the rows of one source
        self._own_loss_called = False  # whether compute_loss of this class ran, and not only a subclass's
        self._steps, self._evaluation = Monitor(self.args.device), Monitor(self.args.device)
        self._generated = torch.zeros(2, device=self.args.device)  # number of summaries, number of their tokens
        self._collapse = CollapseWatch()
        if self._owns_loss():
            # compute_loss already divides by the counts of the whole optimiser step, so Trainer must not divide again.
            self.loss_is_scaled_for_ga = True
        if self.model is not None:
            attend_as_configured(self.model)
        if self._is_contrastive():
            self._check()

    def _is_contrastive(self) -> bool:
        """Whether this trainer trains away from candidates."""
        return self.train_dataset is not None and self._has_candidates

    def _owns_loss(self) -> bool:
        """Whether the loss is this class's, and not a function's or a subclass's.

        With candidates it is always this class's: a subclass may only wrap it.
        """
        own = type(self).compute_loss is CandidateSeq2SeqTrainer.compute_loss
        return self.compute_loss_func is None and (own or self._is_contrastive())

    def _read_options(self) -> None:
        self.options = contrastive_options(self.args)
        self.training_objective: Objective = make_objective(
            self.options, self.args.label_smoothing_factor, self.contrastive_loss
        )

    def _check(self) -> None:
        """Refuse a loss, a model or adapters that contrastive training cannot work with."""
        if self.compute_loss_func is not None:
            raise ValueError(
                "compute_loss_func and contrastive training both define the loss: give contrastive_loss instead, or "
                "set mine_candidates=False and remove candidate_labels."
            )
        check_model(self.model)
        if self.args.n_gpu > 1:
            # Without a launcher, Trainer splits a batch between GPUs, none of which knows the others' counts.
            logger.warning(
                "Training on one of %d GPUs: for all of them, start with accelerate launch.", self.args.n_gpu
            )
            self.args._n_gpu = 1
            self._train_batch_size = self.args.train_batch_size

    def call_model_init(self, trial: Any = None) -> Any:
        """The model of ``model_init``, ready for this training."""
        model = super().call_model_init(trial)
        attend_as_configured(model)
        return model

    def _hp_search_setup(self, trial: Any) -> None:
        super()._hp_search_setup(trial)
        self._read_options()  # a trial may have changed them

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        known: list[str] = self._signature_columns or []
        self._signature_columns: Any = [*known, *(column for column in COLUMNS if column not in known)]

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], Tensor | int | None]:
        """The batches of an optimiser step, and the counts ``(3,)`` over all ranks that divide its loss."""
        if not self._owns_loss():
            return super().get_batch_samples(epoch_iterator, num_batches, device)
        batches = list(islice(epoch_iterator, num_batches))
        if not batches or batches[0].get("labels") is None:
            return batches, None
        counts = [torch.stack(Counts.of(batch["labels"], batch.get(CANDIDATE_LABELS))) for batch in batches]
        total = torch.stack(counts).float().sum(0).to(device)  # (3,)
        return batches, self._over_ranks(total)

    def compute_loss_context_manager(self) -> ExitStack[bool | None]:
        """The context in which Trainer computes a batch's loss; it fails if a subclass left this class's loss out."""
        self._own_loss_called = False
        stack: ExitStack[bool | None] = super().compute_loss_context_manager()
        stack.push(self._require_own_loss)
        return stack

    def _require_own_loss(self, error: type[BaseException] | None, *_: Any) -> None:
        if error is None and self.model.training and self._is_contrastive() and not self._own_loss_called:
            raise ValueError(
                f"compute_loss of {type(self).__name__} and contrastive training both define the loss: call "
                "super().compute_loss there, give contrastive_loss instead, or set mine_candidates=False and remove "
                "candidate_labels."
            )

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The batch's share of the optimiser step's loss; outside training, the batch's mean.

        transformers 5 multiplies an encoder-decoder's loss by the number of accumulation steps and ranks: its issue
        47688, finding findings/loss-times-accumulation.sh. Here the loss is divided by the counts of the whole step.
        """
        if not self._owns_loss():
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        self._own_loss_called = True
        total = None  # counts of the optimiser step, from get_batch_samples
        if isinstance(num_items_in_batch, Tensor) and num_items_in_batch.shape == (3,):
            total = Counts(*num_items_in_batch)
        if CANDIDATE_LABELS in inputs:
            loss = self._contrastive_loss(model, inputs, total, self._steps)
            return (loss, {"loss": loss}) if return_outputs else loss
        # Read before the call, which takes the labels out where they are smoothed.
        labels = inputs.get("labels")
        tokens = None if labels is None else (labels != IGNORED).sum()
        if labels is not None and self.label_smoother is not None:
            inputs = self._with_decoder_inputs(model, inputs, labels)
        loss, outputs = super().compute_loss(model, inputs, return_outputs=True)
        if total is not None and tokens is not None:
            # The factor is exactly 1 where the step is this batch alone, so nothing changes then.
            loss = loss * (tokens / total.positive_tokens) * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss

    def _with_decoder_inputs(self, model: nn.Module, inputs: dict[str, Any], labels: Tensor) -> dict[str, Any]:
        """The inputs, with the decoder inputs that the model would make from its labels ``(B, T)``.

        Trainer takes smoothed labels out of the batch (since transformers' pull request 9713), and a collator that
        does not know the model adds no decoder inputs: BART then decodes its source, and T5 fails. The finding is
        findings/smoothed-labels-without-decoder-inputs.sh.
        """
        core: Any = self.accelerator.unwrap_model(model, keep_torch_compile=False)
        decodes = getattr(getattr(core, "config", None), "is_encoder_decoder", False)
        if not decodes or not {"decoder_input_ids", "decoder_inputs_embeds"}.isdisjoint(inputs):
            return inputs
        return {**inputs, "decoder_input_ids": decoder_inputs(core, labels.unsqueeze(1))}  # (B, T)

    def _contrastive_loss(
        self, model: nn.Module, inputs: dict[str, Any], total: Counts | None, monitor: Monitor
    ) -> Tensor:
        core = self.accelerator.unwrap_model(model, keep_torch_compile=False)
        targets = target_rows(inputs["labels"], inputs[CANDIDATE_LABELS])  # (B, 1 + K, T)
        encoder_inputs = {
            name: value
            for name, value in inputs.items()
            if name not in (*COLUMNS, "labels", "decoder_input_ids", "decoder_attention_mask")
        }
        logits = forward_rows(
            model, core, encoder_inputs, targets, self._shares_encoder_states, self.accelerator.autocast()
        )  # (B, 1 + K, T, V)
        batch = likelihoods(logits, targets, inputs[CANDIDATE_SCORES])
        counts = Counts.of(inputs["labels"], inputs[CANDIDATE_LABELS])
        mle, contrastive = self.training_objective.parts(batch)
        monitor.add(batch, mle.detach(), contrastive.detach(), counts, self.training_objective.loss.per_token)
        loss = self.training_objective.value(mle, contrastive, total or counts)
        # Gradients are averaged over ranks, while the counts are sums over all of them.
        return loss if total is None else loss * self.accelerator.num_processes

    def _over_ranks(self, sums: Tensor) -> Tensor:
        """Sums ``(n,)`` of all ranks."""
        if self.accelerator.num_processes == 1:
            return sums
        gathered: Tensor = self.accelerator.gather(sums)  # (ranks * n,)
        return gathered.view(-1, len(sums)).sum(0)

    # Evaluation and logs.

    def _get_eval_sampler(self, eval_dataset: Any) -> Sampler[Any] | None:
        """The set's order, also where Trainer would group rows by length, because predictions stand for rows.

        transformers groups evaluation sets since its pull request 33514, and gives predictions in that order. The
        finding is findings/eval-order-under-group-by-length.sh.
        """
        if self.args.train_sampling_strategy != "group_by_length" or not has_length(eval_dataset):
            return super()._get_eval_sampler(eval_dataset)
        # With several ranks, None lets accelerate give out the rows in order.
        return SequentialSampler(eval_dataset) if self.args.world_size <= 1 else None

    def prediction_step(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
        **gen_kwargs: Any,
    ) -> tuple[Any, Any, Any]:
        """Seq2SeqTrainer's step without the candidates, whose metrics are counted beside it."""
        plain = {name: value for name, value in inputs.items() if name not in COLUMNS}
        loss, generated, labels = super().prediction_step(model, plain, prediction_loss_only, ignore_keys, **gen_kwargs)
        real = self._real_rows(find_batch_size(inputs))
        if generated is not None and getattr(self.args, "predict_with_generate", False) and not prediction_loss_only:
            pad = self.model.generation_config.pad_token_id
            tokens = (generated[:real] != (self.model.config.pad_token_id if pad is None else pad)).sum()
            self._generated += torch.stack([tokens.new_tensor(real), tokens])
        if CANDIDATE_LABELS in inputs and inputs.get("labels") is not None:
            inputs = dict(self._prepare_inputs(inputs))
            for name in ("labels", CANDIDATE_LABELS):  # repeated rows count nothing, but every rank calls the model
                inputs[name] = inputs[name].clone()
                inputs[name][real:] = IGNORED
            with torch.no_grad(), self.compute_loss_context_manager():
                self._contrastive_loss(model, inputs, None, self._evaluation)
        return loss, generated, labels

    def _real_rows(self, count: int) -> int:
        """How many of the ``count`` rows of this rank's batch are not repeats that fill up the last batch."""
        state = self.accelerator.gradient_state
        if self.accelerator.num_processes == 1 or not state.end_of_dataloader or state.remainder <= 0:
            return count
        return min(max(state.remainder - self.accelerator.process_index * count, 0), count)

    def evaluation_loop(
        self,
        dataloader: Any,
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> EvalLoopOutput:
        """Seq2SeqTrainer's loop, with the metrics of candidates and the mean length of generated summaries.

        The model's generation config stays as it was. Seq2SeqTrainer writes defaults into it, which would change the
        length of summaries generated later.
        """
        check_metrics(self.compute_metrics, self.args)
        self._evaluation = Monitor(self.args.device)
        self._generated = torch.zeros(2, device=self.args.device)
        if self.accelerator.num_processes > 1:
            # Seq2SeqTrainer gives compute_metrics the rows twice that fill up the last batch, and Trainer does not.
            self.gather_function = self.accelerator.gather_for_metrics
        unchanged: AbstractContextManager[None] = nullcontext()
        if getattr(self.args, "predict_with_generate", False):
            unchanged = generating_with(self.model, copy.deepcopy(self.model.generation_config))
        with unchanged, inputs_for(self.compute_metrics, self.args):
            output = super().evaluation_loop(
                dataloader, description, prediction_loss_only, ignore_keys, metric_key_prefix
            )
        metrics = self._evaluation.metrics(self._over_ranks)
        summaries, tokens = self._over_ranks(self._generated).tolist()
        if summaries:
            metrics["generated_length"] = tokens / summaries
        extra = {f"{metric_key_prefix}_{name}": value for name, value in metrics.items()}
        return output._replace(metrics={**extra, **(output.metrics or {})})

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Trainer's log, with the contrastive metrics since the last log beside the loss."""
        if self.is_in_train and self._is_contrastive():
            if "loss" in logs:  # every rank logs, so every rank takes part in the sums
                logs = {**logs, **self._steps.metrics(self._over_ranks)}
            self._collapse.look(logs)
        super().log(logs, *args, **kwargs)
