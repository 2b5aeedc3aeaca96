"""Tiny models made from configs: encoder-decoders of three families over the words of a small English."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    PegasusConfig,
    PegasusForConditionalGeneration,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

REPOSITORY = Path(__file__).resolve().parents[1]
WORDS = [
    "the",
    "a",
    "of",
    "in",
    "and",
    "who",
    "what",
    "where",
    "when",
    "has",
    "is",
    "was",
    "said",
    "did",
    "1",
    "2",
    "3",
    "?",
    ".",
    ",",
    "cat",
    "dog",
    "mat",
    "paris",
    "london",
    "joshua",
    "klitschko",
    "champion",
    "boxer",
    "red",
    "blue",
    "won",
    "lost",
    "city",
    "river",
    "king",
    "queen",
]


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Words of a small English, lower-cased, with the special tokens of a QAGen."""
    special = ["<pad>", "<s>", "</s>", "<unk>", "<sep>"]
    vocabulary = {word: index for index, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", vocabulary["<s>"]), ("</s>", vocabulary["</s>"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=["<sep>"],
        model_max_length=64,
    )


def tiny_model(kind: str, seed: int = 0) -> PreTrainedModel:
    """A random encoder-decoder over the tiny tokenizer's words; its weights are large enough to have opinions."""
    torch.manual_seed(seed)
    size = len(WORDS) + 5
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    if kind == "t5":
        config = T5Config(
            vocab_size=size, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, dropout_rate=0.0, **ids
        )
        model: PreTrainedModel = T5ForConditionalGeneration(config)
    else:
        layers = {"encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4}
        sizes = {"vocab_size": size, "d_model": 32, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64}
        config_class, model_class = {
            "bart": (BartConfig, BartForConditionalGeneration),
            "pegasus": (PegasusConfig, PegasusForConditionalGeneration),
        }[kind]
        config = config_class(**layers, **sizes, **ids, max_position_embeddings=64, dropout=0.0, init_std=0.4)
        model = model_class(config)
    model.config.qagen_separator = "<sep>"
    return model.eval()


def save_tiny_qagen(folder: Path, kind: str = "bart", seed: int = 0) -> Path:
    """A tiny QAGen folder that ``load_qagen`` accepts."""
    tiny_model(kind, seed).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder
