"""What contrastive training shows: sums kept on the device, the metrics made from them, and signs of collapse."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from trainer_ext.losses import Likelihoods
from trainer_ext.objective import Counts

logger = logging.getLogger(__name__)

# Each metric is one sum over another.
_RATIOS = {
    "mle_loss": ("mle", "positive_tokens"),
    "contrastive_loss": ("contrastive", "contrastive_units"),
    "positive_log_likelihood": ("positive_log_prob", "positive_tokens"),
    "negative_log_likelihood": ("negative_log_prob", "negative_tokens"),
    "log_likelihood_margin": ("margin", "candidates"),
    "ranking_accuracy": ("right", "comparisons"),
}
_SUMS = list(dict.fromkeys(name for ratio in _RATIOS.values() for name in ratio))


class Monitor:
    """Sums over batches, from which :meth:`metrics` are made. Adding to them never waits for the device."""

    def __init__(self, device: torch.device | None = None) -> None:
        self._sums = torch.zeros(len(_SUMS), device=device)  # (11,)

    @torch.no_grad()
    def add(self, batch: Likelihoods, mle: Tensor, contrastive: Tensor, counts: Counts, per_token: bool) -> None:
        """Add a batch: its likelihoods, the two sums of the objective, and its counts."""
        means = batch.sequence(1.0)  # (B, 1 + K)
        candidates = batch.present[:, 1:]  # (B, K)
        better, _ = batch.comparisons()  # (B, 1 + K, 1 + K)
        right = (means[:, :, None] > means[:, None, :]) & better
        sums = {
            "mle": mle,
            "positive_tokens": counts.positive_tokens,
            "contrastive": contrastive,
            "contrastive_units": counts.negative_tokens if per_token else counts.documents,
            "positive_log_prob": batch.log_probs[:, 0].sum(),
            "negative_log_prob": batch.log_probs[:, 1:].sum(),
            "negative_tokens": counts.negative_tokens,
            "margin": (means[:, :1] - means[:, 1:]).masked_fill(~candidates, 0.0).sum(),
            "candidates": candidates.sum(),
            "right": right.sum(),
            "comparisons": better.sum(),
        }
        self._sums += torch.stack([sums[name].float() for name in _SUMS])  # (11,)

    def metrics(self, reduce: Callable[[Tensor], Tensor] = lambda sums: sums) -> dict[str, float]:
        """Metrics since the last call.

        Args:
            reduce: adds up the sums ``(11,)`` of all ranks.

        Returns:
            ``mle_loss``: nats per target token, smoothed as in training; lower is better.
            ``contrastive_loss``: nats per candidate token or per document, as the loss counts; lower is better.
            ``positive_log_likelihood``, ``negative_log_likelihood``: nats per token of targets and candidates, at
            most 0.
            ``log_likelihood_margin``: mean lead of targets over candidates, nats per token; higher is better.
            ``ranking_accuracy``: share of pairs whose better summary is likelier per token, 0 to 1; higher is better.
            A metric without data is left out.
        """
        values = dict(zip(_SUMS, reduce(self._sums).tolist(), strict=True))
        self._sums = torch.zeros_like(self._sums)
        return {name: values[top] / values[below] for name, (top, below) in _RATIOS.items() if values[below]}


class CollapseWatch:
    """Warns when training away from candidates begins to cost the summaries themselves.

    There are two signs. Targets become clearly less likely than at the first log, twice in a row. Or generated
    summaries shrink below half of their first mean length.
    """

    def __init__(self) -> None:
        self._first: dict[str, float] = {}
        self._falling: dict[str, int] = {}
        self._warned: set[str] = set()

    def look(self, metrics: Mapping[str, float]) -> list[str]:
        """Compare with the first values seen; return the warnings, each of which is logged once."""
        warnings = []
        for name, value in metrics.items():
            first = self._first.setdefault(name, value)
            if name.endswith("positive_log_likelihood"):
                # A tenth of a nat is noise between batches; a fifth of the value is not.
                fallen = value < first - max(0.1, 0.2 * abs(first))
                self._falling[name] = self._falling.get(name, 0) + 1 if fallen else 0
                if self._falling[name] >= 2:
                    warnings.append(
                        f"{name} fell from {first:.2f} to {value:.2f} nats per token: the target summaries become "
                        "unlikely. Lower the learning rate or contrastive_weight, or stop earlier."
                    )
            elif name.endswith("generated_length") and value < first / 2:
                warnings.append(
                    f"{name} fell from {first:.1f} to {value:.1f} tokens: summaries become short or empty. Lower the "
                    "learning rate or contrastive_weight, or stop earlier."
                )
        for text in warnings:
            metric = text.split(" ", 1)[0]
            if metric not in self._warned:
                self._warned.add(metric)
                logger.warning(text)
        return warnings
