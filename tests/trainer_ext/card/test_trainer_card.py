"""The trainer's part of a model card."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.tiny import tiny_model, tiny_tokenizer
from support.trainer_runs import arguments, rows, trained

from trainer_ext import ContrastiveSeq2SeqTrainer


def test_a_card_written_without_training_says_nothing_of_it(tmp_path: Path) -> None:
    trainer = ContrastiveSeq2SeqTrainer(
        tiny_model("bart"), arguments(tmp_path), train_dataset=rows(), processing_class=tiny_tokenizer()
    )
    trainer.create_model_card()
    assert "Trained with" not in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize(("given", "prefix"), [(None, "summarize: "), ("tldr: ", "tldr: "), ("", None)])
def test_the_cards_example_has_the_prefix_of_the_models_inputs(
    tmp_path: Path, given: str | None, prefix: str | None
) -> None:
    model = tiny_model("t5")
    model.config.task_specific_params = {"summarization": {"prefix": "summarize: "}}
    trainer = trained(tmp_path, rows(4), model, mining_source_prefix=given)
    trainer.create_model_card()
    expected = "text" if prefix is None else f"{prefix!r} + text"
    assert f"tokenizer({expected}, truncation=True" in (tmp_path / "README.md").read_text()


def test_the_card_keeps_the_base_arguments_and_says_what_was_done(tmp_path: Path) -> None:
    trainer = trained(tmp_path, rows(), contrastive_loss="hinge")
    trainer.create_model_card(
        language="en", license="mit", tags="summaries", model_name="tiny", finetuned_from="a/b", tasks="summarization",
        dataset_tags="cnn_dailymail", dataset_args="3.0.0", dataset="CNN/DailyMail",
    )  # fmt: skip
    text = (tmp_path / "README.md").read_text()
    assert "- Contrastive loss: hinge (margin 1, length_penalty 0), weight 1" in text
    assert "given with the training set" in text
    assert "license: mit" in text
    assert "factual-consistency" in text
    assert json.dumps("CNN/DailyMail")[1:-1] in text
