"""Tiny documents, and references that a tiny random model has some chance to sample: its own greedy summaries."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import GenerationConfig, PreTrainedModel

from support.tiny import WORDS, tiny_model, tiny_tokenizer
from trainer_ext.mining import SamplingSettings, generate_summaries
from trainer_ext.mining.texts import folded

FEW = SamplingSettings(num_candidates=4, batch_tokens=160, max_length=10, temperature=0.7)


def documents(count: int, seed: int = 0, longest: int = 20) -> Dataset:
    """Rows of ``input_ids``, 3 tokens and more, a word among them, and a running ``number``."""
    rng, tokenizer = random.Random(seed), tiny_tokenizer()
    texts = [" ".join(rng.choices(WORDS, k=rng.randrange(1, longest))) for _ in range(count)]
    texts = [text if folded(text) else "cat" for text in texts]
    return Dataset.from_dict({"input_ids": tokenizer(texts)["input_ids"], "number": list(range(count))})


def with_labels(model: PreTrainedModel, dataset: Dataset) -> Dataset:
    """With the model's greedy summaries as ``labels``, and the word "cat" for those without a word."""
    config, tokenizer = GenerationConfig(max_length=10, num_beams=1), tiny_tokenizer()
    labels = generate_summaries(model, dataset, config, progress=False)
    texts = tokenizer.batch_decode(labels, skip_special_tokens=True)
    [cat] = tokenizer(["cat"])["input_ids"]
    return dataset.add_column("labels", [ids if folded(text) else cat for ids, text in zip(labels, texts, strict=True)])


def summarizer(kind: str = "bart", seed: int = 0) -> PreTrainedModel:
    """A tiny random model."""
    return tiny_model(kind, seed)


def copied(sources: list[str], summaries: list[str], references: Any) -> list[float | None]:
    """A ranker: the share of a summary's words that the source has; none for an empty summary."""
    shares = []
    for source, summary in zip(sources, summaries, strict=True):
        words = summary.split()
        shares.append(sum(word in source.split() for word in words) / len(words) if words else None)
    return shares


def columns(dataset: Dataset) -> dict[str, list[Any]]:
    """All of a data set, for comparisons; NaN becomes None."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(item) for item in value]
        return None if value != value else value

    return {name: plain(list(dataset[name])) for name in dataset.column_names}


def chunks(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("*/chunk-*.json")}
