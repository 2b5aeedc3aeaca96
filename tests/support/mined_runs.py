"""Trainings that mine: a tiny summarizer that copies, its documents, and a ranker that knows how often it was asked."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForSeq2SeqLM, DataCollatorForSeq2Seq, PreTrainedModel

from support.tiny import WORDS, tiny_tokenizer
from support.trainer_runs import arguments
from trainer_ext import ContrastiveSeq2SeqTrainer

CONTENT = [word for word in WORDS if word.isalpha() and len(word) > 2]


def load(folder: Path) -> PreTrainedModel:
    return AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32)


def documents(count: int, seed: int = 0) -> Dataset:
    """Tokenized documents of content words, each with its first three as the summary."""
    rng, tokenizer = random.Random(seed), tiny_tokenizer()
    texts = [[rng.choice(CONTENT) for _ in range(rng.randrange(4, 9))] for _ in range(count)]
    inputs = tokenizer([" ".join(text) for text in texts])
    labels = tokenizer([f"{' '.join(text[:3])} </s>" for text in texts], add_special_tokens=False)["input_ids"]
    return Dataset.from_dict({**inputs, "labels": labels})


class Counting:
    """A ranker that knows how often it was asked: the share of the summary's words that its source has."""

    signature = "share of words"

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, sources: list[str], summaries: list[str], references: list[str] | None) -> list[float]:
        self.calls += len(summaries) > 2  # two texts are tried before the work
        return [
            sum(word in source.split() for word in summary.split()) / max(1, len(summary.split()))
            for source, summary in zip(sources, summaries, strict=True)
        ]


def trainer(folder: Path, model: PreTrainedModel, **options: Any) -> ContrastiveSeq2SeqTrainer:
    given = {name: options.pop(name) for name in ("ranker", "eval_dataset", "compute_metrics") if name in options}
    plain = options.pop("plain", False)
    data = options.pop("train_dataset", None)
    return ContrastiveSeq2SeqTrainer(
        model=model,
        args=arguments(folder, plain, **{"generation_max_length": 8, **options}),
        train_dataset=documents(20) if data is None else data,
        data_collator=DataCollatorForSeq2Seq(tiny_tokenizer(), model=model, label_pad_token_id=-100),
        processing_class=tiny_tokenizer(),
        **given,
    )
