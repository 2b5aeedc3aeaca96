"""A thin Seq2SeqTrainer for QAGens, which encodes a passage once for all its pairs."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from datasets import Dataset
from quals.attention import share_encoder_states
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Seq2SeqTrainer, Seq2SeqTrainingArguments

from trainer_ext.dataset import IGNORED
from trainer_ext.recipes.qagen.batches import QAGenCollator, TokenBudgetBatches
from trainer_ext.recipes.qagen.contrast import contrast_loss, leads, margins, pair_scores


class QAGenTrainer(Seq2SeqTrainer):
    """Seq2SeqTrainer for data from ``encode_examples``.

    Args:
        tokens_per_batch: source tokens, and target tokens, in one batch.
        contrast_weight: weight of the contrast against the negative log-likelihood of as many tokens.
        rank_weight: weight, in the contrast, of ranking a source's stated pairs above its others.
        others: as for Seq2SeqTrainer. ``per_device_train_batch_size`` is not used.

    ``eval_loss`` is the training's loss over the evaluation data, in nats per target token: the negative
    log-likelihood, and for pairs of statements ``contrast_weight`` times the loss of :mod:`~.contrast`.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        args: Seq2SeqTrainingArguments,
        tokens_per_batch: int = 2048,
        contrast_weight: float = 1.0,
        rank_weight: float = 0.5,
        processing_class: PreTrainedTokenizerBase | None = None,
        **kwargs: Any,
    ) -> None:
        # With several GPUs and no launcher, Trainer would split a batch, and separate its rows from their passages.
        if args.n_gpu > 1:
            args._n_gpu = 1
        share_encoder_states(model)
        self.tokens_per_batch = tokens_per_batch
        self.contrast_weight, self.rank_weight = contrast_weight, rank_weight
        collator = QAGenCollator(model.config.pad_token_id)
        super().__init__(model, args, data_collator=collator, processing_class=processing_class, **kwargs)
        # Loss and gradient are sums over tokens divided by all tokens of the optimiser step.
        self.model_accepts_loss_kwargs = True

    def _loader(self, dataset: Dataset, shuffle: bool) -> DataLoader[Any]:
        ranks = self.accelerator.num_processes if shuffle else 1
        batches = TokenBudgetBatches(dataset, self.tokens_per_batch, self.args.seed, ranks, shuffle)
        return DataLoader(dataset, batch_sampler=batches, collate_fn=self.data_collator)

    def get_train_dataloader(self) -> DataLoader[Any]:
        return self.accelerator.prepare(self._loader(self.train_dataset, shuffle=True))

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        labels = inputs["labels"]  # (N, T)
        target = labels != IGNORED  # (N, T)
        logits = self._target_logits(model, inputs, target)  # (tokens, V)
        loss, _ = self._summed_loss(logits, inputs, target, self.args.label_smoothing_factor)
        if num_items_in_batch is None:
            num_items_in_batch = int(target.sum())
        elif self.args.average_tokens_across_devices:
            loss = loss * self.accelerator.num_processes  # the gradient is averaged over ranks, the count is over all
        loss = loss / num_items_in_batch
        return (loss, {"logits": logits}) if return_outputs else loss

    def _summed_loss(
        self, logits: Tensor, inputs: dict[str, Tensor], target: Tensor, smoothing: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """The loss per token, summed over the batch's target tokens; and the scores of its pairs, ``(N,)``, or none.

        The contrast counts as often as its pairs have tokens, so that the sum does not depend on how rows are batched.
        """
        labels = inputs["labels"][target]  # (tokens,)
        stated = inputs.get("stated")  # (N,)
        if stated is None or not stated.any():
            loss = nn.functional.cross_entropy(logits.float(), labels, reduction="sum", label_smoothing=smoothing)
            return loss, logits.new_zeros(0)
        losses = nn.functional.cross_entropy(logits.float(), labels, reduction="none")  # (tokens,)
        scores = pair_scores(-losses, target, inputs["own"])  # (N,)
        plain = (stated == 0)[target.nonzero()[:, 0]]  # (tokens,)
        sources = inputs["input_ids"].shape[0]
        contrast = contrast_loss(scores, stated, inputs["unit"], target.sum(1), sources, self.rank_weight)
        own = losses[plain].sum()
        if smoothing:  # of the likelihood alone: the scores are log-likelihoods
            own = nn.functional.cross_entropy(
                logits[plain].float(), labels[plain], reduction="sum", label_smoothing=smoothing
            )
        return own + self.contrast_weight * contrast, scores

    def _target_logits(self, model: nn.Module, inputs: dict[str, Tensor], target: Tensor) -> Tensor:
        """Logits of the real target tokens only, ``(tokens, V)``: the projection never sees padding."""
        labels = inputs["labels"]
        core = self.accelerator.unwrap_model(model)
        start = labels.new_full((labels.shape[0], 1), core.config.decoder_start_token_id)
        shifted = torch.cat([start, labels[:, :-1]], dim=1)  # (N, T)
        decoder_input_ids = shifted.masked_fill(shifted == IGNORED, core.config.pad_token_id)
        hook = core.get_output_embeddings().register_forward_pre_hook(lambda _, hidden: (hidden[0][target],))
        try:
            with self.autocast_smart_context_manager(), self._attention():
                output = model(
                    input_ids=inputs["input_ids"],
                    attention_mask=inputs["attention_mask"],
                    decoder_input_ids=decoder_input_ids,
                    use_cache=False,
                )
        finally:
            hook.remove()
        return output.logits

    def _attention(self) -> AbstractContextManager[Any]:
        # torch's fused attention has a slow backward on CPUs: the plain one makes a step a sixth faster (torch 2.13).
        return sdpa_kernel([SDPBackend.MATH]) if self.args.device.type == "cpu" else nullcontext()

    @torch.no_grad()
    def evaluate(
        self, eval_dataset: Dataset | None = None, ignore_keys: Any = None, metric_key_prefix: str = "eval", **_: Any
    ) -> dict[str, float]:
        """The loss per token, ``{"eval_loss": nats}``; every rank computes the same.

        Of statements' pairs also two shares, from 0 to 1: ``eval_pairs_right`` is of those on their side of the
        threshold, units as one; ``eval_pairs_ranked`` is of stated pairs above another one of their source.
        """
        dataset = self.eval_dataset if eval_dataset is None else eval_dataset
        model = self.model
        if model is None or dataset is None:
            raise ValueError("There is nothing to evaluate: give the trainer a model and an eval_dataset.")
        model.eval()
        total, tokens = 0.0, 0
        right, ranked = list[bool](), list[bool]()
        for batch in self._loader(dataset, shuffle=False):
            batch = self._prepare_inputs(batch)
            target = batch["labels"] != IGNORED
            logits = self._target_logits(model, batch, target)  # (tokens, V)
            loss, scores = self._summed_loss(logits, batch, target)
            total += float(loss)
            tokens += int(target.sum())
            if len(scores):
                stated, unit = batch["stated"], batch["unit"]
                first = (stated != 0) & (unit == torch.arange(len(unit), device=unit.device))
                right += (margins(scores, stated, unit)[first] > 0).tolist()
                lead, compared = leads(scores, stated, unit, len(batch["input_ids"]))
                ranked += (lead[compared] > 0).tolist()
        metrics = {f"{metric_key_prefix}_loss": total / tokens}
        shares = {"right": right, "ranked": ranked}
        metrics |= {f"{metric_key_prefix}_pairs_{name}": sum(of) / len(of) for name, of in shares.items() if of}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics
