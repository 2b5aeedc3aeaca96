"""What every test may ask for: tiny models, and the embedded checkpoint. No network is needed."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# The workers and all processes that they start add up in one order; on more threads sums differ in the last digit.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import logging
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import evaluate
import pytest
from quals.checkpoint import EMBEDDED
from support.tiny import REPOSITORY, save_tiny_qagen, tiny_model, train_tiny_qagen
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging


@pytest.fixture(params=["bart", "t5", "pegasus"])
def any_model(request: pytest.FixtureRequest) -> PreTrainedModel:
    """A tiny random model of each supported family."""
    return tiny_model(request.param)


@pytest.fixture(autouse=True)
def transformers_logs() -> Iterator[None]:
    """Trainer, scripts and migrations of databases set how the whole process logs: each test finds it as it was."""
    loggers = [logging.getLogger(name) for name in ("transformers", "trainer_ext")]
    verbosity, states = transformers_logging.get_verbosity(), [(log.disabled, log.propagate) for log in loggers]
    yield
    transformers_logging.set_verbosity(verbosity)
    for log, (disabled, propagate) in zip(loggers, states, strict=True):
        log.disabled, log.propagate = disabled, propagate


@pytest.fixture(scope="session")
def tiny_qagen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny random BART QAGen."""
    return save_tiny_qagen(tmp_path_factory.mktemp("qagen"))


@pytest.fixture(scope="session")
def embedded() -> Path:
    """Folder of the embedded checkpoint."""
    folder = REPOSITORY / "metrics" / "quals" / EMBEDDED
    assert (folder / "model.safetensors").is_file(), "the embedded checkpoint belongs to the repository"
    return folder


@pytest.fixture(scope="session")
def tiny_asking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny QAGen whose pairs survive, with a card."""

    def ask(rng: random.Random, text: list[str]) -> str:
        return f"who did what in the city ? <sep> {rng.choice(text)}"

    folder = train_tiny_qagen(tmp_path_factory.mktemp("asking") / "qagen-tiny", ask)
    (folder / "README.md").write_text("---\ntags: [qagen]\n---\n\n# A tiny QAGen\n")
    return folder


@pytest.fixture
def evaluate_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Caches of evaluate's that hold nothing; what other tests loaded through others is out of the way meanwhile."""
    for name in ("HF_MODULES_CACHE", "HF_METRICS_CACHE"):
        monkeypatch.setattr(evaluate.config, name, tmp_path / name)
    monkeypatch.setattr(evaluate.config, "HF_EVALUATE_OFFLINE", True)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def loaded() -> list[str]:
        return [name for name in sys.modules if name.partition(".")[0] == "evaluate_modules"]

    for name in loaded():
        monkeypatch.delitem(sys.modules, name)
    yield tmp_path
    for name in loaded():
        del sys.modules[name]
