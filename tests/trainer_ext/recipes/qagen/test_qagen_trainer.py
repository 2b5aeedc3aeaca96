"""The QAGen trainer: the loss of a plain computation, the same however the rows are split over batches and ranks."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from support.qagen_runs import plain_nll, trainer_of
from support.tiny import REPOSITORY, tiny_model

from trainer_ext.dataset import IGNORED
from trainer_ext.recipes.qagen.batches import QAGenCollator, TokenBudgetBatches
from trainer_ext.recipes.qagen.trainer import QAGenTrainer


def rows_of(targets: Sequence[int], seed: int = 0) -> Dataset:
    """Rows with so many targets each, all lengths different, of the tiny vocabulary's words."""
    draw = torch.Generator().manual_seed(seed)

    def words(count: int) -> list[int]:
        return torch.randint(5, 36, (count,), generator=draw).tolist()

    return Dataset.from_list(
        [
            {
                "input_ids": [1, *words(3 + 5 * number), 2],
                "labels": [[*words(3 + number), 4, *words(1 + target), 2] for target in range(count)],
            }
            for number, count in enumerate(targets)
        ]
    )


def steps(trainer: QAGenTrainer) -> list[tuple[float, float]]:
    """Train; the logged loss and gradient norm of each step."""
    trainer.train()
    return [(entry["loss"], entry["grad_norm"]) for entry in trainer.state.log_history if "grad_norm" in entry]


def loss_of(trainer: QAGenTrainer, rows: Dataset) -> torch.Tensor:
    batch = QAGenCollator(0)([*rows])
    assert trainer.model is not None
    loss: torch.Tensor = trainer.compute_loss(trainer.model, batch)
    return loss


@pytest.mark.parametrize("kind", ["bart", "t5", "pegasus"])
def test_loss_is_the_token_mean_of_a_plain_computation(kind: str, tmp_path: Path) -> None:
    model, rows = tiny_model(kind), rows_of([3, 3, 3])
    total, tokens = plain_nll(model, rows)
    assert loss_of(trainer_of(tmp_path, model, rows), rows).item() == pytest.approx(total / tokens, abs=1e-4)


@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_gradient_is_that_of_a_plain_computation(kind: str, tmp_path: Path) -> None:
    rows = rows_of([2, 2])
    ours = tiny_model(kind)
    loss_of(trainer_of(tmp_path, ours, rows), rows).backward()

    plain = tiny_model(kind)
    collated = QAGenCollator(0)([*rows])
    repeated = {name: collated[name].repeat_interleave(2, 0) for name in ("input_ids", "attention_mask")}
    plain(**repeated, labels=collated["labels"]).loss.backward()
    for (name, mine), theirs in zip(ours.named_parameters(), plain.parameters(), strict=True):
        assert mine.grad is not None, name
        torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-4, rtol=1e-3, msg=name)


@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_one_batch_is_the_same_as_accumulated_batches(kind: str, tmp_path: Path) -> None:
    rows = rows_of([2] * 8)  # lengths from 5 to 40: a mean of means would differ
    whole = steps(trainer_of(tmp_path, tiny_model(kind), rows))
    single = steps(trainer_of(tmp_path, tiny_model(kind), rows, 1, gradient_accumulation_steps=8))
    unequal = trainer_of(tmp_path, tiny_model(kind), rows, 100, gradient_accumulation_steps=8)
    sizes = {len(batch) for batch in TokenBudgetBatches(rows, 100, unequal.args.seed)}
    assert len(sizes) > 1
    assert len(whole) == len(single) == 1
    assert single[0] == pytest.approx(whole[0], abs=1e-4)
    assert steps(unequal)[0] == pytest.approx(whole[0], abs=1e-4)


def test_a_last_step_of_fewer_batches_counts_its_own_tokens(tmp_path: Path) -> None:
    rows = rows_of([1] * 5)
    options = {"gradient_accumulation_steps": 3, "learning_rate": 0.0}
    logged = steps(trainer_of(tmp_path, tiny_model("bart"), rows, 1, **options))
    batches = list(TokenBudgetBatches(rows, 1, seed=42))
    assert len(logged) == 2
    for (loss, _), first in zip(logged, (0, 3), strict=True):
        mine = [index for batch in batches[first : first + 3] for index in batch]
        total, tokens = plain_nll(tiny_model("bart"), rows.select(mine))
        assert loss == pytest.approx(total / tokens, abs=1e-4)


@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_every_parameter_moves_in_two_steps(kind: str, tmp_path: Path) -> None:
    model = tiny_model(kind)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    assert len(steps(trainer_of(tmp_path, model, rows_of([2] * 4), 1, gradient_accumulation_steps=2))) == 2
    still = [name for name, parameter in model.named_parameters() if torch.equal(parameter, before[name])]
    assert still == []


