"""What can be asked for in a summary, its names and noun chunks, and how two answers compare (Wang et al. 2020)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from threading import Lock
from typing import TYPE_CHECKING

from quals.pairs import fold

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Token

_ANY = ("one", "ones", "other", "others")
LONGEST = 100_000  # characters: parsing as many takes a gigabyte, and question generators read less

# spaCy does not say that a pipeline may parse in two threads at once.
_one_thread = Lock()


def answer_spans(texts: Iterable[str], pipeline: Language, most: int = 10) -> list[list[tuple[int, int]]]:
    """Character spans of each text's answers, ``most`` at most: entities first, then noun chunks, in the text's order.

    The authors draw 10 at random; these are always the same. Answers that differ in case, accents or punctuation alone
    are one. An article alone is not an answer: compared without articles it would equal finding nothing. Nor is a
    pronoun or what stands for one ("which", "both", "each other", "one of"): no question tells what it stands for. Only
    the first :data:`LONGEST` characters of a text are looked at.
    """
    with _one_thread:
        return [spans(parsed, most) for parsed in pipeline.pipe(text[:LONGEST] for text in texts)]


def spans(parsed: Doc, most: int) -> list[tuple[int, int]]:
    """The answers of one parsed text, see :func:`answer_spans`."""
    answers: dict[tuple[str, ...], tuple[int, int]] = {}
    chunks = parsed.noun_chunks if parsed.has_annotation("DEP") else ()  # a pipeline of rules may have no parser
    for span in [*parsed.ents, *chunks]:
        words = tuple(word.folded for word in fold(span.text))
        if squad_words(span.text) and not all(map(_stands_for_another, span)):
            answers.setdefault(words, (span.start_char, span.end_char))
    return list(answers.values())[:most]


def _stands_for_another(token: Token) -> bool:
    counts = token.dep_ in ("nummod", "")  # "one goal" is a number, "one of the goals" is none
    return token.pos_ in ("PRON", "DET") or (token.lower_ in _ANY and not counts)


def token_f1(prediction: str, gold: str) -> float:
    """SQuAD's F1 of two answers as bags of words, without articles and punctuation: 0 to 1, 1 for equal ones.

    Example:
        >>> token_f1("the red cat", "A red dog.")
        0.5
    """
    predicted, wanted = squad_words(prediction), squad_words(gold)
    common = sum((Counter(predicted) & Counter(wanted)).values())
    if not predicted or not wanted or not common:
        return float(predicted == wanted)
    precision, recall = common / len(predicted), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


def squad_words(text: str) -> list[str]:
    """The words of an answer that are compared: folded, without articles."""
    # A word piece tokenizer writes "1. 5 m" and "king ' s": words are compared as the folding of pairs sees them.
    folded = " ".join(word.folded for word in fold(text))
    return re.sub(r"\b(a|an|the)\b", " ", folded).split()
