"""Checkpoints, second trainings and trials: what a training must not keep of the one before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from support.tiny import tiny_model, tiny_tokenizer
from support.trainer_runs import arguments, rows, trained, weights, with_dropout
from transformers import (
    TrainerCallback,
)

from trainer_ext import ContrastiveSeq2SeqTrainer


class StopAt(TrainerCallback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        control.should_training_stop = state.global_step >= self.step
        return control


@pytest.mark.parametrize("step", [1, 3])
def test_a_checkpoint_resumes_exactly_in_the_middle_of_an_epoch(tmp_path: Path, step: int) -> None:
    options = {"save_strategy": "steps", "save_steps": 1, "num_train_epochs": 2}
    whole = trained(tmp_path / "whole", rows(8), with_dropout(tiny_model("bart")), **options)
    args = arguments(tmp_path / "cut", **options)
    cut = ContrastiveSeq2SeqTrainer(
        with_dropout(tiny_model("bart")),
        args,
        train_dataset=rows(8),
        processing_class=tiny_tokenizer(),
        callbacks=[StopAt(step)],
    )
    cut.train()
    resumed = ContrastiveSeq2SeqTrainer(
        with_dropout(tiny_model("bart")), args, train_dataset=rows(8), processing_class=tiny_tokenizer()
    )
    resumed.train(resume_from_checkpoint=True)
    assert resumed.state.global_step == whole.state.global_step == 4
    expected = weights(whole.model)
    assert all(torch.equal(value, expected[name]) for name, value in weights(resumed.model).items())


def test_saved_models_know_nothing_of_our_attention(tmp_path: Path) -> None:
    trained(tmp_path, rows(), save_strategy="epoch")
    for file in tmp_path.glob("checkpoint-*/config.json"):
        assert "quals" not in file.read_text()
    assert list(tmp_path.glob("checkpoint-*/config.json"))


def test_a_second_training_begins_anew(tmp_path: Path) -> None:
    trainer = trained(tmp_path, rows(), logging_steps=100)
    trainer.args.logging_steps = 1
    trainer.train()
    entry = next(entry for entry in trainer.state.log_history if "mle_loss" in entry)
    again = trained(tmp_path / "again", rows(), trainer.model)
    assert entry["step"] == 1
    assert again.state.log_history[0]["mle_loss"] < entry["mle_loss"], "of its own steps alone"


def test_a_search_trial_reaches_the_objective(tmp_path: Path) -> None:
    args = arguments(tmp_path, eval_strategy="steps", eval_steps=1)
    trainer = ContrastiveSeq2SeqTrainer(
        args=args,
        train_dataset=rows(),
        eval_dataset=rows(2),
        processing_class=tiny_tokenizer(),
        model_init=lambda: tiny_model("bart"),
    )
    seen = []

    def space(trial: Any) -> dict[str, Any]:
        return {"contrastive_weight": trial.suggest_float("contrastive_weight", 0.0, 2.0)}

    def objective(metrics: dict[str, float]) -> float:
        seen.append(trainer.training_objective.weight)
        return metrics["eval_loss"]

    trainer.hyperparameter_search(
        space, objective, n_trials=2, backend="optuna", sampler=optuna.samplers.RandomSampler(seed=1)
    )
    assert len(set(seen)) == 2
