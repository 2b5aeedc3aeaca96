"""Runs of `quals train qagen` on a tiny base and a few invented passages, and what they leave behind."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from safetensors.torch import load_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast, Seq2SeqTrainingArguments

from support.tiny import WORDS, tiny_model
from trainer_ext.recipes.qagen.trainer import QAGenTrainer

EVAL_STEPS = 8


def write_base(folder: Path, kind: str = "bart", scale: float = 1.0) -> Path:
    """A seq2seq checkpoint that knows nothing about QAGens: no separator in its vocabulary, dropout as usual.

    ``scale`` multiplies the embeddings: the smaller, the more alike are the words to it.
    """
    special = ["<pad>", "<s>", "</s>", "<unk>"]
    vocabulary = {word: index for index, word in enumerate([*special, *WORDS])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    model = tiny_model(kind)
    del model.config.qagen_separator
    model.resize_token_embeddings(len(tokenizer))
    model.get_input_embeddings().weight.data.mul_(scale)
    if kind == "bart":
        model.config.dropout = 0.1  # so that a resumed run must also go on with the same random numbers
    else:
        model.config.dropout_rate = 0.1
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_data(path: Path, passages: int, seed: int) -> Path:
    """Two-sentence passages about who did what, three of an article, with two questions each."""
    rng = random.Random(seed)
    with path.open("w", encoding="utf-8") as file:
        for number in range(passages):
            who, what, where = (rng.choice(words.split()) for words in ("cat dog king", "mat city", "paris london"))
            won = f"The {who} won the {what} in the red city of {where}."
            context = f"{won} The queen of {where} lost the {what} and the river."
            qas = [
                {"question": f"Who won the {what}?", "answers": [f"The {who}"]},
                {"question": "Where was the queen?", "answers": [where, f"city of {where}"]},
            ]
            file.write(json.dumps({"title": f"t{number // 3}", "context": context, "qas": qas}) + "\n")
    return path


def command(base: Path, data: tuple[Path, Path], output: Path, **options: Any) -> list[str]:
    """The words of a short training; options replace its own."""
    settings = {
        "--model": base,
        "--train-file": data[0],
        "--validation-file": data[1],
        "--output-dir": output,
        "--epochs": 2,
        "--learning-rate": 5e-3,
        "--warmup-steps": 5,
        "--tokens-per-batch": 64,
        "--gradient-accumulation-steps": 2,
        "--max-tokens": 64,
        "--eval-steps": EVAL_STEPS,
        "--seed": 3,
        "--dtype": "float32",
        "--credit": "Invented rows, no licence needed",
        **{f"--{name.replace('_', '-')}": value for name, value in options.items()},
    }
    flat = [part for name, value in settings.items() for part in (name, str(value))]
    return ["train", "qagen", *flat, "--no-bf16"]


def trainer_of(
    folder: Path, model: PreTrainedModel, rows: Dataset | None, tokens_per_batch: int = 10_000, **options: Any
) -> QAGenTrainer:
    settings: dict[str, Any] = {
        "output_dir": str(folder),
        "use_cpu": True,
        "num_train_epochs": 1,
        "learning_rate": 1e-2,
        "lr_scheduler_type": "constant",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "max_grad_norm": 1e9,  # the norm is logged, and never reached
        "accelerator_config": {"even_batches": False},
    }
    arguments = Seq2SeqTrainingArguments(**{**settings, **options})
    return QAGenTrainer(model, arguments, tokens_per_batch=tokens_per_batch, train_dataset=rows)


def plain_nll(model: PreTrainedModel, rows: Dataset) -> tuple[float, int]:
    """Summed negative log-likelihood and number of the rows' target tokens, one target at a time, nothing shared."""
    plain = type(model)(model.config)
    plain.load_state_dict(model.state_dict())
    plain.set_attn_implementation("eager")
    plain.eval()
    total, tokens = 0.0, 0
    for row in rows:
        for target in row["labels"]:
            with torch.no_grad():
                decoder_input_ids = torch.tensor([[model.config.decoder_start_token_id, *target[:-1]]])
                logits = plain(input_ids=torch.tensor([row["input_ids"]]), decoder_input_ids=decoder_input_ids).logits
            total += float(nn.functional.cross_entropy(logits[0], torch.tensor(target), reduction="sum"))
            tokens += len(target)
    return total, tokens


def same_weights(folder: Path, other: Path) -> bool:
    weights, others = load_file(folder / "model.safetensors"), load_file(other / "model.safetensors")
    return weights.keys() == others.keys() and all(torch.equal(weights[name], others[name]) for name in weights)


def step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("checkpoint-"))


def last_state(output: Path) -> dict[str, Any]:
    """The trainer's state in the newest checkpoint that has one; it is the last file of a checkpoint."""
    states = filter(is_json, (output / "checkpoints").glob("checkpoint-*/trainer_state.json"))
    state: dict[str, Any] = json.loads(max(states, key=lambda file: step_of(file.parent)).read_text())
    return state


def evaluations(state: dict[str, Any]) -> dict[int, float]:
    return {entry["step"]: entry["eval_loss"] for entry in state["log_history"] if "eval_loss" in entry}


def is_json(file: Path) -> bool:
    try:
        json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return False
    return True


def one_line(error: str) -> str:
    """The message, which is one line behind whatever libraries printed."""
    [message] = [line for line in error.splitlines() if line.startswith("quals train: ")]
    assert error.rstrip("\n").endswith(message), error
    return message
