"""Tokenizers that make a special token of a text that spells one, and how to stop them.

``split_special_tokens=True`` is meant to read a typed "</s>" as text. The vocabularies of T5, Pegasus and other
SentencePiece models hold "</s>" as an ordinary piece too, so that they still make an end of sequence of it (see
findings/typed-special-tokens-of-sentencepiece.sh).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict

from tokenizers import Regex, Tokenizer, normalizers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from .errors import CheckpointError

_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


def spelled_as_text(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """A tokenizer to which a typed special token is text; ``tokenizer`` itself where it is so already.

    A space is put behind the first character of what spells a special token, once the text is normalized, because
    normalizing can spell one too. Special tokens that the tokenizer adds by itself stay as they are. The result is a
    plain fast tokenizer: transformers 5.24 makes T5's own class anew when it loads, without what was changed here.

    Raises:
        CheckpointError: the tokenizer's pieces spell a special token in another way.
    """
    if not tokenizer.is_fast:
        return tokenizer
    contents = _special_pieces(tokenizer)
    if not _spelled(tokenizer, contents):
        return tokenizer
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    rests: dict[str, list[str]] = defaultdict(list)
    for content in contents:
        rests[content[0]].append(re.escape(content[1:]))
    backend.normalizer = normalizers.Sequence(
        [
            *([backend.normalizer] if backend.normalizer is not None else []),
            *(
                normalizers.Replace(Regex(f"{re.escape(start)}(?={'|'.join(ends)})"), f"{start} ")
                for start, ends in rests.items()
            ),
        ]
    )
    plain = with_backend(tokenizer, backend)
    if left := _spelled(plain, contents):
        raise CheckpointError(f"The tokenizer makes special tokens of the texts {', '.join(left[:3])}: give another.")
    return plain


def with_backend(tokenizer: PreTrainedTokenizerBase, backend: Tokenizer) -> PreTrainedTokenizerBase:
    """A plain fast tokenizer with other rules, and the special tokens, sides and length of ``tokenizer``."""
    named = {name: token for name in _NAMES if (token := getattr(tokenizer, name)) is not None}
    others = [token for token in tokenizer.all_special_tokens if token not in named.values()]
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        additional_special_tokens=[token for token in others if backend.token_to_id(token) is not None],
        model_max_length=tokenizer.model_max_length,
        model_input_names=tokenizer.model_input_names,
        padding_side=tokenizer.padding_side,
        truncation_side=tokenizer.truncation_side,
        **named,
    )


def _special_pieces(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """Special tokens, and pieces that stand for bytes, which a text could spell."""
    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    if rules["model"]["type"] != "Unigram":  # others build a piece from its characters, but never a special one
        return {}
    special = {token["content"] for token in rules["added_tokens"] if token["special"]}
    return {
        piece: number
        for number, (piece, _) in enumerate(rules["model"]["vocab"])
        if piece in special or _BYTE.fullmatch(piece)
    }


def _spelled(tokenizer: PreTrainedTokenizerBase, pieces: dict[str, int]) -> list[str]:
    """Those that the tokenizer makes of a text, alone or behind the piece for a space."""
    if not pieces:
        return []
    texts = list(pieces)
    ids = tokenizer(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return [text for text, tokens in zip(texts, ids, strict=True) if tokens[-1:] == [pieces[text]] and len(tokens) < 3]
