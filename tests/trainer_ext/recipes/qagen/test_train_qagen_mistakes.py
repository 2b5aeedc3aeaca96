"""Mistakes are found before the work, and said in one line."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.qagen_runs import command, one_line
from transformers import GPT2Config, GPT2LMHeadModel

from trainer_ext.cli.main import main


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"model": "/nowhere/at/all"}, "/nowhere/at/all"),
        ({"train_file": "/nowhere/x.jsonl"}, "/nowhere/x.jsonl"),
        ({"validation_file": "/nowhere/x.jsonl"}, "/nowhere/x.jsonl"),
        ({"train_file": "{train}?kind=absent"}, "no answerable question"),
        ({"train_file": "{train}?kind"}, "kind"),
        ({"max_tokens": 500}, "64"),
        ({"max_tokens": 7}, "max_tokens is 7: give 16 or more"),
        ({"epochs": 0}, "epochs"),
        ({"epochs": "inf"}, "epochs is inf"),
        ({"epochs": "nan"}, "epochs is nan"),
        ({"output_dir": "{train}"}, "train.jsonl"),
        ({"label_smoothing": 5}, "label_smoothing is 5"),
        ({"validation_file": "{train}"}, "both train and validate"),
    ],
)
def test_mistakes_are_one_line_and_status_2(
    base: Path,
    data: tuple[Path, Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    wrong: dict[str, Any],
    message: str,
) -> None:
    options = {name: str(value).format(train=data[0]) for name, value in wrong.items()}
    assert main(command(base, data, tmp_path / "qagen", **options)) == 2
    assert message in one_line(capfd.readouterr().err)


def test_a_base_that_is_no_seq2seq_model_is_refused_in_one_line(
    data: tuple[Path, Path], base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "gpt2"
    GPT2LMHeadModel(
        GPT2Config(vocab_size=40, n_embd=16, n_layer=1, n_head=2, bos_token_id=1, eos_token_id=2)
    ).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(base / name, folder / name)
    assert main(command(folder, data, tmp_path / "qagen")) == 2
    assert "gpt2" in one_line(capfd.readouterr().err).lower()
    assert os.listdir(tmp_path) == ["gpt2"]
