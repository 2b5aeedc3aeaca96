"""Warnings about texts that are scored, but hardly as they were meant: swapped, empty, or in an unknown language."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from .batching import tokenize
from .errors import DoubtfulTextWarning
from .inputs import has_words

_READ = 300  # characters of a text that show its language
_LEAST = 40  # columns of letters below which they do not
# Measured on sentences of 25 languages. The embedded tokenizer reads those of Latin script at 0.28 to 0.53 tokens per
# column, and one of bytes (GPT-2's) at 0.26 to 0.62, but Vietnamese at 1.14. Greek, Cyrillic, Arabic, Hebrew and Indian
# scripts have 0.74 and more (Tamil: 21 % unknown), or 0.12 to 1 of the tokens are unknown: Thai, Chinese, Korean, ...
_MOST_TOKENS, _MOST_UNKNOWN = 0.7, 0.15
_NO_LETTERS = re.compile(
    r"[\x00-@\[-`{-\xbf\u2000-\u2bff\u3000-\u303f\ue000-\uf8ff\ufe00-\ufe0f\uff00-\uff20\U0001f000-\U0010ffff]+"
)
_WIDE = re.compile(r"[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff]")  # signs of two columns: Chinese, Korean


class Doubts:
    """Looks through the texts of one call of a scorer, chunk by chunk.

    Args:
        name: the scorer's, for the messages.
        tokenizers: those of its models.
        told: kinds of doubt that the scorer has warned of, and does not again; it grows.
    """

    def __init__(self, name: str, tokenizers: Sequence[PreTrainedTokenizerBase], told: set[str]) -> None:
        self._name, self._tokenizers, self._told = name, tokenizers, told
        self._longer = 0  # characters by which the summaries are longer than their sources so far

    def look(self, rows: Sequence[tuple[str, str]]) -> None:
        """Warn of what the next (source, summary) rows give reason to, of each kind once."""
        full = [(source, summary) for source, summary in rows if has_words(source)]
        self._longer += sum(len(summary) - len(source) for source, summary in full)
        if len(full) < len(rows):
            self._warn("empty", "a source has no words, so its summary's score says nothing. Leave such rows out.")
        if self._longer > 0:
            self._warn(
                "swapped",
                "on the whole the summaries are longer than their sources. Are they swapped? A source is the text that "
                "was summarized.",
            )
        if "unknown" not in self._told:
            texts = list(dict.fromkeys(text[:_READ] for row in rows for text in row))
            if any(any(are_unknown(tokenizer, texts)) for tokenizer in self._tokenizers):
                self._warn(
                    "unknown",
                    "the model's tokenizer hardly knows the language of a text, so scores of such texts say little. "
                    "Give a checkpoint that was trained on this language.",
                )

    def _warn(self, kind: str, message: str) -> None:
        if kind not in self._told:
            self._told.add(kind)
            warnings.warn(f"{self._name}: {message}", DoubtfulTextWarning, stacklevel=4)


def are_unknown(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[bool]:
    """Whether each text is in a language that the tokenizer does not know.

    It then reads unknown tokens, or letters and bytes one by one. A language whose script and pieces of words it shares
    with a known one is not noticed: German, to a tokenizer of English.

    Args:
        tokenizer: any.
        texts: short ones with less than 40 letters are taken for known.

    Example:
        >>> from quals import QualsScorer
        >>> tokenizer = QualsScorer().qagen.tokenizer
        >>> english = "The prosecutors have dropped the case against a flower seller."
        >>> are_unknown(tokenizer, [english, "Прокуратура прекратила дело против продавщицы цветов."])
        [False, True]
    """
    letters = [_NO_LETTERS.sub(" ", text).strip() for text in texts]
    columns = [len(text) - text.count(" ") + len(_WIDE.findall(text)) for text in letters]
    long = [place for place, count in enumerate(columns) if count >= _LEAST]
    unknown = [False] * len(texts)
    if not long:
        return unknown
    read = tokenize(tokenizer, [letters[place] for place in long], add_special_tokens=False)["input_ids"]
    for place, ids in zip(long, read, strict=True):
        missing = ids.count(tokenizer.unk_token_id) if tokenizer.unk_token_id is not None else 0
        unknown[place] = len(ids) > _MOST_TOKENS * columns[place] or missing > _MOST_UNKNOWN * len(ids)
    return unknown
