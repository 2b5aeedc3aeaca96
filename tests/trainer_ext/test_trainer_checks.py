"""What cannot be mined or trained on is refused before the work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import IterableDataset
from support.mined_runs import Counting, documents, load, trainer
from support.tiny import tiny_model
from support.trainer_runs import arguments

from trainer_ext import ContrastiveSeq2SeqTrainer

BROUGHT = documents(3).add_column("candidate_labels", [[[1, 2]]] * 3)


def test_data_that_cannot_be_mined_are_named(tmp_path: Path, summarizer: Path) -> None:
    stream = IterableDataset.from_generator(lambda: iter(documents(3).to_list()))
    found = trainer(tmp_path, load(summarizer), train_dataset=stream, ranker=Counting(), max_steps=1)
    with pytest.raises(ValueError, match="mining needs all rows at hand"):
        found.train()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ranker": "rogue"}, "The ranker is 'rogue'"),
        ({"ranker": lambda *_, texts=(x for x in "ab"): []}, "cannot be hashed"),
        ({"ranker_checkpoint": "/nowhere"}, "No QAGen could be loaded"),
        ({"source_column": "article"}, "no column 'article'"),
        ({"reference_column": "summary"}, "no column 'summary'"),
        ({"train_dataset": documents(3).remove_columns("labels")}, "has no labels"),
        ({"train_dataset": documents(3).remove_columns("labels"), "selection": "per_document"}, "has no labels"),
        ({"train_dataset": BROUGHT, "selection": "all"}, "score them first"),
        ({"train_dataset": BROUGHT.remove_columns("labels")}, "has no labels"),
    ],
)
def test_what_cannot_be_mined_or_trained_on_is_refused_before_the_work(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        trainer(tmp_path, tiny_model("bart"), mle_epochs=1.0, **options).train()
    assert not list(tmp_path.iterdir())


def test_split_weights_and_a_missing_tokenizer_are_refused_before_the_work(tmp_path: Path) -> None:
    split = trainer(tmp_path, tiny_model("bart"), ranker=Counting(), mle_epochs=1.0)
    split.is_fsdp_enabled = True
    with pytest.raises(ValueError, match="FSDP"):
        split.train()
    args = arguments(tmp_path, mle_epochs=1.0)
    untold = ContrastiveSeq2SeqTrainer(tiny_model("bart"), args, train_dataset=documents(3), ranker=Counting())
    with pytest.raises(ValueError, match="give processing_class"):
        untold.train()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_weights_that_would_hardly_move_are_warned_of(
    tmp_path: Path, dtype: torch.dtype, caplog: pytest.LogCaptureFixture
) -> None:
    trainer(tmp_path, tiny_model("bart").to(dtype), train_dataset=BROUGHT)
    assert (f"weights are {dtype}" in caplog.text) == (dtype != torch.float32)
