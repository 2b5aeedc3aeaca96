"""Tiny random encoder-decoders of all the families that the trainer is for."""

from __future__ import annotations

from collections.abc import Callable

import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    BertConfig,
    EncoderDecoderConfig,
    EncoderDecoderModel,
    LEDConfig,
    LEDForConditionalGeneration,
    MarianConfig,
    MarianMTModel,
    MBartConfig,
    MBartForConditionalGeneration,
)

from support.tiny import WORDS, tiny_model

SIZE = len(WORDS) + 5
_IDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
_BART_LIKE = {
    "vocab_size": SIZE,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "dropout": 0.0,
    "init_std": 0.4,
    **_IDS,
}


def _bert2bert() -> torch.nn.Module:
    encoder, decoder = (
        BertConfig(
            vocab_size=SIZE,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=64,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            initializer_range=0.4,
        )
        for _ in range(2)
    )
    config = EncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    for name, value in _IDS.items():
        setattr(config, name, value)
    return EncoderDecoderModel(config=config)


def _led() -> torch.nn.Module:
    positions = {"max_encoder_position_embeddings": 64, "max_decoder_position_embeddings": 64}
    return LEDForConditionalGeneration(LEDConfig(**_BART_LIKE, **positions, attention_window=8))


FAMILIES: dict[str, Callable[[], torch.nn.Module]] = {
    "bart": lambda: tiny_model("bart"),
    "t5": lambda: tiny_model("t5"),
    "pegasus": lambda: tiny_model("pegasus"),
    "mbart": lambda: MBartForConditionalGeneration(MBartConfig(**_BART_LIKE, max_position_embeddings=64)),
    "marian": lambda: MarianMTModel(MarianConfig(**_BART_LIKE, max_position_embeddings=64)),
    "led": _led,
    "bert2bert": _bert2bert,
    "lora": lambda: get_peft_model(
        tiny_model("bart"), LoraConfig(task_type="SEQ_2_SEQ_LM", target_modules=["q_proj", "v_proj"])
    ),
}


def family(name: str) -> torch.nn.Module:
    """A model of the family, the same at every call."""
    torch.manual_seed(0)
    return FAMILIES[name]()
