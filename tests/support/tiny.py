"""Tiny models made from configs: encoder-decoders of three families over the words of a small English."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    LlamaConfig,
    LlamaForCausalLM,
    PegasusConfig,
    PegasusForConditionalGeneration,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

REPOSITORY = Path(__file__).resolve().parents[2]
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


def save_left(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write it as one that pads and cuts on the left, which set as attributes alone would not be written."""
    tokenizer.init_kwargs |= {"padding_side": "left", "truncation_side": "left"}
    tokenizer.padding_side = tokenizer.truncation_side = "left"
    tokenizer.save_pretrained(folder)


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


CHAT = (
    "{% for message in messages %}<sep> {{ message['role'] }} {{ message['content'] }} </s>{% endfor %}"
    "{% if add_generation_prompt %}<sep> assistant {% endif %}"
)


def save_tiny_causal(folder: Path, chat: bool = True, seed: int = 0) -> Path:
    """A tiny random Llama, which reads 128 tokens, with a chat template or without one."""
    torch.manual_seed(seed)
    sizes = {"vocab_size": len(WORDS) + 5, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.4}
    LlamaForCausalLM(LlamaConfig(**sizes, **heads, **ids, max_position_embeddings=128)).save_pretrained(folder)
    tokenizer = tiny_tokenizer()
    tokenizer.model_max_length = 128
    if chat:
        tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(folder)
    return folder


def save_tiny_qagen(folder: Path, kind: str = "bart", seed: int = 0) -> Path:
    """A tiny QAGen folder that ``load_qagen`` accepts."""
    tiny_model(kind, seed).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


@contextmanager
def one_thread() -> Iterator[None]:
    """On more threads sums come out in another order, and hundreds of steps make another model of that."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def same_everywhere() -> Iterator[None]:
    """One thread and float64: processors round float32 each in its own way, and in hundreds of steps that adds up."""
    torch.set_default_dtype(torch.float64)
    try:
        with one_thread():
            yield
    finally:
        torch.set_default_dtype(torch.float32)


@same_everywhere()
def train_tiny_qagen(
    folder: Path, ask: Callable[[random.Random, list[str]], str], kind: str = "bart", longest: int = 8, steps: int = 250
) -> Path:
    """A tiny QAGen that has learned to ask as ``ask`` does of a text's words, so that its pairs survive the filter."""
    tokenizer, model = tiny_tokenizer(), tiny_model(kind).train()
    rng = random.Random(0)
    content = [word for word in WORDS if word.isalpha() and len(word) > 2]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, fused=True)
    # A rate that falls, and clipped gradients, end the training where it is good and not at a spike of the loss.
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, 2 * (1 - step / steps)))
    for _ in range(steps):
        texts = [[rng.choice(content) for _ in range(rng.randrange(3, longest + 1))] for _ in range(32)]
        inputs = tokenizer([" ".join(text) for text in texts], padding=True, return_tensors="pt")
        targets = [f"{ask(rng, text)} </s>" for text in texts]
        labels = tokenizer(targets, add_special_tokens=False, padding=True, return_tensors="pt")["input_ids"]
        loss = model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            labels=labels.masked_fill(labels == tokenizer.pad_token_id, -100),
        ).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    model.float()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
