"""The step benchmark: all ways do the same work, and the table says what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.step.__main__ import WAYS, main
from benchmarks.step.ways import Shape, load, make_step, random_batch


def test_both_contrastive_ways_have_the_same_loss(tiny_qagen: Path) -> None:
    losses = {}
    for way in WAYS:
        model = load(str(tiny_qagen))
        model.eval()
        batch = random_batch(Shape(2, 10, 5, 2), model.config.vocab_size)
        torch.manual_seed(0)
        losses[way] = make_step(way, model, batch)()
    assert losses["ours"] == pytest.approx(losses["two passes"], rel=1e-4)
    assert losses["plain"] != pytest.approx(losses["ours"], rel=1e-2)


def test_the_table(tiny_qagen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--documents", "2", "--source", "12", "--target", "5", "--negatives", "1", "--rounds", "1"]
    assert main(["--model", str(tiny_qagen), *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "2 documents of 12 tokens, summaries of 5"
    assert [line.split(" | ")[1] for line in lines[-3:]] == ["0", "1", "1"]
    assert lines[-3].split(" | ")[2] == "1.00x"


def test_a_missing_model_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", "/nowhere/at-all"]) == 2
    assert "nowhere" in capsys.readouterr().err
