"""Warnings when training costs the summaries themselves."""

from __future__ import annotations

import logging

import pytest
import torch

from trainer_ext.losses import likelihoods
from trainer_ext.monitor import CollapseWatch, Monitor
from trainer_ext.objective import Counts


def test_a_fall_of_the_targets_likelihood_is_told_once_and_only_when_it_lasts(caplog: pytest.LogCaptureFixture) -> None:
    watch = CollapseWatch()
    assert watch.look({"positive_log_likelihood": -2.0}) == []
    assert watch.look({"positive_log_likelihood": -2.6}) == []
    assert watch.look({"positive_log_likelihood": -2.2}) == []
    assert watch.look({"positive_log_likelihood": -2.6}) == []
    with caplog.at_level(logging.WARNING):
        (warning,) = watch.look({"positive_log_likelihood": -2.7})
        watch.look({"positive_log_likelihood": -2.8})
    assert "from -2.00 to -2.70 nats per token" in warning
    assert "Lower the learning rate" in warning
    assert len(caplog.records) == 1


def test_training_and_evaluation_are_watched_apart() -> None:
    watch = CollapseWatch()
    flat = {"eval_positive_log_likelihood": -2.0}
    for value in (-2.0, -2.9):
        assert watch.look({"positive_log_likelihood": value}) == []
        assert watch.look(flat) == []
    assert len(watch.look({"positive_log_likelihood": -3.0})) == 1


def test_summaries_that_shrink_are_told() -> None:
    watch = CollapseWatch()
    assert watch.look({"eval_generated_length": 40.0}) == []
    assert watch.look({"eval_generated_length": 21.0}) == []
    (warning,) = watch.look({"eval_generated_length": 3.0})
    assert "from 40.0 to 3.0 tokens" in warning


def test_metrics_are_over_all_batches_and_start_anew() -> None:
    torch.manual_seed(0)
    monitor, sums = Monitor(), [torch.zeros(2), torch.zeros(2)]
    for documents in (2, 3):
        logits, targets = torch.randn(documents, 2, 4, 7), torch.randint(0, 7, (documents, 2, 4))
        targets[0, :, 2:] = -100
        found = likelihoods(logits, targets, torch.full((documents, 1), float("nan")))
        counts = Counts.of(targets[:, 0], targets[:, 1:])
        monitor.add(found, torch.tensor(1.0), torch.tensor(2.0), counts, per_token=False)
        sums[0] += torch.stack([found.log_probs[:, 0].sum(), counts.positive_tokens])
        sums[1] += torch.stack([found.log_probs[:, 1].sum(), counts.negative_tokens])
    metrics = monitor.metrics()
    assert metrics["positive_log_likelihood"] == pytest.approx(float(sums[0][0] / sums[0][1]))
    assert metrics["negative_log_likelihood"] == pytest.approx(float(sums[1][0] / sums[1][1]))
    assert metrics["contrastive_loss"] == pytest.approx(4.0 / 5)
    assert monitor.metrics() == {}