def test_training_lowers_the_evaluation_loss(tmp_path: Path) -> None:
    rows = rows_of([2] * 6)
    trainer = trainer_of(tmp_path, tiny_model("bart"), rows, 200, num_train_epochs=15)
    before = trainer.evaluate(rows)["eval_loss"]
    trainer.train()
    assert trainer.evaluate(rows)["eval_loss"] < 0.7 * before


@pytest.mark.parametrize("tokens_per_batch", [1, 90, 10_000])
def test_evaluation_is_the_token_mean_whatever_the_batches(tokens_per_batch: int, tmp_path: Path) -> None:
    model, rows = tiny_model("bart"), rows_of([3, 1, 6, 2, 2, 3])
    total, tokens = plain_nll(model, rows)
    trainer = trainer_of(tmp_path, model, rows, tokens_per_batch, label_smoothing_factor=0.3)
    assert trainer.evaluate(rows) == {"eval_loss": pytest.approx(total / tokens, abs=1e-4)}
    assert trainer.evaluate(rows, metric_key_prefix="test").keys() == {"test_loss"}


def test_evaluation_switches_dropout_off(tmp_path: Path) -> None:
    model, rows = tiny_model("bart"), rows_of([2, 2])
    total, tokens = plain_nll(model, rows)
    for module in model.modules():
        if isinstance(getattr(module, "dropout", None), float):
            setattr(module, "dropout", 0.5)  # noqa: B010
    trainer = trainer_of(tmp_path, model, rows)
    model.train()
    assert loss_of(trainer, rows).item() != pytest.approx(total / tokens, abs=1e-2)
    assert trainer.evaluate(rows)["eval_loss"] == pytest.approx(total / tokens, abs=1e-4)


def test_evaluation_without_data_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="give the trainer a model and an eval_dataset"):
        trainer_of(tmp_path, tiny_model("bart"), rows_of([1])).evaluate()


def test_label_smoothing_is_applied_in_training(tmp_path: Path) -> None:
    model, rows = tiny_model("bart"), rows_of([2, 2])
    smoothed = trainer_of(tmp_path, model, rows, label_smoothing_factor=0.2)
    batch = QAGenCollator(0)([*rows])
    _, outputs = smoothed.compute_loss(model, batch, return_outputs=True)
    log_probs = outputs["logits"].log_softmax(-1)  # (tokens, V)
    labels = batch["labels"][batch["labels"] != IGNORED]
    nll = -log_probs.gather(1, labels[:, None]).mean()
    expected = (0.8 * nll - 0.2 * log_probs.mean()).detach()
    assert loss_of(smoothed, rows).item() == pytest.approx(float(expected), abs=1e-4)
    assert float(expected) != pytest.approx(float(nll.detach()), abs=1e-2)


RANK = """
import faulthandler, json, sys
faulthandler.dump_traceback_later(280, exit=True)  # a rank that waits for the other says where, and ends
from pathlib import Path
from support.tiny import tiny_model
from test_qagen_trainer import rows_of, steps, trainer_of
from trainer_ext import end_training
folder = Path(sys.argv[1])
trainer = trainer_of(folder, tiny_model("bart"), rows_of([2] * 9), 1)
logged = steps(trainer)
loss = trainer.evaluate(rows_of([2] * 3, seed=1))["eval_loss"]
(folder / f"rank{trainer.args.process_index}.json").write_text(json.dumps([trainer.args.world_size, logged, loss]))
end_training(trainer)
"""


def test_two_ranks_are_the_same_as_two_accumulated_batches(tmp_path: Path) -> None:
    """Nine batches: two ranks take eight of them, in the order of one process, and none waits for a tenth."""
    trainer = trainer_of(tmp_path, tiny_model("bart"), rows_of([2] * 9), 1, gradient_accumulation_steps=2, max_steps=4)
    expected = steps(trainer)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(REPOSITORY / "tests"), str(REPOSITORY)]),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "ACCELERATE_USE_CPU": "true",
        **({"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}),
        "OMP_NUM_THREADS": "1",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(tmp_path)],
            env={**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        printed = [process.communicate(timeout=300)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], "\n".join(printed)

    evaluated = trainer.evaluate(rows_of([2] * 3, seed=1))["eval_loss"]
    for rank in range(2):
        world_size, logged, loss = json.loads((tmp_path / f"rank{rank}.json").read_text())
        assert world_size == 2
        assert loss == pytest.approx(evaluated, abs=1e-4)
        if rank == 0:  # only the first rank logs
            assert len(logged) == len(expected) == 4
            for mine, theirs in zip(logged, expected, strict=True):
                assert mine == pytest.approx(theirs, abs=1e-4)
