"""Every step of publishing fails in every way: a clear message, the old version whole, and the next try succeeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from support.hub_repo import DROP, DROP_AFTER, STEPS, TOKEN
from support.hub_server import FakeHub
from support.trained import CARD

from trainer_ext.cli.main import main

REPO = "org/summarizer"
SAYS = {
    401: "does not accept the token",
    403: "may not do this in",
    404: "no such repository",
    409: "at the same time",
    412: "at the same time",
    429: "Wait 7 seconds",
    500: "an error of its own",
    DROP: "connection",
}


def publish(folder: Path) -> int:
    return main(["publish", "model", "--repo-id", REPO, str(folder)])


def failed(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert publish(folder) == 2
    captured = capsys.readouterr()
    [line] = captured.err.splitlines()
    for secret in (TOKEN, "signature"):
        assert secret not in captured.out + captured.err
    return line


@pytest.mark.parametrize("failure", SAYS)
@pytest.mark.parametrize("step", [step for step in STEPS if step != "create"])
def test_the_old_version_stays_whole(
    summarizer: Path, hub: FakeHub, capsys: pytest.CaptureFixture[str], step: str, failure: int
) -> None:
    assert publish(summarizer) == 0
    old = hub.contents("model", REPO)
    (summarizer / "README.md").write_text(CARD + "More.\n")
    (summarizer / "merges.txt").unlink()
    save_file({"weight": np.ones(6, dtype=np.float32)}, summarizer / "model.safetensors")
    with hub.fail_at(step, failure):
        message = failed(summarizer, capsys)
    assert SAYS[failure] in message
    assert hub.contents("model", REPO) == old
    assert publish(summarizer) == 0
    new = hub.contents("model", REPO)
    assert new["model.safetensors"] == (summarizer / "model.safetensors").read_bytes()
    assert "merges.txt" not in new
    assert len(hub.repos["model", REPO].commits) == 3


@pytest.mark.parametrize("failure", [failure for failure in SAYS if failure != 409])  # which says that it is there
def test_a_repository_that_cannot_be_created(
    summarizer: Path, hub: FakeHub, capsys: pytest.CaptureFixture[str], failure: int
) -> None:
    with hub.fail_at("create", failure):
        message = failed(summarizer, capsys)
    assert SAYS[failure] in message
    assert f"Creating model {REPO} failed" in message
    assert hub.repos == {}
    assert publish(summarizer) == 0


@pytest.mark.parametrize("step", ["create", "commit"])
def test_an_answer_that_is_lost(summarizer: Path, hub: FakeHub, capsys: pytest.CaptureFixture[str], step: str) -> None:
    with hub.fail_at(step, DROP_AFTER):
        message = failed(summarizer, capsys)
    assert ("Whether the commit arrived is not known" in message) == (step == "commit")
    assert publish(summarizer) == 0
    assert ("nothing has changed" in capsys.readouterr().out) == (step == "commit")
    assert len(hub.repos["model", REPO].commits) == 2


INFO = {"id": REPO, "sha": "0" * 40, "private": False, "siblings": [], "tags": []}
WRONG: list[dict[str, object]] = [{"sha": None}, {"sha": "main"}, {"siblings": [{}]}, {"siblings": 3}]
ANSWERS = {
    "whoami": [{}, [], None],
    "info": [
        {},
        [],
        {**INFO, "sha": None},
        {**INFO, "sha": "main"},
        {**INFO, "siblings": [{}]},
        {**INFO, "siblings": 3},
    ],
    "preupload": [{}, {"files": [{"path": "README.md"}]}, {"files": []}],
    "lfs_batch": [{}, {"objects": [{"oid": "x"}]}],
    "commit": [{}, []],
}


@pytest.mark.parametrize(
    ("step", "number"), [(step, i) for step, answers in ANSWERS.items() for i in range(len(answers))]
)
def test_answers_without_their_fields(
    summarizer: Path, hub: FakeHub, capsys: pytest.CaptureFixture[str], step: str, number: int
) -> None:
    assert publish(summarizer) == 0
    old = hub.contents("model", REPO)
    save_file({"weight": np.ones(6, dtype=np.float32)}, summarizer / "model.safetensors")
    with hub.malformed_at(step, ANSWERS[step][number]):
        message = failed(summarizer, capsys)
    assert "is not what a Hub answers" in message
    assert ("Whether the commit arrived is not known" in message) == (step in ("preupload", "lfs_batch", "commit"))
    assert hub.contents("model", REPO) == old
    assert publish(summarizer) == 0
