"""Fine-tuning by likelihood before the mining, in the same call."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from support.tiny import tiny_model
from support.trainer_runs import Counting, arguments, documents, losses, trainer, weights, with_dropout

from trainer_ext import ContrastiveSeq2SeqTrainer, ContrastiveSeq2SeqTrainingArguments
from trainer_ext.mle import settings_that_bear_on_weights


def test_likelihood_first_in_the_same_call_and_only_once(tmp_path: Path) -> None:
    options = {"mle_epochs": 60.0, "mle_learning_rate": 3e-3, "learning_rate": 1e-4}
    one = trainer(tmp_path, tiny_model("bart"), ranker=Counting(), train_dataset=documents(40), **options)
    one.train()
    assert one.mined_dataset is not None
    note = json.loads((tmp_path / "_mle" / "mle.json").read_text())
    assert note["value"]["finished"]
    steps = (tmp_path / "_mle" / "fine-tuned.safetensors").stat().st_mtime_ns
    two = trainer(tmp_path, tiny_model("bart"), ranker=Counting(), train_dataset=documents(40), **options)
    two.train()
    assert (tmp_path / "_mle" / "fine-tuned.safetensors").stat().st_mtime_ns == steps
    assert all(torch.equal(value, weights(one.model)[name]) for name, value in weights(two.model).items())
    with pytest.raises(ValueError, match="other weights, data or settings"):
        trainer(tmp_path, tiny_model("bart"), ranker=Counting(), train_dataset=documents(39), **options).train()


def test_likelihood_first_goes_on_where_it_was_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"mle_epochs": 30.0, "mle_learning_rate": 3e-3, "save_strategy": "steps", "save_steps": 60}
    data = documents(40)
    whole = trainer(tmp_path / "whole", tiny_model("bart"), ranker=Counting(), train_dataset=data, **options)
    whole.train()
    step, steps = ContrastiveSeq2SeqTrainer.training_step, iter(range(100))

    def cut(self: ContrastiveSeq2SeqTrainer, *args: Any, **kwargs: Any) -> torch.Tensor:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(ContrastiveSeq2SeqTrainer, "training_step", cut)
        with pytest.raises(KeyboardInterrupt):
            trainer(tmp_path / "cut", tiny_model("bart"), ranker=Counting(), train_dataset=data, **options).train()
    resumed = trainer(tmp_path / "cut", tiny_model("bart"), ranker=Counting(), train_dataset=data, **options)
    resumed.train(resume_from_checkpoint=True)
    assert all(torch.equal(value, weights(whole.model)[name]) for name, value in weights(resumed.model).items())


def test_a_folder_that_the_processes_do_not_share_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def second_rank() -> None:
        one = trainer(tmp_path, tiny_model("bart"), ranker=Counting(), train_dataset=documents(4), mle_epochs=1.0)
        monkeypatch.setattr(one, "is_world_process_zero", lambda: False)
        with pytest.raises(ValueError, match=r"_mle is not the same folder in all processes: give an output_dir"):
            one.train()

    monkeypatch.setattr("trainer_ext.mle._SEEN_WITHIN", 0)
    second_rank()  # where the first one writes is not seen here
    monkeypatch.setattr("accelerate.Accelerator.gather", lambda _, own: torch.cat([torch.ones_like(own), own]))
    second_rank()  # the first one finished earlier
    assert not (tmp_path / "_mle").exists()


@pytest.mark.parametrize("bf16", [False, True])
def test_steps_are_the_same_whether_the_work_before_was_done_now_or_earlier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bf16: bool
) -> None:
    monkeypatch.setattr("trainer_ext.mining.check_summarizer", lambda *_, **__: None)
    found = []
    for name in ("first", "again"):
        model = with_dropout(tiny_model("bart"))
        run = trainer(tmp_path, model, ranker=Counting(), mle_epochs=2.0, mle_learning_rate=3e-3, bf16=bf16)
        run.train()
        found.append((name, losses(run), weights(run.model)))
    assert found[0][1] == found[1][1]
    assert all(torch.equal(value, found[1][2][key]) for key, value in found[0][2].items())


def test_an_argument_that_transformers_adds_counts_as_bearing_on_the_weights(tmp_path: Path) -> None:
    @dataclass
    class Later(ContrastiveSeq2SeqTrainingArguments):
        """Arguments of a later version."""

        new_optimizer_option: float = 0.5

    options: dict[str, Any] = {"output_dir": str(tmp_path), "use_cpu": True, "report_to": "none"}
    settings = [settings_that_bear_on_weights(Later(**options, new_optimizer_option=value)) for value in (0.5, 0.6)]
    assert settings[0] != settings[1]


@pytest.mark.parametrize(
    ("option", "bears"),
    [
        ({"weight_decay": 0.1}, True),
        ({"lr_scheduler_type": "cosine"}, True),
        ({"optim_target_modules": ["q_proj"]}, True),
        ({"logging_steps": 7}, False),
        ({"hub_model_id": "org/name"}, False),
        ({"num_candidates": 3}, False),
        ({"eval_steps": 7}, False),
        ({"eval_strategy": "steps", "save_strategy": "steps", "load_best_model_at_end": True}, True),
    ],
)
def test_what_bears_on_the_weights(tmp_path: Path, option: dict[str, Any], bears: bool) -> None:
    plain, changed = (settings_that_bear_on_weights(arguments(tmp_path, **given)) for given in ({}, option))
    assert (plain != changed) == bears


def test_checkpoints_without_a_note_are_not_resumed_from(tmp_path: Path) -> None:
    (tmp_path / "_mle" / "checkpoint-3").mkdir(parents=True)
    with pytest.raises(ValueError, match="_mle"):
        trainer(tmp_path, tiny_model("bart"), ranker=Counting(), mle_epochs=1.0).train()
