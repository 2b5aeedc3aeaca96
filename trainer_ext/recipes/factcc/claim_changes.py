"""Change one fact of a sentence, by rules over its parse (FactCC, Kryscinski et al. 2020, section 3.1)."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spacy.tokens import Span

# Labels of named entities. A change swaps entities with the same label.
_NAMES = ("PERSON", "ORG", "GPE", "LOC", "NORP", "FAC", "PRODUCT", "EVENT", "WORK_OF_ART", "LANGUAGE", "LAW")
_NUMBERS = ("CARDINAL", "QUANTITY", "MONEY", "PERCENT", "ORDINAL")
_DATES = ("DATE", "TIME")
ENTITIES = (*_NAMES, *_NUMBERS, *_DATES)
# Pronouns by their place in a sentence; a swap stays in its row. The tag says which "her" it is.
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
_NOT = ("not", "n't", "n’t")  # noqa: RUF001  # a curly apostrophe, as texts have
_ARTICLES = ("the", "a", "an")
_LISTING = ("and", "or", "nor", *_ARTICLES)
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
    """Tokens of a document, ``start`` to ``end`` (excluded), which ``new`` replaces to state another fact."""

    start: int
    end: int
    new: str


Change = Callable[["Span", random.Random, Strangers], "Edit | None"]


def swap_entity(sentence: Span, rng: random.Random, strangers: Strangers, labels: tuple[str, ...]) -> Edit | None:
    """One entity with one of these labels replaced by another with the same label from the document."""
    swaps = [
        (entity, other.text)
        for entity in sentence.ents
        if entity.label_ in labels
        for other in sentence.doc.ents
        if other.label_ == entity.label_ and not same_entity(entity.text, other.text)
    ]
    return _with_entity(sentence, *rng.choice(swaps)) if swaps else None


def bring_stranger(sentence: Span, rng: random.Random, strangers: Strangers) -> Edit | None:
    """One name, number or date replaced by another of the same kind that the document does not have.

    FactCC's own changes stay within the document, but summarizers do not.
    """
    document = sentence.doc.text.casefold()
    swaps = [
        (entity, other)
        for entity in sentence.ents
        for other in strangers.get(entity.label_, ())
        if other.casefold() not in document and not same_entity(entity.text, other)
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
    """A "not" removed, or put behind an auxiliary verb if the sentence has none."""
    places = [token for token in sentence if token.lower_ in _AUXILIARIES and token.pos_ in ("AUX", "VERB")]
    # A token without a space behind it is half a word: "ca" in "can't", "did" in "didnt".
    negated = [token for token in places if token.i + 1 < sentence.end and token.nbor().lower_ in _NOT]
    if negated:
        token = rng.choice(negated)
        return Edit(token.i, token.i + 2, token.text)
    whole = [token for token in places if token.whitespace_]
    if not whole:
        return None
    token = rng.choice(whole)
    return Edit(token.i, token.i + 1, f"{token.text} not")


def exchange_names(sentence: Span, rng: random.Random, strangers: Strangers) -> Edit | None:
    """Two named entities of one kind in each other's place; not those of a list, which states the same in any order."""
    entities = [entity for entity in sentence.ents if entity.label_ in _NAMES]
    pairs = [
        (first, second)
        for place, first in enumerate(entities)
        for second in entities[place + 1 :]
        if first.label_ == second.label_ and not same_entity(first.text, second.text)
        if any(token.is_alpha and token.lower_ not in _LISTING for token in sentence.doc[first.end : second.start])
    ]
    if not pairs:
        return None
    first, second = rng.choice(pairs)
    between = sentence.doc[first.end : second.start].text
    return Edit(first.start, second.end, f"{second.text} {between} {first.text}")


CHANGES: dict[str, Change] = {
    "names": partial(swap_entity, labels=_NAMES),
    "numbers": partial(swap_entity, labels=_NUMBERS),
    "dates": partial(swap_entity, labels=_DATES),
    "strangers": bring_stranger,
    "pronouns": swap_pronoun,
    "negation": negate,
}
# The changes of FactCC's paper and one more, which summarizers make too.
ALL_CHANGES = {**CHANGES, "roles": exchange_names}


def _with_entity(sentence: Span, entity: Span, other: str) -> Edit:
    """An entity replaced, without a second article."""
    words = other.split()
    has_article = entity.start > sentence.start and entity.doc[entity.start - 1].lower_ in _ARTICLES
    if has_article and words[0].lower() in _ARTICLES:
        words = words[1:] or words
    return Edit(entity.start, entity.end, " ".join(words))


def same_entity(entity: str, other: str) -> bool:
    """Whether two entities may mean the same: the words of one are among the other's (Obama, Barack Obama)."""
    first, second = _entity_words(entity), _entity_words(other)
    return first <= second or second <= first


def _entity_words(text: str) -> frozenset[str]:
    """Without articles, possessives and plurals, numbers in digits; two-letter words keep their s (US)."""
    words = re.findall(r"\w+", re.sub(r"['’]s\b", "", text.casefold()))  # noqa: RUF001  # a curly apostrophe, as texts have
    words = [word for word in words if word not in _ARTICLES] or words
    return frozenset(_DIGITS.get(word, word[:-1] if len(word) > 3 and word.endswith("s") else word) for word in words)


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
