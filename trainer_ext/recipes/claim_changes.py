"""One fact of a sentence changed, by rules over its parse (FactCC, Kryscinski et al. 2020, section 3.1)."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span

# Named entities that can stand in each other's place.
_NAMES = ("PERSON", "ORG", "GPE", "LOC", "NORP", "FAC", "PRODUCT", "EVENT", "WORK_OF_ART", "LANGUAGE", "LAW")
_NUMBERS = ("CARDINAL", "QUANTITY", "MONEY", "PERCENT", "ORDINAL")
_DATES = ("DATE", "TIME")
ENTITIES = (*_NAMES, *_NUMBERS, *_DATES)
# Pronouns by the place in a sentence that they can take; a swap stays in its row. "her" is told by its tag.
_PRONOUNS = (
    ("he", "she", "it", "they", "we", "i", "you"),
    ("him", "her", "it", "them", "us", "me", "you"),
    ("his", "her", "its", "their", "our", "my", "your"),
    ("himself", "herself", "itself", "themselves", "ourselves", "myself", "yourself"),
)
_AUXILIARIES = (
    "am", "is", "are", "was", "were", "be", "has", "have", "had", "do", "does", "did",
    "can", "could", "will", "would", "shall", "should", "may", "might", "must",
)  # fmt: skip
# Entities of other documents, by their label.
Strangers = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Changed:
    """A sentence with another fact.

    Attributes:
        text: the sentence, words parted by single spaces.
        first, last: its words, counted from 0, that say the other fact.
    """

    text: str
    first: int
    last: int


Change = Callable[["Span", random.Random, Strangers], "Changed | None"]


def swap_names(sentence: Span, rng: random.Random, strangers: Strangers) -> Changed | None:
    """One named entity replaced by another of the same kind from the document."""
    return _swap_entity(sentence, _NAMES, rng)


def swap_numbers(sentence: Span, rng: random.Random, strangers: Strangers) -> Changed | None:
    """One number replaced by another of the same kind from the document."""
    return _swap_entity(sentence, _NUMBERS, rng)


def swap_dates(sentence: Span, rng: random.Random, strangers: Strangers) -> Changed | None:
    """One date or time replaced by another from the document."""
    return _swap_entity(sentence, _DATES, rng)


def bring_stranger(sentence: Span, rng: random.Random, strangers: Strangers) -> Changed | None:
    """One name, number or date replaced by another of the same kind that the document does not have.

    Not among FactCC's changes, but the commonest mistake of summarizers: what they add is not in the source.
    """
    document = sentence.doc.text.casefold()
    swaps = [
        (mine, other)
        for mine in sentence.ents
        for other in strangers.get(mine.label_, ())
        if other.casefold() not in document
    ]
    if not swaps:
        return None
    mine, other = rng.choice(swaps)
    return _replaced(sentence, mine.start, mine.end, other)


def swap_pronoun(sentence: Span, rng: random.Random, strangers: Strangers) -> Changed | None:
    """One pronoun replaced by another that fits its place."""
    places = [(token, row) for token in sentence if (row := _pronoun_row(token)) is not None]
    if not places:
        return None
    token, row = rng.choice(places)
    new = rng.choice([word for word in row if word != token.lower_])
    return _replaced(sentence, token.i, token.i + 1, _cased(new, token.text))


def negate(sentence: Span, rng: random.Random, strangers: Strangers) -> Changed | None:
    """A "not" put behind an auxiliary verb, or taken away."""
    places = [token for token in sentence if token.lower_ in _AUXILIARIES and token.pos_ in ("AUX", "VERB")]
    if not places:
        return None
    token = rng.choice(places)
    after = token.doc[token.i + 1] if token.i + 1 < sentence.end else None
    if after is not None and after.lower_ in ("not", "n't", "n’t"):  # noqa: RUF001  # as texts have it
        return _replaced(sentence, token.i, after.i + 1, token.text)
    return _replaced(sentence, token.i, token.i + 1, f"{token.text} not")


CHANGES: dict[str, Change] = {
    "names": swap_names,
    "numbers": swap_numbers,
    "dates": swap_dates,
    "strangers": bring_stranger,
    "pronouns": swap_pronoun,
    "negation": negate,
}


def plain(text: str) -> str:
    """Words parted by single spaces."""
    return " ".join(text.split())


def _swap_entity(sentence: Span, labels: tuple[str, ...], rng: random.Random) -> Changed | None:
    swaps = [
        (mine, other)
        for mine in sentence.ents
        if mine.label_ in labels
        for other in sentence.doc.ents
        if other.label_ == mine.label_ and not _same(mine, other)
    ]
    if not swaps:
        return None
    mine, other = rng.choice(swaps)
    return _replaced(sentence, mine.start, mine.end, other.text)


def _same(one: Span, other: Span) -> bool:
    """Whether two entities may mean the same: one's words are among the other's (Obama, Barack Obama)."""
    words, others = ({token.lower_ for token in span if token.is_alpha or token.like_num} for span in (one, other))
    return words <= others or others <= words


def _pronoun_row(token: Any) -> tuple[str, ...] | None:
    word = token.lower_
    if token.pos_ not in ("PRON", "DET"):
        return None
    if token.tag_ == "PRP$":
        return _PRONOUNS[2] if word in _PRONOUNS[2] else None
    if word in _PRONOUNS[3]:
        return _PRONOUNS[3]
    if word in ("it", "you"):  # subject or object: the parser knows
        return _PRONOUNS[0 if token.dep_.startswith("nsubj") else 1]
    return next((row for row in _PRONOUNS[:2] if word in row), None)


def _replaced(sentence: Span, start: int, end: int, new: str) -> Changed | None:
    """The sentence with its document's tokens ``start`` to ``end`` replaced; None if that changes nothing."""
    document: Doc = sentence.doc
    head = document[sentence.start : start].text_with_ws.lstrip() if start > sentence.start else ""
    tail = document[end : sentence.end].text if end < sentence.end else ""
    text = plain(f"{head}{new}{document[end - 1].whitespace_}{tail}")
    if text == plain(sentence.text):
        return None
    # What stands before or behind without a space, a bracket or a comma, is of the same word.
    first = len(f"{head}x".split()) - 1
    return Changed(text, first, first + len(f"x{new}x".split()) - 1)


def _cased(word: str, like: str) -> str:
    return word.capitalize() if like[:1].isupper() or word == "i" else word
