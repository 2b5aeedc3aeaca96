"""Synthetic claims for training a consistency classifier (FactCC, Kryscinski et al. 2020, section 3.1).

A claim is a sentence of a document, as it is or with noise (consistent), or with a fact of it changed (inconsistent).
The paper also back-translates; that needs two translation models and is left out here.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Span

_LEAST_WORDS = 5
# Named entities that can stand in each other's place.
_NAMES = ("PERSON", "ORG", "GPE", "LOC", "NORP", "FAC", "PRODUCT", "EVENT", "WORK_OF_ART", "LANGUAGE", "LAW")
_NUMBERS = ("CARDINAL", "QUANTITY", "MONEY", "PERCENT", "ORDINAL")
_DATES = ("DATE", "TIME")
# Pronouns by the place in a sentence that they can take; a swap stays in its row. "her" is told by its tag.
_PRONOUNS = (
    ("he", "she", "it", "they", "we", "i", "you"),
    ("him", "her", "it", "them", "us", "me", "you"),
    ("his", "her", "its", "their", "our", "my", "your"),
    ("himself", "herself", "itself", "themselves", "ourselves", "myself", "yourself"),
)
_AUXILIARIES = frozenset(
    [
        "am",
        "is",
        "are",
        "was",
        "were",
        "be",
        "has",
        "have",
        "had",
        "do",
        "does",
        "did",
        "can",
        "could",
        "will",
        "would",
        "shall",
        "should",
        "may",
        "might",
        "must",
    ]
)
_NOISE = 0.05  # chance of a token to be dropped, and of one to be said twice


@dataclass(frozen=True)
class Claim:
    """A sentence about a document.

    Attributes:
        document: the whole text.
        text: the claim.
        consistent: whether the document states it, as far as its making tells.
        kind: ``sentence``, or the change: ``names``, ``numbers``, ``dates``, ``pronouns``, ``negation``.
        noisy: whether tokens were dropped or repeated.
    """

    document: str
    text: str
    consistent: bool
    kind: str
    noisy: bool = False


Change = Callable[["Span", random.Random], "str | None"]


def make_claims(
    documents: Iterable[str], pipeline: Language, *, per_document: int = 4, seed: int = 17, noise: float = 0.3
) -> Iterator[Claim]:
    """Claims about documents, about as many consistent as inconsistent ones.

    Args:
        documents: texts.
        pipeline: see :func:`qags.pipeline.load_pipeline`.
        per_document: claims of each at most, as far as it has sentences of 5 words and facts to change.
        seed: of all choices; a document's claims depend on it and on the document alone.
        noise: chance that a claim of either kind gets noise.

    Raises:
        ValueError: an option is out of range.
    """
    if per_document < 1:
        raise ValueError(f"per_document is {per_document}: give 1 or more.")
    if not 0 <= noise <= 1:
        raise ValueError(f"noise is {noise}: give a chance from 0 to 1.")
    for parsed in pipeline.pipe(documents):
        yield from _claims_of(parsed, per_document, random.Random(f"{seed} {parsed.text}"), noise)


def _claims_of(parsed: Doc, count: int, rng: random.Random, noise: float) -> Iterator[Claim]:
    sentences = [sentence for sentence in parsed.sents if sum(token.is_alpha for token in sentence) >= _LEAST_WORDS]
    if not sentences:
        return
    given: set[str] = set()
    for number in range(count):
        sentence = rng.choice(sentences)
        text, kind = _text(sentence), "sentence"
        if number % 2:
            changed = _changed(sentences, rng)
            if changed is None:
                continue
            text, kind = changed
        noisy = rng.random() < noise
        if noisy:
            text = with_noise(text, rng)
        if text not in given:
            given.add(text)
            yield Claim(parsed.text, text, kind == "sentence", kind, noisy)


def _changed(sentences: list[Span], rng: random.Random) -> tuple[str, str] | None:
    """A sentence with one fact changed, and which kind; None where the document offers no change."""
    # Kinds first: nearly every sentence can be negated, and few have two names.
    kinds = rng.sample(list(CHANGES), len(CHANGES))
    for kind, sentence in ((kind, sentence) for kind in kinds for sentence in rng.sample(sentences, len(sentences))):
        text = CHANGES[kind](sentence, rng)
        if text is not None and text != _text(sentence):
            return text, kind
    return None


def swap_names(sentence: Span, rng: random.Random) -> str | None:
    """One named entity replaced by another of the same kind from the document."""
    return _swap_entity(sentence, _NAMES, rng)


def swap_numbers(sentence: Span, rng: random.Random) -> str | None:
    """One number replaced by another of the same kind from the document."""
    return _swap_entity(sentence, _NUMBERS, rng)


def swap_dates(sentence: Span, rng: random.Random) -> str | None:
    """One date or time replaced by another from the document."""
    return _swap_entity(sentence, _DATES, rng)


def swap_pronoun(sentence: Span, rng: random.Random) -> str | None:
    """One pronoun replaced by another that fits its place."""
    places = [(token, row) for token in sentence if (row := _pronoun_row(token)) is not None]
    if not places:
        return None
    token, row = rng.choice(places)
    new = rng.choice([word for word in row if word != token.lower_])
    return _replaced(sentence, token.i, token.i + 1, _cased(new, token.text))


def negate(sentence: Span, rng: random.Random) -> str | None:
    """A "not" put behind an auxiliary verb, or taken away."""
    places = [token for token in sentence if token.lower_ in _AUXILIARIES and token.pos_ in ("AUX", "VERB")]
    if not places:
        return None
    token = rng.choice(places)
    after = token.doc[token.i + 1] if token.i + 1 < sentence.end else None
    if after is not None and after.lower_ in ("not", "n't", "n’t"):  # noqa: RUF001  # as texts have it
        return _replaced(sentence, after.i, after.i + 1, "")
    return _replaced(sentence, token.i, token.i + 1, f"{token.text} not")


def with_noise(text: str, rng: random.Random) -> str:
    """Words dropped or said twice, each with a chance of 5 %; one word at least stays."""
    kept: list[str] = []
    for word in text.split():
        draw = rng.random()
        kept += [] if draw < _NOISE else [word, word] if draw < 2 * _NOISE else [word]
    return " ".join(kept or text.split()[:1])


CHANGES: dict[str, Change] = {
    "names": swap_names,
    "numbers": swap_numbers,
    "dates": swap_dates,
    "pronouns": swap_pronoun,
    "negation": negate,
}


def _swap_entity(sentence: Span, labels: tuple[str, ...], rng: random.Random) -> str | None:
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


def _replaced(sentence: Span, start: int, end: int, new: str) -> str:
    """The sentence's text with its document's tokens ``start`` to ``end`` replaced."""
    document = sentence.doc
    head = document[sentence.start : start].text_with_ws if start > sentence.start else ""
    last = document[end - 1]
    tail = document[end : sentence.end].text if end < sentence.end else ""
    space = last.whitespace_ if new else ""
    return _plain(f"{head}{new}{space}{tail}")


def _cased(word: str, like: str) -> str:
    return word.capitalize() if like[:1].isupper() or word == "i" else word


def _text(sentence: Span) -> str:
    return _plain(sentence.text)


def _plain(text: str) -> str:
    return " ".join(text.split())
