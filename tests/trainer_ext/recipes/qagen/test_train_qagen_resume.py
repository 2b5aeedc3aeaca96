"""A killed training continues exactly; checkpoints of another recipe are not used."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.qagen_runs import EVAL_STEPS, command, is_json, last_state, one_line, same_weights

from trainer_ext.cli.main import main


def train_and_kill(arguments: list[str], output: Path) -> None:
    """Run the command in a process of its own, and kill it once it has written its first checkpoint."""
    code = "import sys; from trainer_ext.cli.main import main; raise SystemExit(main(sys.argv[1:]))"
    log = output.parent / "killed.log"
    with log.open("w") as file:
        process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=file, stderr=file)
    try:
        # The state is the last file of a checkpoint.
        first = output / "checkpoints" / f"checkpoint-{EVAL_STEPS}" / "trainer_state.json"
        patience = time.monotonic() + 300
        while not is_json(first) and process.poll() is None and time.monotonic() < patience:
            time.sleep(0.002)
        assert is_json(first), log.read_text()
        time.sleep(0.05)  # a few steps on, which are lost
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -signal.SIGKILL, log.read_text()
    assert not (output / "model.safetensors").exists(), "it had finished"


def test_killed_and_run_again_gives_the_same_weights(
    base: Path, data: tuple[Path, Path], unbroken: Path, tmp_path: Path
) -> None:
    output = tmp_path / "qagen"
    arguments = command(base, data, output)
    train_and_kill(arguments, output)
    state = last_state(output)
    assert 0 < state["global_step"] < last_state(unbroken)["global_step"]
    for file in filter(is_json, (output / "checkpoints").glob("checkpoint-*/trainer_state.json")):
        noted = json.loads(file.read_text())
        noted["log_history"].append({"step": noted["global_step"], "killed": 1})
        file.write_text(json.dumps(noted))
    assert main(arguments) == 0
    assert any("killed" in entry for entry in last_state(output)["log_history"])  # it went on, and did not begin anew
    assert same_weights(output, unbroken)
    assert last_state(output)["best_metric"] == last_state(unbroken)["best_metric"]
    assert (output / "README.md").read_text() == (unbroken / "README.md").read_text().replace("tiny-qagen", "qagen")


def copy_of(unbroken: Path, folder: Path) -> Path:
    """The run as it was after its last checkpoint, before the QAGen was written."""
    shutil.copytree(unbroken / "checkpoints", folder / "checkpoints")
    return folder


def test_killed_after_the_last_step(base: Path, data: tuple[Path, Path], unbroken: Path, tmp_path: Path) -> None:
    output = copy_of(unbroken, tmp_path / "qagen")
    assert main(command(base, data, output)) == 0
    assert same_weights(output, unbroken)
    assert (output / "README.md").is_file()


@pytest.mark.parametrize("written", [[], ["config.json", "model.safetensors"]])
def test_killed_while_a_checkpoint_was_being_written(
    base: Path, data: tuple[Path, Path], unbroken: Path, tmp_path: Path, written: list[str]
) -> None:
    """A checkpoint without its state is no checkpoint: the run goes on from the one before."""
    output = copy_of(unbroken, tmp_path / "qagen")
    steps = last_state(unbroken)["global_step"]
    torn = output / "checkpoints" / f"checkpoint-{steps}"
    assert torn.is_dir()
    assert len(list((output / "checkpoints").glob("checkpoint-*"))) == 2
    for file in list(torn.iterdir()):
        if file.name not in written:
            file.unlink()
        elif file.name == "model.safetensors":
            file.write_bytes(file.read_bytes()[:1000])
    assert main(command(base, data, output)) == 0
    assert same_weights(output, unbroken)


def test_without_resume_nothing_of_the_old_run_is_left(
    base: Path, data: tuple[Path, Path], unbroken: Path, tmp_path: Path
) -> None:
    """Not even checkpoints of later steps, from which the new run would go on after a kill."""
    output = copy_of(unbroken, tmp_path / "qagen")
    shorter = command(base, data, output, learning_rate=1e-6, epochs=1, eval_steps=1000)
    assert main([*shorter, "--no-resume"]) == 0
    assert not same_weights(output, unbroken)
    assert 0 < last_state(output)["max_steps"] < last_state(unbroken)["max_steps"]


def test_another_recipe_never_passes_for_the_new_one(
    base: Path, data: tuple[Path, Path], unbroken: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Checkpoints of other settings are refused, or not used: the card must not lie about the weights."""
    output = copy_of(unbroken, tmp_path / "qagen")
    if main(command(base, data, output, learning_rate=1e-6)) == 0:
        assert not same_weights(output, unbroken)
    else:
        assert "--no-resume" in one_line(capfd.readouterr().err)
        assert not (output / "model.safetensors").exists()


def test_what_comes_after_training_may_change_between_runs(
    base: Path, data: tuple[Path, Path], unbroken: Path, tmp_path: Path
) -> None:
    """A corrected credit, or another dtype, goes on from the checkpoints that are there."""
    output = copy_of(unbroken, tmp_path / "qagen")
    assert main([*command(base, data, output, dtype="float16", base_credit="the tiny base"), "--credit", "more"]) == 0
    text = (output / "README.md").read_text()
    assert "- more\n" in text
    assert "Base: the tiny base\n" in text
    assert last_state(output) == last_state(unbroken)


def test_changed_data_under_the_same_name_never_passes_for_the_old(
    base: Path, data: tuple[Path, Path], unbroken: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = copy_of(unbroken, tmp_path / "qagen")
    before = data[0].read_bytes()
    try:
        data[0].write_bytes(before.replace(b"Who won the", b"Who has won the", 1))
        assert main(command(base, data, output)) == 2
    finally:
        data[0].write_bytes(before)
    assert "same options" in one_line(capfd.readouterr().err)
