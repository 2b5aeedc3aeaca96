"""The texts that a ranker reads: decoded from tokens, or from columns of text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from datasets import Dataset
from quals.typography import plain
from transformers import PreTrainedTokenizerBase

from trainer_ext.dataset import CANDIDATE_LABELS, IGNORED
from trainer_ext.mining.columns import LABELS, batches, label_ids, values


def source_texts(
    dataset: Dataset, tokenizer: PreTrainedTokenizerBase | None, prefix: str = "", column: str | None = None
) -> list[str]:
    """The sources: the texts of ``column``, or ``input_ids`` decoded, with the prefix (``summarize: ``) taken off.

    Raises:
        ValueError: a column is missing or does not hold texts, or there is no tokenizer to decode with.
    """
    if column is not None:
        return _texts(dataset, column)
    texts = [
        text
        for batch in batches(dataset, ["input_ids"])
        for text in _decoded(tokenizer, batch["input_ids"], "source_column")
    ]
    if not prefix or tokenizer is None:
        return texts
    ids = tokenizer(prefix, add_special_tokens=False)["input_ids"]
    [decoded] = _decoded(tokenizer, [ids], "source_column")  # a tokenizer may lower-case or space it otherwise
    return [_without(text, (prefix, prefix.strip(), decoded.strip())) for text in texts]


def reference_texts(
    dataset: Dataset, tokenizer: PreTrainedTokenizerBase | None, column: str | None = None
) -> list[str] | None:
    """The reference summaries: the texts of ``column``, or ``labels`` decoded; None where there are neither.

    Raises:
        ValueError: the named column is missing or does not hold texts, or there is no tokenizer to decode with.
    """
    if column is not None:
        return _texts(dataset, column)
    if LABELS not in dataset.column_names:
        return None
    return _decoded(tokenizer, label_ids(dataset), "reference_column")


def candidate_texts(
    dataset: Dataset, tokenizer: PreTrainedTokenizerBase | None, column: str | None = None
) -> list[list[str]]:
    """Each document's candidates: the lists of texts in ``column``, or ``candidate_labels`` decoded.

    Raises:
        ValueError: a column is missing or does not hold lists of texts, or there is no tokenizer to decode with.
    """
    if column is not None:
        lists = values(dataset, column)
        for row, texts in enumerate(lists):
            if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
                raise ValueError(f"Row {row} of {column!r} is not a list of texts: give one list per document.")
        return lists
    result: list[list[str]] = []
    for batch in batches(dataset, [CANDIDATE_LABELS]):
        labels = batch[CANDIDATE_LABELS]
        flat = [[token for token in ids if token != IGNORED] for candidates in labels for ids in candidates]
        rest = iter(_decoded(tokenizer, flat, "candidate_column"))
        result += [[next(rest) for _ in candidates] for candidates in labels]
    return result


_LEAST = 8  # different texts that must share a beginning that ends in punctuation, such as a colon
_LEAST_WORDS = 32  # those that must share one of words alone: fewer may all begin with "The" by chance


def find_prefix(texts: Sequence[str]) -> str:
    """The common beginning of all texts, in whole words, if it looks like a prompt (``summarize: ``); else "".

    Eight different texts or more must share it. It reaches to the last colon, other punctuation or end of a line; where
    there is none, 32 texts or more must share it. A beginning that comes again inside many of the texts, such as the
    first speaker of a dialogue, belongs to them.

    Example:
        >>> find_prefix([f"summarize: Text {number} is long." for number in "abcdefgh"])
        'summarize: '
        >>> find_prefix([f"summarize: {letter * 4} is long." for letter in "abcdefgh"])
        'summarize: '
        >>> find_prefix([f"The {letter} is here." for letter in "abcdefgh"])
        ''
        >>> find_prefix([f"Ann: {letter}? Ann: Yes." for letter in "abcdefgh"])
        ''
    """
    different = set(texts)
    first, last = min(different, default=""), max(different, default="")  # these two share what all share
    common = "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))
    ends = [place for place, letter in enumerate(common) if letter.isspace()]
    marked = [place for place in ends if common[place] == "\n" or not common[:place].rstrip()[-1:].isalnum()]
    prefix = common[: max(marked or ends, default=-1) + 1]
    if len(different) < (_LEAST if marked else _LEAST_WORDS) or not folded(prefix):
        return ""
    again = sum(prefix.strip() in text[len(prefix) :] for text in different)
    return prefix if 10 * again <= len(different) else ""


def folded(text: str) -> str:
    """The letters and digits of a text, without case and accents: two texts of the same words have the same.

    Example:
        >>> folded("The Café's open.") == folded("the cafe s OPEN")
        True
    """
    return "".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFKD", plain(text)).casefold()))


def _decoded(tokenizer: PreTrainedTokenizerBase | None, sequences: Sequence[Sequence[int]], instead: str) -> list[str]:
    if tokenizer is None:
        raise ValueError(f"There is no tokenizer to decode tokens with: give one, or a column of texts ({instead}).")
    decode: Any = tokenizer.batch_decode
    return [str(text) for text in decode(sequences, skip_special_tokens=True)]


def _texts(dataset: Dataset, column: str) -> list[str]:
    texts = values(dataset, column)
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"Row {row} of {column!r} is {type(text).__name__}, not text: give every row a string.")
    return texts


def _without(text: str, prefixes: Sequence[str]) -> str:
    for prefix in prefixes:
        if prefix and text.startswith(prefix):
            return text[len(prefix) :].lstrip()
    return text
