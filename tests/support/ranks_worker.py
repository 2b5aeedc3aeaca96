"""Run by test_trainer_ranks.py, in its own process and as two others: trains and writes what it saw as JSON."""

from __future__ import annotations

import json
import os
import sys
import weakref
from pathlib import Path
from typing import Any

import torch
from quals import QualsResult, QualsScorer
from transformers import EvalPrediction

from support.tiny import tiny_model, tiny_tokenizer
from support.trainer_runs import arguments, losses, rows
from trainer_ext import ContrastiveSeq2SeqTrainer, QualsComputeMetrics, end_training


def words(sources: list[str], summaries: list[str], references: list[str]) -> list[float]:
    """A ranker for the test: shorter summaries are better."""
    return [-float(len(summary.split())) for summary in summaries]


words.signature = "words"  # type: ignore[attr-defined]


class CountingScorer(QualsScorer):
    """Knows how many summaries this process scored."""

    scored = 0

    def score(self, sources: Any, summaries: Any, **kwargs: Any) -> list[QualsResult]:
        CountingScorer.scored += len(summaries)
        return super().score(sources, summaries, **kwargs)


def main(output: Path, kind: str, qagen: str) -> None:
    torch.set_num_threads(1)
    world = 2 if "WORLD_SIZE" in os.environ else 1
    seen: dict[str, object] = {}

    evaluation = rows(7, 2, seed=4)  # no multiple of ranks or batches
    sources = tiny_tokenizer().batch_decode(list(evaluation["input_ids"]), skip_special_tokens=True)
    score_quals = QualsComputeMetrics(tiny_tokenizer(), sources, CountingScorer(qagen))

    def metrics(prediction: EvalPrediction) -> dict[str, float]:
        seen["predictions"], CountingScorer.scored = len(prediction.predictions), 0
        return score_quals(prediction)

    brought = kind != "mined"
    data = rows(8, candidates=2 if kind == "candidates" else 0, seed=1)  # each reference has a word
    ddp: dict[str, Any] = {}
    if world == 2 and kind == "candidates":
        ddp = dict(ddp_find_unused_parameters=True, ddp_bucket_cap_mb=1, ddp_broadcast_buffers=True)
    elif world == 2 and kind == "plain":
        ddp = dict(ddp_static_graph=True)
    args = arguments(
        output.parent / "run",
        **ddp,
        per_device_train_batch_size=8 // world,
        per_device_eval_batch_size=3,
        train_sampling_strategy="sequential",
        mine_candidates=not brought,
        num_candidates=3,
        generation_max_length=9,
        predict_with_generate=True,
        include_for_metrics=["inputs"],  # for the scorer inside metrics()
        ddp_backend="gloo" if world == 2 else None,
        selection="all" if kind == "mined" else None,
    )
    seed = int(os.environ.get("RANK", 0)) if kind == "mined" else 0  # the first rank's weights count
    trainer = ContrastiveSeq2SeqTrainer(
        tiny_model("bart", seed),
        args,
        train_dataset=data,
        eval_dataset=evaluation,
        processing_class=tiny_tokenizer(),
        compute_metrics=metrics,
        ranker=words,
    )
    if kind == "mined":
        # A random model's samples are nothing like the references; that check has a test of its own.
        import trainer_ext.mining as mining

        mining.check_summarizer = lambda *_, **__: None  # type: ignore[assignment]
    trainer.evaluate()
    trainer.train()
    total = torch.stack([weight.detach().double().sum() for weight in trainer.model.parameters()]).sum()
    result = {
        "totals": [value.item() for value in trainer.accelerator.gather(total).view(-1)],
        "loss": losses(trainer)[0],
        "grad_norm": losses(trainer, "grad_norm")[0],
        "accuracy": losses(trainer, "ranking_accuracy")[0] if kind == "candidates" else None,
        "evaluation": {
            key: value
            for key, value in trainer.evaluate().items()
            if any(part in key for part in ("log_likelihood", "ranking", "quals", "rouge"))
        },
        "predictions": seen["predictions"],
        "scored": CountingScorer.scored,
        "mined": trainer.mined_dataset.to_list() if kind == "mined" and trainer.mined_dataset else None,
    }
    if trainer.is_world_process_zero():
        output.write_text(json.dumps(result))
    wrapper = weakref.ref(trainer.model_wrapped)
    end_training(trainer)
    assert not torch.distributed.is_initialized()
    assert world == 1 or wrapper() is None, "the wrapper would free the group, and might wait for ever"
    assert world == 1 or trainer._workers is None


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
