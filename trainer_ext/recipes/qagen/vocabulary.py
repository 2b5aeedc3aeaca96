"""A T5 or BART with a smaller vocabulary: the pieces that given texts use, and all single characters.

Half of a small model is its vocabulary. Texts in one language use half of the pieces; those that are cut are spelled by
shorter ones. T5's has bytes then for characters without a piece; BERT's WordPiece reads these as unknown, as before.
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
_IDS = ("pad_token_id", "eos_token_id", "bos_token_id", "decoder_start_token_id", "forced_eos_token_id")
_ROUND = 64  # the number of rows is a multiple of this


def cut_vocabulary(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Iterable[str], pieces: int
) -> PreTrainedTokenizerBase:
    """Cut a model to the pieces that texts use most; its logits for pieces that stay do not change.

    Every piece of a single character stays. With T5's tokenizer every byte becomes a piece, so that a text never loses
    a character that the tokenizer's normalization leaves, and T5's sentinels go. Rows for bytes, and some spare ones,
    are the mean of the others, in the embeddings and in the output projection.

    Args:
        model: a T5, or a BART with BERT's tokenizer, which is changed.
        tokenizer: its tokenizer.
        texts: texts such as it will be trained on and read.
        pieces: pieces that stay, without T5's 256 bytes.

    Returns:
        The tokenizer of the changed model.

    Raises:
        CheckpointError: the tokenizer is neither T5's nor BERT's.
        OptionError: ``pieces`` does not hold the single characters, or is more than there are.
    """
    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    rule = rules["model"]
    if rule["type"] == "Unigram" and not rule.get("byte_fallback"):
        vocabulary, mark, fallback = [piece for piece, _ in rule["vocab"]], "▁", _BYTES
    elif rule["type"] == "WordPiece" and (rules["post_processor"] or {}).get("type") == "TemplateProcessing":
        vocabulary = sorted(rule["vocab"], key=rule["vocab"].__getitem__)
        mark, fallback = rule["continuing_subword_prefix"], []
    else:
        raise CheckpointError("Only a vocabulary of T5 or BERT can be cut, and this tokenizer's is not one.")
    added = [token for token in rules["added_tokens"] if not _SENTINEL.fullmatch(token["content"])]
    kept = _kept(vocabulary, mark, {token["id"] for token in added}, _counts(tokenizer, texts), pieces)
    outside = [token["id"] for token in added if token["id"] >= len(vocabulary)]
    rows = [*kept, *[None] * len(fallback), *outside]
    rows += [None] * (_ROUND - len(rows) % _ROUND)
    places = {row: place for place, row in enumerate(rows) if row is not None}

    if fallback:
        least = min(score for _, score in rule["vocab"])
        rule["vocab"] = [*(rule["vocab"][row] for row in kept), *((piece, least) for piece in fallback)]
        rule |= {"unk_id": places[rule["unk_id"]], "byte_fallback": True}
        rules["decoder"] = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, rules["decoder"]]}
    else:
        rule["vocab"] = {vocabulary[row]: places[row] for row in kept}
    rules["added_tokens"] = [{**token, "id": places[token["id"]]} for token in added]
    for token in rules["post_processor"]["special_tokens"].values():
        token["ids"] = [places[row] for row in token["ids"]]
    _take_rows(model, rows)
    for name in _IDS:
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


def _kept(vocabulary: Sequence[str], mark: str, special: set[int], counts: Counter[int], pieces: int) -> list[int]:
    """The pieces that stay, in their order; ``mark`` is what a piece says of its place in a word."""
    needed = {row for row, piece in enumerate(vocabulary) if row in special or len(piece.removeprefix(mark)) <= 1}
    if not len(needed) <= pieces <= len(vocabulary):
        raise OptionError(f"pieces is {pieces}: give {len(needed)} to {len(vocabulary)}.")
    sentinels = {row for row, piece in enumerate(vocabulary) if _SENTINEL.fullmatch(piece)}
    used = [row for row, _ in counts.most_common() if row not in needed | sentinels]
    return sorted({*needed, *used[: pieces - len(needed)]})


def _take_rows(model: PreTrainedModel, rows: Sequence[int | None]) -> None:
    """Rows of the embeddings and the output projection from where they are now; None is the mean of the others."""
    before = [part.weight.detach().clone() for part in _parts(model)]
    biases = getattr(model, "final_logits_bias", None)  # (1, V), of a BART
    resize_embeddings(model, len(rows))
    known = [row for row in rows if row is not None]
    for part, weight in zip(_parts(model), before, strict=True):
        mean = weight[known].mean(0)  # (D,)
        part.weight.data.copy_(torch.stack([mean if row is None else weight[row] for row in rows]))
    if biases is not None:
        taken = [0.0 if row is None else float(biases[0, row]) for row in rows]
        model.final_logits_bias = torch.tensor([taken], dtype=biases.dtype)


def _parts(model: PreTrainedModel) -> list[Any]:
    """The input embeddings, and the output projection where it is another matrix."""
    embeddings, projection = model.get_input_embeddings(), model.get_output_embeddings()
    return [embeddings] if projection.weight is embeddings.weight else [embeddings, projection]
