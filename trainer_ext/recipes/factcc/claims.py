"""Synthetic claims for training a consistency classifier (FactCC, Kryscinski et al. 2020, section 3.1).

A consistent claim is a sentence of a document, perhaps shortened or with noise. In an inconsistent claim one fact is
changed too. The paper back-translates, which needs two translation models; here parts of the sentence are left out.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quals.errors import OptionError

from trainer_ext.recipes.factcc.claim_changes import CHANGES, ENTITIES, Change, Edit, Strangers
from trainer_ext.recipes.factcc.claim_texts import (
    LEAST_WORDS,
    NEGATIONS,
    ClaimText,
    claim_text,
    omissible_tokens,
    plain,
)

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Span

SENTENCE, STATED, NOT_STATED = "sentence", "stated", "not stated"  # kinds beside the changes
_NOISE = 0.05  # chance that a word is dropped, and that it is repeated
_ENDS = tuple(".!?…:;\"'”’)]")  # noqa: RUF001  # ends of a sentence that was not cut off
VERSION = 4  # changes whenever other claims are made of the same documents
_STRANGERS = 20  # entities per kind that are remembered from the documents before


@dataclass(frozen=True)
class Claim:
    """A sentence about a document.

    Attributes:
        document: the whole text.
        text: the claim, words separated by single spaces.
        kind: ``sentence``, or the change: ``names``, ``numbers``, ``dates``, ``strangers``, ``pronouns``,
            ``negation``, ``roles``. A claim that was told, and not made of a sentence, is ``stated`` or ``not stated``.
        start, end: characters of the document between which the claim's sentence stands; all of it for a told one.
        first, last: first and last changed word of the claim, counted from 0; None without a change.
        noisy: whether a word was dropped or repeated.
    """

    document: str
    text: str
    kind: str
    start: int
    end: int
    first: int | None = None
    last: int | None = None
    noisy: bool = False

    @property
    def consistent(self) -> bool:
        """Whether the document states the claim: no fact was changed."""
        return self.kind in (SENTENCE, STATED)

    @property
    def told(self) -> bool:
        """Whether it was told about the document as a whole."""
        return self.kind in (STATED, NOT_STATED)

    @property
    def changed(self) -> str:
        """The changed words; empty without a change."""
        if self.first is None or self.last is None:
            return ""
        return " ".join(self.text.split()[self.first : self.last + 1])


def make_claims(
    documents: Iterable[str],
    pipeline: Language,
    *,
    per_document: int = 4,
    seed: int = 17,
    noise: float = 0.3,
    shortened: float = 0.8,
    changes: Mapping[str, Change] = CHANGES,
) -> Iterator[Claim]:
    """Claims about documents, in pairs: a sentence as it is or shortened, and the same words with a changed fact.

    Apart from noise, a pair differs only in the fact, so that the kind of sentence gives nothing away.

    Args:
        documents: texts. A last sentence without an end was cut off and is not used.
        pipeline: see :func:`qags.pipeline.load_pipeline`.
        per_document: most claims per document. Each pair takes another sentence of 5 words or more; an odd number
            makes one claim less.
        seed: seed of all choices. A document's claims depend on it, on the document and on names in those before.
        noise: chance that a claim of either kind gets noise.
        shortened: chance that both claims of a pair leave out parts of the sentence, if it has any that it can miss.
        changes: the kinds of change, by name.

    Raises:
        OptionError: an option is out of range.
    """
    maker = ClaimMaker(per_document, seed, noise, shortened, changes)
    for parsed in pipeline.pipe(documents):
        yield from maker.claims_of(parsed)


class ClaimMaker:
    """Makes claims of one parsed document after another, see :func:`make_claims`."""

    def __init__(
        self,
        per_document: int,
        seed: int,
        noise: float,
        shortened: float,
        changes: Mapping[str, Change],
    ) -> None:
        if per_document < 2:
            raise OptionError(f"per_document is {per_document}: give 2 or more, because claims come in pairs.")
        for name, chance in (("noise", noise), ("shortened", shortened)):
            if not 0 <= chance <= 1:
                raise OptionError(f"{name} is {chance}: give a chance from 0 to 1.")
        self._pairs, self._seed, self._noise, self._shortened = per_document // 2, seed, noise, shortened
        self._changes = changes
        self._strangers: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=_STRANGERS))

    def claims_of(self, parsed: Doc, known: str = "") -> Iterator[Claim]:
        """Claims about a document, whose names are then strangers to those behind it.

        Where the document is a summary, ``known`` is what else is true: no claim that it states word for word is made,
        and no name or number of it is a stranger.
        """
        rng = random.Random(f"{self._seed} {parsed.text}")
        told = known.casefold()
        strangers = {
            kind: [name for name in names if name.casefold() not in told] for kind, names in self._strangers.items()
        }
        for pair in _pairs_of(parsed, self._pairs, rng, self._shortened, strangers, self._changes, known):
            yield from (with_noise(claim, rng) if rng.random() < self._noise else claim for claim in pair)
        for entity in parsed.ents:
            if entity.label_ in ENTITIES:
                self._strangers[entity.label_].append(plain(entity.text))


def _pairs_of(
    parsed: Doc,
    count: int,
    rng: random.Random,
    shortened: float,
    strangers: Strangers,
    changes: Mapping[str, Change],
    known: str,
) -> Iterator[tuple[Claim, Claim]]:
    sentences = list(parsed.sents)
    if sentences and not sentences[-1].text.rstrip().endswith(_ENDS):
        sentences.pop()
    # A sentence that the document repeats is taken once.
    left = {plain(s.text): s for s in sentences if sum(token.is_alpha for token in s) >= LEAST_WORDS}
    for _ in range(count):
        made = _changed(list(left.values()), rng, strangers, changes, known)
        if made is None:
            return
        sentence, kind, edit = made
        del left[plain(sentence.text)]
        left_out = omissible_tokens(sentence, edit, rng) if rng.random() < shortened else frozenset[int]()
        # Shorter, it may be what another sentence states.
        if _states(parsed, known, claim_text(sentence, edit, left_out)):
            left_out = frozenset()
        true, false = claim_text(sentence, None, left_out), claim_text(sentence, edit, left_out)
        place = (sentence.start_char, sentence.end_char)
        yield (
            Claim(parsed.text, true.text, SENTENCE, *place),
            Claim(parsed.text, false.text, kind, *place, false.first, false.last),
        )


def _changed(
    sentences: list[Span], rng: random.Random, strangers: Strangers, changes: Mapping[str, Change], known: str
) -> tuple[Span, str, Edit] | None:
    """A sentence, the kind of change, and the change; None if no sentence can be changed."""
    # Draws the kind first: nearly every sentence can be negated, and few have two names.
    kinds = rng.sample(list(changes), len(changes))
    for kind, sentence in ((kind, sentence) for kind in kinds for sentence in rng.sample(sentences, len(sentences))):
        edit = changes[kind](sentence, rng, strangers)
        if edit is not None and not _states(sentence.doc, known, claim_text(sentence, edit)):
            return sentence, kind, edit
    return None


def _states(document: Doc, known: str, claim: ClaimText) -> bool:
    """Whether the document, or what else is known, contains the claim word for word."""
    return any(f" {claim.text} ".casefold() in f" {plain(text)} ".casefold() for text in (document.text, known))


def with_noise(claim: Claim, rng: random.Random) -> Claim:
    """Words dropped or repeated, each with a chance of 5 %. Negations and changed words stay, and at least one word."""
    words = claim.text.split()
    changed = range(0) if claim.first is None or claim.last is None else range(claim.first, claim.last + 1)
    kept: list[int] = []
    for place, word in enumerate(words):
        draw = rng.random()
        safe = place in changed or _negates(word)
        kept += [place] * (1 if safe or draw >= 2 * _NOISE else 0 if draw < _NOISE else 2)
    kept = kept or [0]
    first, last = (kept.index(changed[0]), kept.index(changed[-1])) if changed else (None, None)
    text = " ".join(words[place] for place in kept)
    noisy = kept != list(range(len(words)))
    return Claim(claim.document, text, claim.kind, claim.start, claim.end, first, last, noisy)


def _negates(word: str) -> bool:
    bare = word.casefold().strip(".,;:!?\"'()")
    return bare in NEGATIONS or bare.endswith(("n't", "n’t"))  # noqa: RUF001  # a curly apostrophe, as texts have
