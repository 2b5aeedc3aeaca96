"""A base, data, and a QAGen trained from them, once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.qagen_runs import command, write_base, write_data

from trainer_ext.cli.main import main


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A seq2seq checkpoint."""
    return write_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A file to train on and one to validate with."""
    folder = tmp_path_factory.mktemp("data")
    return write_data(folder / "train.jsonl", 100, 0), write_data(folder / "dev.jsonl", 12, 1)


@pytest.fixture(scope="session")
def unbroken(base: Path, data: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The QAGen of an undisturbed run."""
    output = tmp_path_factory.mktemp("unbroken") / "tiny-qagen"
    assert main(command(base, data, output)) == 0
    return output
