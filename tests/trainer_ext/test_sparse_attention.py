"""BigBird-Pegasus reads a long document alike, whatever it read before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BigBirdPegasusConfig, BigBirdPegasusForConditionalGeneration, GenerationConfig

from trainer_ext import ContrastiveSeq2SeqTrainer, ContrastiveSeq2SeqTrainingArguments
from trainer_ext.mining.generation import generate_labels
from trainer_ext.model_state import attend_as_configured

LONG, SHORT = ([token % 60 + 3 for token in range(7, 7 + 11 * length, 11)] for length in (128, 12))


@pytest.fixture
def model() -> BigBirdPegasusForConditionalGeneration:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"vocab_size": 64, "d_model": 16, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}
    layers = {"encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    blocks = {"block_size": 4, "num_random_blocks": 2, "max_position_embeddings": 256, "init_std": 1.0}
    return BigBirdPegasusForConditionalGeneration(BigBirdPegasusConfig(**sizes, **layers, **blocks)).eval()


@torch.no_grad()
def loss(model: BigBirdPegasusForConditionalGeneration, source: list[int]) -> float:
    return float(model(input_ids=torch.tensor([source]), labels=torch.tensor([SHORT[:6]])).loss)


def test_a_loss_does_not_depend_on_the_batches_before(model: BigBirdPegasusForConditionalGeneration) -> None:
    before = loss(model, LONG)
    attend_as_configured(model)
    attend_as_configured(model)
    assert sum(len(module._forward_pre_hooks) for module in model.modules()) == 1
    short = loss(model, SHORT)
    assert model.model.encoder.attention_type == "original_full"
    assert loss(model, LONG) == before
    assert loss(model, SHORT) == short


def test_summaries_do_not_depend_on_the_batches_before(model: BigBirdPegasusForConditionalGeneration) -> None:
    config = GenerationConfig(max_new_tokens=12, eos_token_id=2, pad_token_id=0, decoder_start_token_id=2)
    before = generate_labels(model, {"input_ids": [LONG]}, config)
    generate_labels(model, {"input_ids": [SHORT]}, config)
    assert generate_labels(model, {"input_ids": [LONG]}, config) == before


@pytest.mark.parametrize("as_function", [False, True])
def test_the_trainers_model_is_such_a_one(
    as_function: bool, model: BigBirdPegasusForConditionalGeneration, tmp_path: Path
) -> None:
    before = loss(model, LONG)
    given: dict[str, Any] = {"model_init": lambda: model} if as_function else {"model": model}
    arguments = ContrastiveSeq2SeqTrainingArguments(str(tmp_path), report_to=[], mine_candidates=False)
    trainer = ContrastiveSeq2SeqTrainer(args=arguments, **given)
    trainer.model.to("cpu").eval()
    loss(trainer.model, SHORT)
    assert loss(trainer.model, LONG) == before
