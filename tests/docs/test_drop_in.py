"""docs/drop-in.md names every argument and every method of Seq2SeqTrainer, and says what is true of it."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import ParallelismConfig
from support.tiny import REPOSITORY, tiny_model, tiny_tokenizer
from support.trainer_runs import arguments, rows, weights
from transformers import DataCollatorForSeq2Seq, GenerationConfig, Seq2SeqTrainer, Seq2SeqTrainingArguments

from trainer_ext import ContrastiveSeq2SeqTrainer
from trainer_ext.candidate_trainer import CandidateSeq2SeqTrainer

PAGE = (REPOSITORY / "docs" / "drop-in.md").read_text("utf-8")
VERDICTS = {"works", "differs", "fails too", "not tried"}
STEPS = {"eval_strategy": "steps", "eval_steps": 1, "save_strategy": "steps", "save_steps": 1}
# What is set for each argument that is tried; an argument whose value is a dict is set together with others.
TRIED: dict[str, Any] = {
    **{
        "output_dir": {},
        "per_device_train_batch_size": 1,
        "num_train_epochs": 2,
        "max_steps": 1,
        "learning_rate": 1e-2,
    },
    **{"lr_scheduler_type": "cosine", "warmup_steps": 1, "optim": "adafactor", "weight_decay": 0.1, "adam_beta1": 0.8},
    "lr_scheduler_kwargs": {"lr_scheduler_type": "cosine_with_restarts", "lr_scheduler_kwargs": {"num_cycles": 2}},
    **{
        "adam_beta2": 0.9,
        "adam_epsilon": 1e-6,
        "gradient_accumulation_steps": 2,
        "average_tokens_across_devices": False,
    },
    **{"max_grad_norm": 0.1, "label_smoothing_factor": 0.1, "bf16": True, "neftune_noise_alpha": 5.0},
    **{"torch_empty_cache_steps": 1, "logging_strategy": "epoch", "logging_steps": 2, "logging_first_step": True},
    **{"log_on_each_node": False, "logging_nan_inf_filter": False, "include_num_input_tokens_seen": "all"},
    **{"log_level": "error", "log_level_replica": "error", "disable_tqdm": True, "run_name": "a run"},
    **{"eval_strategy": STEPS, "eval_steps": STEPS, "eval_delay": {**STEPS, "eval_delay": 1}},
    **{"per_device_eval_batch_size": {**STEPS, "per_device_eval_batch_size": 1}, "prediction_loss_only": STEPS},
    **{
        "eval_on_start": {**STEPS, "eval_on_start": True},
        "eval_do_concat_batches": {**STEPS, "eval_do_concat_batches": False},
    },
    **{"eval_use_gather_object": {**STEPS, "eval_use_gather_object": True}},
    **{
        "eval_accumulation_steps": {**STEPS, "eval_accumulation_steps": 1},
        "include_for_metrics": {**STEPS, "include_for_metrics": ["inputs", "loss"]},
    },
    **{
        "batch_eval_metrics": {**STEPS, "batch_eval_metrics": False},
        "save_only_model": {**STEPS, "save_only_model": True},
    },
    **{"save_strategy": STEPS, "save_steps": STEPS, "save_on_each_node": {**STEPS, "save_on_each_node": True}},
    **{"save_total_limit": {**STEPS, "save_total_limit": 1}, "hub_private_repo": True, "hub_model_id": "org/name"},
    **{
        "hub_strategy": "end",
        "hub_always_push": True,
        "load_best_model_at_end": {**STEPS, "load_best_model_at_end": True},
    },
    "metric_for_best_model": {**STEPS, "load_best_model_at_end": True, "metric_for_best_model": "loss"},
    "greater_is_better": {
        **STEPS,
        "load_best_model_at_end": True,
        "metric_for_best_model": "loss",
        "greater_is_better": False,
    },
    **{"ignore_data_skip": True, "restore_callback_states_from_checkpoint": True, "seed": 5, "data_seed": 7},
    **{"dataloader_drop_last": True, "dataloader_pin_memory": False, "dataloader_in_order": False},
    **{"remove_unused_columns": False, "label_names": ["labels"], "train_sampling_strategy": "group_by_length"},
    "length_column_name": {"train_sampling_strategy": "group_by_length", "length_column_name": "size"},
    **{"skip_memory_metrics": False, "do_train": True, "do_eval": True, "do_predict": True},
    "resume_from_checkpoint": "somewhere",  # scripts read it, and pass it to train()
    **{"optim_args": {"optim": "sgd", "optim_args": "momentum=0.5"}, "fp16": True, "gradient_checkpointing": True},
    **{"bf16_full_eval": {**STEPS, "bf16_full_eval": True}, "fp16_full_eval": {**STEPS, "fp16_full_eval": True}},
    "gradient_checkpointing_kwargs": {
        "gradient_checkpointing": True,
        "gradient_checkpointing_kwargs": {"use_reentrant": True},
    },
    "activation_checkpointing": True,
    "activation_checkpointing_kwargs": {
        "activation_checkpointing": True,
        "activation_checkpointing_kwargs": {"use_reentrant": False},
    },
    **{"use_cache": True, "auto_find_batch_size": True, "report_to": [], "enable_jit_checkpoint": True},
    **{"hub_token": "a token", "hub_revision": "a branch", "full_determinism": True, "use_cpu": True},
    "accelerator_config": {
        "accelerator_config": {"split_batches": True, "even_batches": False, "use_seedable_sampler": False}
    },
    "parallelism_config": ParallelismConfig(),
    "dataloader_num_workers": 1,
    "dataloader_persistent_workers": {"dataloader_num_workers": 1, "dataloader_persistent_workers": True},
    "dataloader_prefetch_factor": {"dataloader_num_workers": 1, "dataloader_prefetch_factor": 1},
    # "spawn" works too, and takes half a minute.
    "dataloader_multiprocessing_context": {"dataloader_num_workers": 1, "dataloader_multiprocessing_context": "fork"},
    **{"local_rank": -1, "sortish_sampler": True},
    "generation_config": {
        **STEPS,
        "predict_with_generate": True,
        "generation_config": GenerationConfig(
            max_length=5, num_beams=2, decoder_start_token_id=1, bos_token_id=1, eos_token_id=2, pad_token_id=0
        ),
    },
    "predict_with_generate": {**STEPS, "predict_with_generate": True},
    "generation_max_length": {**STEPS, "predict_with_generate": True, "generation_max_length": 7},
    "generation_num_beams": {**STEPS, "predict_with_generate": True, "generation_num_beams": 2},
}

# Those that say how much is trained, or in which precision, and those that need much time or a process as it was.
ALONE = {"bf16", "fp16", "full_determinism", "max_steps", "num_train_epochs", "optim", "skip_memory_metrics"}

# Where other tests set what is tried.
ELSEWHERE = {
    **dict.fromkeys(("torch_compile", "torch_compile_backend"), "trainer_ext/test_trainer.py"),
    "push_to_hub": "hub/test_push_to_hub.py",
    **dict.fromkeys(
        (
            *("ddp_backend", "ddp_find_unused_parameters", "ddp_bucket_cap_mb", "ddp_broadcast_buffers"),
            "ddp_static_graph",
        ),
        "support/ranks_worker.py",
    ),
}
FAILING = {"debug": "underflow_overflow"}


def table(heading: str) -> dict[str, str]:
    """Name and verdict of each row below a heading."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return dict(re.findall(r"^\| `(\w+)` \| ([a-z ]+) \|", section, re.MULTILINE))


