"""Mixed precision: in every step, and nowhere after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support.tiny import tiny_model, tiny_tokenizer
from support.trainer_runs import arguments, rows

from trainer_ext import ContrastiveSeq2SeqTrainer
from trainer_ext.model_state import forget_preparation, without_autocast
from trainer_ext.one_pass import shared_states


@pytest.mark.parametrize("before", [[], ["evaluate"], ["train"]])
@pytest.mark.parametrize("options", [{}, {"mle_epochs": 1.0}, {"torch_compile_backend": "eager"}])
def test_every_step_is_in_mixed_precision(tmp_path: Path, before: list[str], options: dict[str, Any]) -> None:
    model = tiny_model("bart")
    seen: list[tuple[bool, torch.dtype]] = []
    model.lm_head.register_forward_hook(lambda *call: seen.append((torch.is_grad_enabled(), call[-1].dtype)))
    trainer = ContrastiveSeq2SeqTrainer(
        model,
        arguments(tmp_path, bf16=True, **options),
        train_dataset=rows(),
        eval_dataset=rows(2),
        processing_class=tiny_tokenizer(),
    )
    for name in before:
        getattr(trainer, name)()
    trainer.train()
    assert {dtype for training, dtype in seen if training} == {torch.bfloat16}
    seen.clear()
    trainer.evaluate()
    assert {dtype for _, dtype in seen} == {torch.bfloat16}


@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_mixed_precision_leaves_no_trace_in_the_model(tmp_path: Path, kind: str) -> None:
    model = tiny_model(kind)
    inputs = {name: torch.tensor(rows(1)[name]) for name in ("input_ids", "labels")}
    with torch.no_grad():
        before = model(**inputs).logits
    trainer = ContrastiveSeq2SeqTrainer(
        model,
        arguments(tmp_path, bf16=True, learning_rate=0.0),
        train_dataset=rows(),
        eval_dataset=rows(2),
        processing_class=tiny_tokenizer(),
    )
    trainer.evaluate()
    trainer.train()
    model.eval()
    with torch.no_grad():
        assert not torch.equal(model(**inputs).logits, before), "as Seq2SeqTrainer leaves it"
        with without_autocast(model):
            assert torch.equal(model(**inputs).logits, before)
    with shared_states(model) as shared:
        assert shared
    forget_preparation(model)
    with torch.no_grad():
        assert torch.equal(model(**inputs).logits, before)
