"""Evaluation with candidates and without, and what may choose a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.tiny import tiny_model, tiny_tokenizer
from support.trainer_runs import arguments, losses, rows, trained
from transformers import (
    DataCollatorForSeq2Seq,
    Seq2SeqTrainer,
    default_data_collator,
)

from trainer_ext import ContrastiveSeq2SeqTrainer


@pytest.mark.parametrize("generate", [False, True])
def test_evaluation_is_unharmed_by_candidates_and_shows_them(tmp_path: Path, generate: bool) -> None:
    found = []
    for candidates in (0, 3):
        args = arguments(tmp_path / str(candidates), predict_with_generate=generate, generation_max_length=8)
        data = rows(6, 3, seed=5)
        if not candidates:
            data = data.remove_columns(["candidate_labels", "candidate_scores"])
        trainer = ContrastiveSeq2SeqTrainer(
            tiny_model("bart"),
            args,
            train_dataset=rows(),
            eval_dataset=data,
            processing_class=tiny_tokenizer(),
            compute_metrics=lambda prediction: {},
        )
        found.append((trainer.evaluate(), trainer.predict(data)))
    (plain, plain_prediction), (ours, prediction) = found
    assert ours["eval_loss"] == plain["eval_loss"]
    assert str(prediction.predictions) == str(plain_prediction.predictions)
    assert "eval_ranking_accuracy" not in plain
    assert 0 <= ours["eval_ranking_accuracy"] <= 1
    assert ours["eval_log_likelihood_margin"] == pytest.approx(ours["eval_log_likelihood_margin"])
    assert ours["eval_positive_log_likelihood"] < 0
    assert prediction.metrics is not None
    assert "test_contrastive_loss" in prediction.metrics
    assert ("eval_generated_length" in ours) == generate


def test_batches_of_embeddings_are_evaluated_as_by_seq2seq_trainer(tmp_path: Path) -> None:
    data = [{"inputs_embeds": torch.randn(5, 32).tolist(), "labels": [1, 5, 6, 2]} for _ in range(4)]
    found = []
    for base in (Seq2SeqTrainer, ContrastiveSeq2SeqTrainer):
        args = arguments(tmp_path, plain=True, predict_with_generate=True, generation_max_length=8)
        trainer = base(tiny_model("bart"), args, default_data_collator, eval_dataset=data)
        trainer.compute_metrics = lambda prediction: {"sum": int(prediction.predictions.sum())}
        metrics = trainer.evaluate()
        found.append((metrics["eval_loss"], metrics["eval_sum"]))
    assert found[0] == found[1]


def test_ranking_metrics_can_choose_the_best_checkpoint(tmp_path: Path) -> None:
    args = arguments(
        tmp_path,
        eval_strategy="epoch",
        save_strategy="epoch",
        load_best_model_at_end=True,
        metric_for_best_model="ranking_accuracy",
        greater_is_better=True,
    )
    trainer = ContrastiveSeq2SeqTrainer(
        tiny_model("bart"), args, train_dataset=rows(), eval_dataset=rows(4, seed=9), processing_class=tiny_tokenizer()
    )
    trainer.train()
    assert trainer.state.best_metric == losses(trainer, "eval_ranking_accuracy")[0]


def test_logged_metrics_are_those_of_the_data(tmp_path: Path) -> None:
    data = rows(4, candidates=1)
    model = tiny_model("bart")
    collator = DataCollatorForSeq2Seq(tiny_tokenizer(), model=model)
    with torch.no_grad():
        positives = collator([{key: row[key] for key in ("input_ids", "attention_mask", "labels")} for row in data])
        negatives = collator(
            [
                {**{key: row[key] for key in ("input_ids", "attention_mask")}, "labels": row["candidate_labels"][0]}
                for row in data
            ]
        )
        expected = [float(model(**batch).loss) for batch in (positives, negatives)]
    entry = trained(tmp_path, data, tiny_model("bart")).state.log_history[0]
    assert entry["mle_loss"] == pytest.approx(expected[0], rel=1e-4)
    assert entry["positive_log_likelihood"] == pytest.approx(-expected[0], rel=1e-4)
    assert entry["negative_log_likelihood"] == pytest.approx(-expected[1], rel=1e-4)


def test_rows_without_labels_are_predicted_with_candidates_as_without(tmp_path: Path) -> None:
    found = []
    for data in (rows(4, 0), rows(4, 2)):
        trainer = ContrastiveSeq2SeqTrainer(tiny_model("bart"), arguments(tmp_path), processing_class=tiny_tokenizer())
        found.append(trainer.predict(data.select_columns(["input_ids", "attention_mask"])).predictions)
        if "candidate_labels" in data.column_names:
            trainer.data_collator.base = DataCollatorForSeq2Seq(tiny_tokenizer())
            trainer.predict(data.remove_columns("labels").map(lambda row: {"labels": None}))
    assert str(found[0][0].shape) == str(found[1][0].shape)