ARGUMENTS, METHODS = table("Arguments"), table("Methods")
INSTALLED = {field.name for field in fields(Seq2SeqTrainingArguments)}


def test_every_argument_is_named_and_its_verdict_is_tried() -> None:
    assert set(ARGUMENTS) >= INSTALLED, "name it on the page, and try it here"
    assert set(ARGUMENTS.values()) == VERDICTS
    assert {name for name, verdict in ARGUMENTS.items() if verdict != "not tried"} == {*TRIED, *ELSEWHERE, *FAILING}
    assert {name for name, verdict in ARGUMENTS.items() if verdict == "fails too"} == set(FAILING)
    for name, file in ELSEWHERE.items():
        assert f"{name}=" in (REPOSITORY / "tests" / file).read_text("utf-8")


def test_every_method_is_named_and_those_that_differ_are_ours() -> None:
    public = {
        name for name in dir(Seq2SeqTrainer) if not name.startswith("_") and callable(getattr(Seq2SeqTrainer, name))
    }
    assert set(METHODS) >= public, "name it on the page"
    own = {**vars(CandidateSeq2SeqTrainer), **vars(ContrastiveSeq2SeqTrainer)}
    replaced = {name for name in own if not name.startswith("__") and callable(getattr(Seq2SeqTrainer, name, None))}
    assert {name for name, verdict in METHODS.items() if verdict == "differs"} == replaced


