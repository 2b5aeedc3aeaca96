"""Synthetic claims for training a consistency classifier (FactCC, Kryscinski et al. 2020, section 3.1).

A claim is a sentence of a document, as it is, shortened or with noise (consistent), or with a fact of it changed too
(inconsistent). The paper back-translates, which needs two translation models; here parts of the sentence are left out.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainer_ext.recipes.factcc.claim_changes import CHANGES, ENTITIES, Edit, Strangers
from trainer_ext.recipes.factcc.claim_texts import NEGATIONS, ClaimText, claim_text, omissible_tokens, plain

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Span

_LEAST_WORDS = 5
_NOISE = 0.05  # chance of a word to be dropped, and of one to be said twice
_ENDS = tuple(".!?…:;\"'”’)]")  # noqa: RUF001  # of a sentence that was not cut off
VERSION = 4  # of the claims: another one for the same documents is made by other rules
_STRANGERS = 20  # entities of a kind that are remembered of the documents before


@dataclass(frozen=True)
class Claim:
    """A sentence about a document.

    Attributes:
        document: the whole text.
        text: the claim, words parted by single spaces.
        kind: ``sentence``, or the change: ``names``, ``numbers``, ``dates``, ``strangers``, ``pronouns``,
            ``negation``.
        start, end: characters of the document that hold the sentence which the claim was made of.
        first, last: words of the claim, counted from 0, that were changed; None in a sentence as it is.
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
        """Whether the document states it, as far as its making tells."""
        return self.kind == "sentence"


def make_claims(
    documents: Iterable[str],
    pipeline: Language,
    *,
    per_document: int = 4,
    seed: int = 17,
    noise: float = 0.3,
    shortened: float = 0.8,
) -> Iterator[Claim]:
    """Claims about documents, in pairs: a sentence as it is or shortened, and the same words with a changed fact.

    But for noise a pair differs in nothing but the fact, so what kind of sentence it is tells nothing.

    Args:
        documents: texts. The last sentence of one is left out where it does not end as sentences do: it was cut off.
        pipeline: see :func:`qags.pipeline.load_pipeline`.
        per_document: claims of each at most, each pair of another sentence of 5 words with a fact to change; an odd
            one more would have no partner and is not made.
        seed: of all choices; a document's claims depend on it, on the document and on names of those before.
        noise: chance that a claim of either kind gets noise.
        shortened: chance that both claims of a pair leave out parts of the sentence, where it has parts that can go.

    Raises:
        ValueError: an option is out of range.
    """
    if per_document < 2:
        raise ValueError(f"per_document is {per_document}: give 2 or more, for claims come in pairs.")
    for name, chance in (("noise", noise), ("shortened", shortened)):
        if not 0 <= chance <= 1:
            raise ValueError(f"{name} is {chance}: give a chance from 0 to 1.")
    strangers: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=_STRANGERS))
    for parsed in pipeline.pipe(documents):
        rng = random.Random(f"{seed} {parsed.text}")
        for pair in _pairs_of(parsed, per_document // 2, rng, shortened, strangers):
            yield from (with_noise(claim, rng) if rng.random() < noise else claim for claim in pair)
        for entity in parsed.ents:
            if entity.label_ in ENTITIES:
                strangers[entity.label_].append(plain(entity.text))


def _pairs_of(
    parsed: Doc, count: int, rng: random.Random, shortened: float, strangers: Strangers
) -> Iterator[tuple[Claim, Claim]]:
    sentences = list(parsed.sents)
    if sentences and not sentences[-1].text.rstrip().endswith(_ENDS):
        sentences.pop()
    # A sentence that the document says twice stands here once.
    left = {plain(s.text): s for s in sentences if sum(token.is_alpha for token in s) >= _LEAST_WORDS}
    for _ in range(count):
        made = _changed(list(left.values()), rng, strangers)
        if made is None:
            return
        sentence, kind, edit = made
        del left[plain(sentence.text)]
        left_out = omissible_tokens(sentence, edit, rng) if rng.random() < shortened else frozenset[int]()
        if _states(parsed, claim_text(sentence, edit, left_out)):  # less may be what another sentence says
            left_out = frozenset()
        true, false = claim_text(sentence, None, left_out), claim_text(sentence, edit, left_out)
        place = (sentence.start_char, sentence.end_char)
        yield (
            Claim(parsed.text, true.text, "sentence", *place),
            Claim(parsed.text, false.text, kind, *place, false.first, false.last),
        )


def _changed(sentences: list[Span], rng: random.Random, strangers: Strangers) -> tuple[Span, str, Edit] | None:
    """A sentence, which kind of fact of it to change, and how; None where the document offers no change."""
    # Kinds first: nearly every sentence can be negated, and few have two names.
    kinds = rng.sample(list(CHANGES), len(CHANGES))
    for kind, sentence in ((kind, sentence) for kind in kinds for sentence in rng.sample(sentences, len(sentences))):
        edit = CHANGES[kind](sentence, rng, strangers)
        if edit is not None and not _states(sentence.doc, claim_text(sentence, edit)):
            return sentence, kind, edit
    return None


def _states(document: Doc, claim: ClaimText) -> bool:
    """Whether the document has the claim word for word."""
    return f" {claim.text} ".casefold() in f" {plain(document.text)} ".casefold()


def with_noise(claim: Claim, rng: random.Random) -> Claim:
    """Words dropped or said twice, each with a chance of 5 %; negations and what was changed stay, and one at least."""
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
    return bare in NEGATIONS or bare.endswith(("n't", "n’t"))  # noqa: RUF001  # as texts have it
