"""Tiny readers: random ones, and one that has learnt to find in a text the word that a question names."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from tokenizers import processors
from transformers import BertConfig, BertForQuestionAnswering, PreTrainedTokenizerFast

from support.tiny import WORDS, same_everywhere, tiny_tokenizer

CONTENT = [word for word in WORDS if word.isalpha() and len(word) > 2 and word != "the"]  # answers have no articles


def pair_tokenizer() -> PreTrainedTokenizerFast:
    """The tiny tokenizer, for two texts in a row."""
    tokenizer = tiny_tokenizer()
    ids = [("<s>", tokenizer.bos_token_id), ("</s>", tokenizer.eos_token_id)]
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=ids
    )
    return tokenizer


def tiny_reader(seed: int = 0, layers: int = 2) -> BertForQuestionAnswering:
    """A random one that reads 64 tokens and has opinions."""
    torch.manual_seed(seed)
    return BertForQuestionAnswering(
        BertConfig(
            vocab_size=len(WORDS) + 5,
            hidden_size=64,
            num_hidden_layers=layers,
            num_attention_heads=4,
            intermediate_size=64,
            max_position_embeddings=64,
            initializer_range=0.2,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    ).eval()


def save_reader(folder: Path, model: BertForQuestionAnswering) -> Path:
    """Its folder, with the tokenizer."""
    model.save_pretrained(folder)
    pair_tokenizer().save_pretrained(folder)
    return folder


@same_everywhere()
def train_reader_that_finds(folder: Path, steps: int = 600) -> Path:
    """A reader that answers "who did WORD ?" with WORD where the text has it, and with nothing where not."""
    tokenizer, model = pair_tokenizer(), tiny_reader().train()
    rng = random.Random(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, fused=True)
    for _ in range(steps):
        rows = []
        for _ in range(32):
            text = rng.sample(CONTENT, rng.randrange(2, 9))
            here = rng.random() < 0.7
            word = rng.choice(text) if here else rng.choice([word for word in CONTENT if word not in text])
            rows.append((word, text))
        batch = tokenizer(
            [f"who did {word} ?" for word, _ in rows],
            [" ".join(text) for _, text in rows],
            padding=True,
            return_tensors="pt",
        )
        before = 6  # <s> who did WORD ? </s>
        places = torch.tensor([before + text.index(word) if word in text else 0 for word, text in rows])  # (32,)
        model(**batch, start_positions=places, end_positions=places).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return save_reader(folder, model.eval().float())