@pytest.fixture
def process_as_it_was() -> Iterator[None]:
    """Some arguments change the whole process."""
    environment, terminated = dict(os.environ), signal.getsignal(signal.SIGTERM)
    deterministic, benchmark = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    yield
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGTERM, terminated)
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = False, benchmark


def trained(kind: type[Seq2SeqTrainer], folder: Path, options: dict[str, Any], candidates: bool) -> Seq2SeqTrainer:
    torch.manual_seed(0)
    plain = kind is Seq2SeqTrainer
    own = {} if plain else {"mine_candidates": False}
    base = {"per_device_train_batch_size": 2, "generation_max_length": 6}
    args = arguments(folder / kind.__name__, plain, **{**base, **own, **options})
    columns = rows(4).add_column("size", [5, 6, 7, 8])
    if not args.remove_unused_columns:
        columns = columns.remove_columns("size")
    if not candidates:
        columns = columns.remove_columns(["candidate_labels", "candidate_scores"])
    model = tiny_model("bart")
    collator = DataCollatorForSeq2Seq(tiny_tokenizer(), model)
    trainer = kind(model, args, collator, columns, columns, processing_class=tiny_tokenizer())
    trainer.train()
    return trainer


def _groups() -> list[tuple[str, ...]]:
    """Arguments that are set together, for the sake of time, and those that are set alone."""
    names = sorted(set(TRIED) & INSTALLED)
    together = [
        name
        for name in names
        if not isinstance(TRIED[name], dict) and name not in ALONE and ARGUMENTS.get(name) == "works"
    ]
    return [(name,) for name in names if name not in together] + [
        tuple(together[n : n + 5]) for n in range(0, len(together), 5)
    ]


@pytest.mark.usefixtures("process_as_it_was")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of Python 3.12, with data loaders' processes
@pytest.mark.parametrize("names", _groups(), ids="+".join)
def test_arguments_that_are_tried_train(tmp_path: Path, names: tuple[str, ...]) -> None:
    options: dict[str, Any] = {}
    for name in names:
        options |= TRIED[name] if isinstance(TRIED[name], dict) else {name: TRIED[name]}
    assert trained(ContrastiveSeq2SeqTrainer, tmp_path, options, candidates=True).state.global_step > 0
    if {ARGUMENTS[name] for name in names} == {"works"}:
        stock, ours = (
            trained(kind, tmp_path, options, candidates=False) for kind in (Seq2SeqTrainer, ContrastiveSeq2SeqTrainer)
        )
        for figure in ("loss", "eval_loss"):
            assert [entry.get(figure) for entry in ours.state.log_history] == [
                entry.get(figure) for entry in stock.state.log_history
            ]
        expected = weights(stock.model)
        assert all(torch.equal(value, expected[key]) for key, value in weights(ours.model).items())


@pytest.mark.parametrize("name", sorted(FAILING))
def test_what_fails_fails_too_without_us(tmp_path: Path, name: str) -> None:
    for kind in (Seq2SeqTrainer, ContrastiveSeq2SeqTrainer):
        with pytest.raises(NotImplementedError, match="abs"):
            trained(kind, tmp_path, {name: FAILING[name]}, candidates=False)
