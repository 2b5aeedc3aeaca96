"""One fact of a sentence changed, by rules over its parse (FactCC, Kryscinski et al. 2020, section 3.1)."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spacy.tokens import Span

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
_NOT = ("not", "n't", "n’t")  # noqa: RUF001  # as texts have it
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
class Edit:
    """Tokens of a document, ``start`` to before ``end``, that say another fact when ``new`` stands in their place."""

    start: int
    end: int
    new: str


Change = Callable[["Span", random.Random, Strangers], "Edit | None"]


def swap_names(sentence: Span, rng: random.Random, strangers: Strangers) -> Edit | None:
    """One named entity replaced by another of the same kind from the document."""
    return _swap_entity(sentence, _NAMES, rng)


def swap_numbers(sentence: Span, rng: random.Random, strangers: Strangers) -> Edit | None:
    """One number replaced by another of the same kind from the document."""
    return _swap_entity(sentence, _NUMBERS, rng)


def swap_dates(sentence: Span, rng: random.Random, strangers: Strangers) -> Edit | None:
    """One date or time replaced by another from the document."""
    return _swap_entity(sentence, _DATES, rng)


def bring_stranger(sentence: Span, rng: random.Random, strangers: Strangers) -> Edit | None:
    """One name, number or date replaced by another of the same kind that the document does not have.

    Not among FactCC's changes, which stay within the document; summarizers do not.
    """
    document = sentence.doc.text.casefold()
    swaps = [
        (mine, other)
        for mine in sentence.ents
        for other in strangers.get(mine.label_, ())
        if other.casefold() not in document and not same_entity(mine.text, other)
    ]
    return _with_entity(sentence, *rng.choice(swaps)) if swaps else None


def swap_pronoun(sentence: Span, rng: random.Random, strangers: Strangers) -> Edit | None:
    """One pronoun replaced by another that fits its place."""
    places = [(token, row) for token in sentence if (row := _pronoun_row(token)) is not None]
    if not places:
        return None
    token, row = rng.choice(places)
    new = rng.choice([word for word in row if word != token.lower_])
    return Edit(token.i, token.i + 1, "I" if new == "i" else new)


def negate(sentence: Span, rng: random.Random, strangers: Strangers) -> Edit | None:
    """A "not" taken away, or where the sentence has none put behind an auxiliary verb."""
    places = [token for token in sentence if token.lower_ in _AUXILIARIES and token.pos_ in ("AUX", "VERB")]
    # What stands before a negation without a space is a word's half: "ca" of "can't", "did" of "didnt".
    negated = [token for token in places if token.i + 1 < sentence.end and token.nbor().lower_ in _NOT]
    if negated:
        token = rng.choice(negated)
        return Edit(token.i, token.i + 2, token.text)
    whole = [token for token in places if token.whitespace_]
    if not whole:
        return None
    token = rng.choice(whole)
    return Edit(token.i, token.i + 1, f"{token.text} not")


CHANGES: dict[str, Change] = {
    "names": swap_names,
    "numbers": swap_numbers,
    "dates": swap_dates,
    "strangers": bring_stranger,
    "pronouns": swap_pronoun,
    "negation": negate,
}


def _swap_entity(sentence: Span, labels: tuple[str, ...], rng: random.Random) -> Edit | None:
    swaps = [
        (mine, other.text)
        for mine in sentence.ents
        if mine.label_ in labels
        for other in sentence.doc.ents
        if other.label_ == mine.label_ and not same_entity(mine.text, other.text)
    ]
    return _with_entity(sentence, *rng.choice(swaps)) if swaps else None


def _with_entity(sentence: Span, mine: Span, other: str) -> Edit:
    """An entity replaced; an article is not said twice."""
    words = other.split()
    if mine.start > sentence.start and mine.doc[mine.start - 1].lower_ in _ARTICLES and words[0].lower() in _ARTICLES:
        words = words[1:] or words
    return Edit(mine.start, mine.end, " ".join(words))


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
