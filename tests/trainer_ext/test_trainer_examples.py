"""The examples in the docstrings of trainer_ext print what they say."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest
from support.tiny import REPOSITORY

from trainer_ext.losses import LOSSES

FILES = [file for file in sorted((REPOSITORY / "trainer_ext").rglob("*.py")) if ">>> " in file.read_text()]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_examples_print_what_they_say(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = ".".join(file.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
    failures: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for example in doctest.DocTestFinder().find(import_module(name)):
        runner.run(example, out=failures.append)
    assert "".join(failures) == ""


def test_every_loss_has_an_example() -> None:
    for loss in LOSSES.values():
        assert ">>> " in (loss.__doc__ or "")
