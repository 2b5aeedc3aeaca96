"""Tiny T5s with a vocabulary of pieces, which holds the special tokens too, as T5's own does."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

SPECIAL = ["<pad>", "</s>", "<unk>"]
SENTINELS = ["<extra_id_1>", "<extra_id_0>"]
_CHARACTERS = "abcdefghijklmnopqrstuvwxyz/>.?0123456789"  # T5 has a piece for ">", and none for "<"
_WORDS = "the cat sat on mat who won where is king of paris queen lost river red city what did".split()  # noqa: SIM905


def t5_tokenizer() -> PreTrainedTokenizerFast:
    """Pieces for characters, words, and words behind a space; the sentinels come last."""
    pieces = [(token, 0.0) for token in SPECIAL]
    pieces += [("▁", -4.0), *((letter, -6.0) for letter in _CHARACTERS)]
    pieces += [(f"{start}{word}", -3.0 - len(start)) for word in _WORDS for start in ("▁", "") if len(word) > 1]
    pieces += [("▁a", -3.0), ("ing", -4.0), ("▁cats", -5.0), *((token, 0.0) for token in SENTINELS)]
    backend = Tokenizer(models.Unigram(pieces, unk_id=2, byte_fallback=False))
    backend.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    backend.decoder = decoders.Metaspace(prepend_scheme="always")
    backend.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    backend.add_special_tokens([*SPECIAL, *SENTINELS])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="</s>", pad_token="<pad>", unk_token="<unk>", model_max_length=64
    )


def tiny_t5(rows: int, own_projection: bool, layers: int = 2) -> T5ForConditionalGeneration:
    """A random one; ``own_projection`` gives it another matrix for its output than for its input, as Flan-T5 has."""
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=rows, d_model=16, d_kv=8, d_ff=32, num_layers=layers, num_heads=2, dropout_rate=0.0,
        decoder_start_token_id=0, tie_word_embeddings=not own_projection,
    )  # fmt: skip
    model = T5ForConditionalGeneration(config)
    if own_projection:
        model.lm_head.weight = torch.nn.Parameter(torch.randn(rows, 16))
    return model.eval()


def save_t5(folder: Path, rows: int | None = None, own_projection: bool = True) -> Path:
    """A folder with both; without ``rows`` the vocabulary is full."""
    tokenizer = t5_tokenizer()
    tiny_t5(rows or len(tokenizer), own_projection).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
