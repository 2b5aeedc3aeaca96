"""Publishing a trained model, as the tests do it."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.hub_repo import TOKEN
from trainer_ext.cli.main import main

REPO = "org/summarizer"


def publish(folder: Path, *options: str, repo: str = REPO) -> int:
    return main(["publish", "model", "--repo-id", repo, str(folder), *options])


def refusal(folder: Path, capsys: pytest.CaptureFixture[str], *options: str, repo: str = REPO) -> str:
    capsys.readouterr()
    assert publish(folder, *options, repo=repo) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("quals publish: ")
    assert TOKEN not in line
    return line
