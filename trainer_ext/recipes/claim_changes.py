"""One fact of a sentence changed, by rules over its parse (FactCC, Kryscinski et al. 2020, section 3.1)."""

from __future__ import annotations

import random
import re
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
_NEGATIONS = ("not", "n't", "n’t")  # noqa: RUF001  # as texts have it
_ARTICLES = ("the", "a", "an")
_DIGITS = {
    word: str(number)
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905
    )
}
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
        if other.casefold() not in document and not same_entity(mine.text, other)
    ]
    return _with_entity(sentence, *rng.choice(swaps)) if swaps else None


def swap_pronoun(sentence: Span, rng: random.Random, strangers: Strangers) -> Changed | None:
    """One pronoun replaced by another that fits its place."""
    places = [(token, row) for token in sentence if (row := _pronoun_row(token)) is not None]
    if not places:
        return None
    token, row = rng.choice(places)
    new = rng.choice([word for word in row if word != token.lower_])
    return _replaced(sentence, token.i, token.i + 1, "I" if new == "i" else new)


def negate(sentence: Span, rng: random.Random, strangers: Strangers) -> Changed | None:
    """A "not" taken away, or where the sentence has none put behind an auxiliary verb."""
    places = [token for token in sentence if token.lower_ in _AUXILIARIES and token.pos_ in ("AUX", "VERB")]
    # What stands before a negation without a space is a word's half: "ca" of "can't", "did" of "didnt".
    negated = [token for token in places if token.i + 1 < sentence.end and token.nbor().lower_ in _NEGATIONS]
    if negated:
        token = rng.choice(negated)
        return _replaced(sentence, token.i, token.i + 2, token.text)
    whole = [token for token in places if token.whitespace_]
    if not whole:
        return None
    token = rng.choice(whole)
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
        (mine, plain(other.text))
        for mine in sentence.ents
        if mine.label_ in labels
        for other in sentence.doc.ents
        if other.label_ == mine.label_ and not same_entity(mine.text, other.text)
    ]
    return _with_entity(sentence, *rng.choice(swaps)) if swaps else None


def _with_entity(sentence: Span, mine: Span, other: str) -> Changed | None:
    """The sentence with an entity replaced; an article is not said twice."""
    words = other.split()
    if mine.start > sentence.start and mine.doc[mine.start - 1].lower_ in _ARTICLES and words[0].lower() in _ARTICLES:
        words = words[1:] or words
    return _replaced(sentence, mine.start, mine.end, " ".join(words))


def same_entity(one: str, other: str) -> bool:
    """Whether two entities may mean the same: the words of one are among the other's (Obama, Barack Obama)."""
    first, second = _entity_words(one), _entity_words(other)
    return first <= second or second <= first


def _entity_words(text: str) -> frozenset[str]:
    """Without articles, possessives and plurals, numbers in digits; two-letter words keep their s (US)."""
    words = re.findall(r"\w+", re.sub(r"['’]s\b", "", text.casefold()))  # noqa: RUF001  # as texts have it
    told = [word for word in words if word not in _ARTICLES] or words
    return frozenset(_DIGITS.get(word, word[:-1] if len(word) > 3 and word.endswith("s") else word) for word in told)


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
    """The sentence with its document's tokens ``start`` to ``end`` replaced; None if the document says that too."""
    document: Doc = sentence.doc
    head = document[sentence.start : start].text_with_ws.lstrip() if start > sentence.start else ""
    tail = document[end : sentence.end].text if end < sentence.end else ""
    if not head and document[start].text[:1].isupper():
        new = new[:1].upper() + new[1:]
    text = plain(f"{head}{new}{document[end - 1].whitespace_}{tail}")
    if f" {text} ".casefold() in f" {plain(document.text)} ".casefold():
        return None
    # What stands before or behind without a space, a bracket or a comma, is of the same word.
    first = len(f"{head}x".split()) - 1
    return Changed(text, first, first + len(f"x{new}x".split()) - 1)
