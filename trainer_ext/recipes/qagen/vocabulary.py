"""A T5 with a smaller vocabulary: the pieces that given texts use, and bytes for all characters without a piece.

Half of a small T5 is its vocabulary, in several languages. Texts in one language use half of the pieces; those that are
cut are spelled by shorter ones.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import torch
from quals.errors import CheckpointError, OptionError
from quals.special_tokens import spelled_as_text, with_backend
from tokenizers import Tokenizer
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainer_ext.recipes.qagen.separator import resize_embeddings

_SENTINEL = re.compile(r"<extra_id_\d+>")
_BYTES = [f"<0x{number:02X}>" for number in range(256)]
_ROUND = 64  # the number of rows is a multiple of this


def cut_vocabulary(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Iterable[str], pieces: int
) -> PreTrainedTokenizerBase:
    """Cut a T5 to the pieces that texts use most; its logits for pieces that stay do not change.

    Every piece of a single character stays, and every byte becomes a piece, so that a text never loses a character
    that the tokenizer's normalization leaves. T5's sentinels go. Rows for bytes, and some spare ones, are the mean of
    the others, in the embeddings and in the output projection.

    Args:
        model: a T5, which is changed.
        tokenizer: its tokenizer.
        texts: texts such as it will be trained on and read.
        pieces: pieces that stay, without the 256 bytes.

    Returns:
        The tokenizer of the changed model.

    Raises:
        CheckpointError: the tokenizer is not T5's.
        OptionError: ``pieces`` does not hold the single characters, or is more than there are.
    """
    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    if rules["model"]["type"] != "Unigram" or rules["model"].get("byte_fallback"):
        raise CheckpointError("Only a T5's vocabulary can be cut: this tokenizer is not a Unigram model without bytes.")
    vocabulary: list[tuple[str, float]] = rules["model"]["vocab"]
    added = [token for token in rules["added_tokens"] if not _SENTINEL.fullmatch(token["content"])]
    kept = _kept(vocabulary, {token["id"] for token in added}, _counts(tokenizer, texts), pieces)
    outside = [token["id"] for token in added if token["id"] >= len(vocabulary)]
    rows = [*kept, *[None] * len(_BYTES), *outside]
    rows += [None] * (_ROUND - len(rows) % _ROUND)
    places = {row: place for place, row in enumerate(rows) if row is not None}

    least = min(score for _, score in vocabulary)
    rules["model"] |= {
        "vocab": [*(vocabulary[row] for row in kept), *((piece, least) for piece in _BYTES)],
        "unk_id": places[rules["model"]["unk_id"]],
        "byte_fallback": True,
    }
    rules["added_tokens"] = [{**token, "id": places[token["id"]]} for token in added]
    rules["decoder"] = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, rules["decoder"]]}
    for token in rules["post_processor"]["special_tokens"].values():
        token["ids"] = [places[row] for row in token["ids"]]
    _take_rows(model, rows)
    for name in ("pad_token_id", "eos_token_id", "bos_token_id", "decoder_start_token_id"):
        for config in (model.config, model.generation_config):
            if (row := getattr(config, name, None)) is not None:
                setattr(config, name, places[row])
    return spelled_as_text(with_backend(tokenizer, Tokenizer.from_str(json.dumps(rules))))


def _counts(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> Counter[int]:
    counts: Counter[int] = Counter()
    rest = iter(texts)
    while batch := list(islice(rest, 1000)):
        encoded = tokenizer(batch, add_special_tokens=False, split_special_tokens=True, verbose=False)
        for ids in encoded["input_ids"]:
            counts.update(ids)
    return counts


def _kept(vocabulary: Sequence[tuple[str, float]], special: set[int], counts: Counter[int], pieces: int) -> list[int]:
    """The pieces that stay, in their order."""
    needed = {row for row, (piece, _) in enumerate(vocabulary) if row in special or len(piece.strip("▁")) <= 1}
    if not len(needed) <= pieces <= len(vocabulary):
        raise OptionError(f"pieces is {pieces}: give {len(needed)} to {len(vocabulary)}.")
    sentinels = {row for row, (piece, _) in enumerate(vocabulary) if _SENTINEL.fullmatch(piece)}
    used = [row for row, _ in counts.most_common() if row not in needed | sentinels]
    return sorted({*needed, *used[: pieces - len(needed)]})


def _take_rows(model: PreTrainedModel, rows: Sequence[int | None]) -> None:
    """Rows of the embeddings and the output projection from where they are now; None is the mean of the others."""
    before = [part.weight.detach().clone() for part in _parts(model)]
    resize_embeddings(model, len(rows))
    known = [row for row in rows if row is not None]
    for part, weight in zip(_parts(model), before, strict=True):
        mean = weight[known].mean(0)  # (D,)
        part.weight.data.copy_(torch.stack([mean if row is None else weight[row] for row in rows]))


def _parts(model: PreTrainedModel) -> list[Any]:
    """The input embeddings, and the output projection where it is another matrix."""
    embeddings, projection = model.get_input_embeddings(), model.get_output_embeddings()
    return [embeddings] if projection.weight is embeddings.weight else [embeddings, projection]
