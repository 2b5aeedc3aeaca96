"""Small trainings, with candidates of their own or mined by a tiny summarizer, and what is read off them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import (
    AutoModelForSeq2SeqLM,
    DataCollatorForSeq2Seq,
    PreTrainedModel,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
)

from support.families import SIZE
from support.tiny import WORDS, tiny_model, tiny_tokenizer
from trainer_ext import ContrastiveSeq2SeqTrainer, ContrastiveSeq2SeqTrainingArguments


def rows(count: int = 8, candidates: int = 2, seed: int = 0) -> Dataset:
    """Random documents, summaries and candidates, all of unequal lengths."""
    generator = torch.Generator().manual_seed(seed)

    def tokens(low: int, high: int) -> list[int]:
        length = int(torch.randint(low, high, (1,), generator=generator))
        return [1, *torch.randint(5, SIZE, (length,), generator=generator).tolist(), 2]

    table: dict[str, list[Any]] = {"input_ids": [tokens(3, 14) for _ in range(count)]}
    table["attention_mask"] = [[1] * len(ids) for ids in table["input_ids"]]
    table["labels"] = [tokens(1, 9) for _ in range(count)]
    if candidates:
        table["candidate_labels"] = [[tokens(1, 9) for _ in range(candidates)] for _ in range(count)]
        table["candidate_scores"] = [torch.randn(candidates, generator=generator).tolist() for _ in range(count)]
    return Dataset.from_dict(table)


def arguments(folder: Path, plain: bool = False, **options: Any) -> Seq2SeqTrainingArguments:
    settings: dict[str, Any] = {
        "output_dir": str(folder),
        "per_device_train_batch_size": 4,
        "per_device_eval_batch_size": 4,
        "num_train_epochs": 1,
        "learning_rate": 1e-3,
        "label_smoothing_factor": 0.0,
        "lr_scheduler_type": "constant",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        "seed": 3,
        **options,
    }
    if plain:
        return Seq2SeqTrainingArguments(**settings)
    return ContrastiveSeq2SeqTrainingArguments(**{"card_documents": 0, **settings})


def trained(
    folder: Path, data: Dataset, model: torch.nn.Module | None = None, **options: Any
) -> ContrastiveSeq2SeqTrainer:
    trainer = ContrastiveSeq2SeqTrainer(
        model or tiny_model("bart"), arguments(folder, **options), train_dataset=data, processing_class=tiny_tokenizer()
    )
    trainer.train()
    return trainer


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def losses(trainer: Seq2SeqTrainer, name: str = "loss") -> list[float]:
    return [entry[name] for entry in trainer.state.log_history if name in entry]


def with_dropout(model: PreTrainedModel) -> PreTrainedModel:
    """The model, dropping out: tiny ones do not, which hides what hangs on random numbers."""
    for module in model.modules():
        if isinstance(getattr(module, "dropout", None), float):
            module.dropout = 0.3
    return model


# Trainings that mine.

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
