"""Tiny random classifiers of claims."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import processors
from transformers import BertConfig, BertForSequenceClassification

from support.tiny import WORDS, tiny_tokenizer


def save_classifier(folder: Path, labels: tuple[str, str] = ("CORRECT", "INCORRECT"), seed: int = 0) -> Path:
    """Write one that reads 64 tokens."""
    tokenizer = tiny_tokenizer()
    ids = [("<s>", tokenizer.bos_token_id), ("</s>", tokenizer.eos_token_id)]
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=ids
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(WORDS) + 5,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        initializer_range=0.4,
        id2label=dict(enumerate(labels)),
        label2id={name: label for label, name in enumerate(labels)},
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder
