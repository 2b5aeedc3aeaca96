"""SQuAD's comparison of two answers."""

from __future__ import annotations

import re
from collections import Counter

from quals.pairs import fold


def token_f1(prediction: str, gold: str) -> float:
    """SQuAD's F1 of two answers as bags of words, without articles and punctuation; 0 to 1."""
    ours, theirs = squad_words(prediction), squad_words(gold)
    common = sum((Counter(ours) & Counter(theirs)).values())
    if not ours or not theirs or not common:
        return float(ours == theirs)
    precision, recall = common / len(ours), common / len(theirs)
    return 2 * precision * recall / (precision + recall)


def squad_words(text: str) -> list[str]:
    """What is compared of an answer."""
    # A word piece tokenizer writes "1. 5 m" and "king ' s": words are compared as the folding of pairs sees them.
    folded = " ".join(word.folded for word in fold(text))
    return re.sub(r"\b(a|an|the)\b", " ", folded).split()
