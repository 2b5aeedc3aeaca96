"""Seq2SeqTrainer over rows that have candidates: the step, the logs and the evaluation, without the mining."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.data import Sampler, SequentialSampler
from transformers import PreTrainedModel, Seq2SeqTrainer, TrainingArguments
from transformers.trainer_pt_utils import find_batch_size
from transformers.trainer_utils import has_length

from trainer_ext.arguments import contrastive_options
from trainer_ext.collator import COLUMNS, Collator, contrastive_collator
from trainer_ext.dataset import CANDIDATE_LABELS, CANDIDATE_SCORES, IGNORED, brings_candidates
from trainer_ext.losses import ContrastiveLoss, Counts, likelihoods
from trainer_ext.mining.generation import generating_with
from trainer_ext.monitor import CollapseWatch, Monitor
from trainer_ext.one_pass import decoder_inputs, forward_rows, target_rows

if TYPE_CHECKING:
    from transformers.trainer_utils import EvalLoopOutput

logger = logging.getLogger(__name__)


class CandidateSeq2SeqTrainer(Seq2SeqTrainer):
    """Seq2SeqTrainer that trains towards the target and away from the candidates of a row, with one encoder pass.

    Rows without candidates are trained on by likelihood, as Seq2SeqTrainer does. The base of
    :class:`~trainer_ext.trainer.ContrastiveSeq2SeqTrainer`, which says what the arguments are.
    """

    # Trainer's own annotations allow for None and for modules without a config, which are refused here.
    model: Any
    args: Any
    data_collator: Any
    train_dataset: Any
    eval_dataset: Any
    processing_class: Any

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
            **kwargs,
        )
        self.contrastive_loss = contrastive_loss
        self._read_options()
        self.data_collator = contrastive_collator(data_collator, self.model, processing_class)
        self._brings = brings_candidates(train_dataset)
        self._shared = False  # whether rows of a source share its encoder states in attention
        self._steps, self._evaluation = Monitor(self.args.device), Monitor(self.args.device)
        self._generated = torch.zeros(2, device=self.args.device)  # summaries, their tokens
        self._collapse = CollapseWatch()
        self._asked = False  # whether this class's compute_loss was
        if self._says_the_loss():
            # The loss comes out of compute_loss divided by the counts of the whole optimiser step.
            self.loss_is_scaled_for_ga = True
            if not hasattr(Seq2SeqTrainer, "loss_is_scaled_for_ga"):
                self.model_accepts_loss_kwargs = True  # which keeps earlier versions from dividing again
        if self._is_contrastive():
            self._check()

    def _is_contrastive(self) -> bool:
        return self.train_dataset is not None and self._brings

    def _says_the_loss(self) -> bool:
        """Whether the loss is this class's: no function's, nor, but where candidates need this one, a subclass's."""
        own = type(self).compute_loss is CandidateSeq2SeqTrainer.compute_loss
        return self.compute_loss_func is None and (own or self._is_contrastive())

    def _read_options(self) -> None:
        self.options = contrastive_options(self.args)
        self._objective = self.options.objective(self.args.label_smoothing_factor, self.contrastive_loss)

    def _check(self) -> None:
        if self.compute_loss_func is not None:
            raise ValueError(
                "compute_loss_func and contrastive training both say what the loss is: give contrastive_loss instead, "
                "or set mine_candidates=False and bring no candidates."
            )
        if not getattr(self.model.config, "is_encoder_decoder", False):
            raise ValueError(
                f"{type(self.model).__name__} is no encoder-decoder, and this trainer is for those (BART, T5, ...)."
            )
        if getattr(getattr(self.model, "active_peft_config", None), "is_prompt_learning", False):
            raise ValueError(
                "peft puts learnt prompts (prefix and prompt tuning) before each row, and rows that share an encoded "
                "source cannot have them: use LoRA or another adapter of weights."
            )
        if self.args.n_gpu > 1:
            # Without a launcher, Trainer would split a batch between GPUs that then know nothing of the others' counts.
            logger.warning(
                "Training on one of %d GPUs: for all of them, start with accelerate launch.", self.args.n_gpu
            )
            self.args._n_gpu = 1
            self._train_batch_size = self.args.train_batch_size

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
        """The batches of an optimiser step, and what its loss is divided by: counts ``(3,)`` over all ranks."""
        if not self._says_the_loss():
            return super().get_batch_samples(epoch_iterator, num_batches, device)
        batches = list(islice(epoch_iterator, num_batches))
        if not batches or batches[0].get("labels") is None:
            return batches, None
        counts = [Counts.of(batch["labels"], batch.get(CANDIDATE_LABELS)).stacked() for batch in batches]
        total = torch.stack(counts).sum(0).to(device)  # (3,)
        return batches, self._over_ranks(total)

    def compute_loss_context_manager(self) -> ExitStack[bool | None]:
        """As Trainer's, in which it computes a batch's loss; a subclass's that does without this class's is refused."""
        self._asked = False
        stack: ExitStack[bool | None] = super().compute_loss_context_manager()
        stack.push(self._require_asked)
        return stack

    def _require_asked(self, error: type[BaseException] | None, *_: Any) -> None:
        if error is None and self.model.training and self._is_contrastive() and not self._asked:
            raise ValueError(
                f"compute_loss of {type(self).__name__} says what the loss is, and so does contrastive training: call "
                "super().compute_loss there, give contrastive_loss instead, or set mine_candidates=False and bring no "
                "candidates."
            )

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The batch's share of the optimiser step's loss; outside training, its own mean."""
        if not self._says_the_loss():
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        self._asked = True
        total = None  # of the optimiser step, from get_batch_samples
        if isinstance(num_items_in_batch, Tensor) and num_items_in_batch.shape == (3,):
            total = Counts.unstacked(num_items_in_batch)
        if CANDIDATE_LABELS not in inputs:
            # Read before the call, which takes the labels out where they are smoothed.
            labels = inputs.get("labels")
            own = None if labels is None else (labels != IGNORED).sum()
            if labels is not None and self.label_smoother is not None:
                inputs = self._with_decoder_inputs(model, inputs, labels)
            loss, outputs = super().compute_loss(model, inputs, return_outputs=True)
            if total is not None and own is not None:
                # 1.0 where the step is this batch alone, so that nothing changes.
                loss = loss * (own / total.positive_tokens) * self.accelerator.num_processes
            return (loss, outputs) if return_outputs else loss
        loss = self._contrastive_loss(model, inputs, total, self._steps)
        return (loss, {"loss": loss}) if return_outputs else loss

    def _with_decoder_inputs(self, model: nn.Module, inputs: dict[str, Any], labels: Tensor) -> dict[str, Any]:
        """The inputs, with what the model would make of its labels ``(B, T)``, which smoothing keeps from it.

        Not every collator adds them. Without them BART reads its source as the target, and T5 refuses.
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
        of_encoder = {
            name: value
            for name, value in inputs.items()
            if name not in (*COLUMNS, "labels", "decoder_input_ids", "decoder_attention_mask")
        }
        logits = forward_rows(
            model, core, of_encoder, targets, self._shared, self.accelerator.autocast()
        )  # (B, 1 + K, T, V)
        found = likelihoods(logits, targets, inputs[CANDIDATE_SCORES])
        counts = Counts.of(inputs["labels"], inputs[CANDIDATE_LABELS])
        mle, contrastive = self._objective.parts(found)
        monitor.add(found, mle.detach(), contrastive.detach(), counts, self._objective.loss.per_token)
        loss = self._objective.value(mle, contrastive, total or counts)
        # Gradients are averaged over ranks, and the counts are of all of them.
        return loss if total is None else loss * self.accelerator.num_processes

    def _over_ranks(self, sums: Tensor) -> Tensor:
        """Sums ``(n,)`` of all ranks."""
        if self.accelerator.num_processes == 1:
            return sums
        gathered: Tensor = self.accelerator.gather(sums)  # (ranks * n,)
        return gathered.view(-1, len(sums)).sum(0)

    # Evaluation and logs.

    def _get_eval_sampler(self, eval_dataset: Any) -> Sampler[Any] | None:
        """In the set's order, also where Trainer would group rows by length: predictions stand for rows."""
        if self.args.train_sampling_strategy != "group_by_length" or not has_length(eval_dataset):
            return super()._get_eval_sampler(eval_dataset)
        # Over ranks, None lets accelerate deal out the rows in order.
        return SequentialSampler(eval_dataset) if self.args.world_size <= 1 else None

    def prediction_step(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
        **gen_kwargs: Any,
    ) -> tuple[Any, Any, Any]:
        """As Seq2SeqTrainer's, to which candidates are not shown; their metrics are counted beside it."""
        plain = {name: value for name, value in inputs.items() if name not in COLUMNS}
        loss, generated, labels = super().prediction_step(model, plain, prediction_loss_only, ignore_keys, **gen_kwargs)
        real = self._real_rows(find_batch_size(inputs))
        if generated is not None and getattr(self.args, "predict_with_generate", False) and not prediction_loss_only:
            pad = self.model.generation_config.pad_token_id
            tokens = (generated[:real] != (self.model.config.pad_token_id if pad is None else pad)).sum()
            self._generated += torch.stack([tokens.new_tensor(real), tokens])
        if CANDIDATE_LABELS in inputs and inputs.get("labels") is not None:
            inputs = dict(self._prepare_inputs(inputs))
            for name in ("labels", CANDIDATE_LABELS):  # every rank must call the model, for rows that count or not
                inputs[name] = inputs[name].clone()
                inputs[name][real:] = IGNORED
            with torch.no_grad(), self.compute_loss_context_manager():
                self._contrastive_loss(model, inputs, None, self._evaluation)
        return loss, generated, labels

    def _real_rows(self, count: int) -> int:
        """How many of the ``count`` rows of this rank's batch are no repeats, which fill up the last batch."""
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
        """As Seq2SeqTrainer's, with the contrastive metrics where there are candidates, and the summaries' length.

        The model's generation config stays as it was: Seq2SeqTrainer writes defaults into it, lengths of later
        summaries included.
        """
        self._evaluation = Monitor(self.args.device)
        self._generated = torch.zeros(2, device=self.args.device)
        unchanged: AbstractContextManager[None] = nullcontext()
        if getattr(self.args, "predict_with_generate", False):
            unchanged = generating_with(self.model, copy.deepcopy(self.model.generation_config))
        with unchanged:
            output = super().evaluation_loop(
                dataloader, description, prediction_loss_only, ignore_keys, metric_key_prefix
            )
        found = self._evaluation.metrics(self._over_ranks)
        summaries, tokens = self._over_ranks(self._generated).tolist()
        if summaries:
            found["generated_length"] = tokens / summaries
        extra = {f"{metric_key_prefix}_{name}": value for name, value in found.items()}
        return output._replace(metrics={**extra, **(output.metrics or {})})

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """As Trainer's, with the contrastive metrics since the last log beside the loss."""
        if self.is_in_train and self._is_contrastive():
            if "loss" in logs:  # every rank logs, so every rank takes part
                logs = {**logs, **self._steps.metrics(self._over_ranks)}
            self._collapse.look(logs)
        super().log(logs, *args, **kwargs)
