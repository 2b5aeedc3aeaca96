"""Make statements about sources, true and false, for training a QAGen or a classifier to tell them apart."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from quals.inputs import whole_number
from quals.pairs import fold

from trainer_ext.recipes.factcc.claim_changes import ALL_CHANGES
from trainer_ext.recipes.factcc.claims import ClaimMaker
from trainer_ext.recipes.statements import Statement

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Span

_LEAST_SENTENCES = 5  # of a document that sentences are taken out of
_WORDS = range(7, 39)  # of such a sentence
_NEW_WORDS = 3  # of it that no other sentence has: what is told twice is stated still
_LEANING = ("PRON", "CCONJ", "SCONJ", "ADV")  # a sentence that begins so leans on the one before it


def make_statements(
    documents: Iterable[str], pipeline: Language, *, per_document: int = 2, left_out: int = 1, seed: int = 17
) -> Iterator[Statement]:
    """True and false statements about documents, of two kinds, as many true ones as false ones.

    A sentence, perhaps shortened, comes with the same words in which one fact is changed. And out of a document of 5
    sentences or more a sentence is taken, and told about the rest, which does not state it; with one that stays.

    They teach what is not stated. What is stated in other words they cannot teach: add summaries that people wrote.

    Args:
        documents: texts.
        pipeline: see :func:`qags.pipeline.load_pipeline`.
        per_document: most statements of the first kind per document, two for each sentence that is used.
        left_out: most sentences that are taken out of a document; 0 leaves all documents as they are.
        seed: seed of all choices.

    Raises:
        OptionError: ``per_document`` is below 2, or ``left_out`` below 0.
    """
    whole_number("left_out", left_out, 0)
    maker = ClaimMaker(per_document, seed, noise=0.0, shortened=0.5, changes=ALL_CHANGES)
    for parsed in pipeline.pipe(documents):
        rest, told = _without_sentences(parsed, left_out, random.Random(f"{seed} {parsed.text}"))
        yield from told
        for claim in maker.claims_of(rest):
            yield Statement(claim.document, claim.text, claim.consistent, claim.changed)


def change_statements(statements: Iterable[Statement], pipeline: Language, *, seed: int = 17) -> Iterator[Statement]:
    """True statements, each followed by one of its sentences with a changed fact, where one can be changed.

    What people wrote of a source says it in other words, so these teach what a sentence of the source cannot. No name
    or number of the source is brought in from elsewhere, and nothing is made that the source or another true statement
    about it says word for word.

    Args:
        statements: those that are not consistent are left out.
        pipeline: see :func:`qags.pipeline.load_pipeline`.
        seed: seed of all choices.
    """
    maker = ClaimMaker(2, seed, noise=0.0, shortened=0.0, changes=ALL_CHANGES)
    true = [statement for statement in statements if statement.consistent]
    known: dict[str, list[str]] = {}
    for statement in true:
        known.setdefault(statement.source, [statement.source]).append(statement.text)
    for statement, parsed in zip(true, pipeline.pipe(told.text for told in true), strict=True):
        yield statement
        for claim in maker.claims_of(parsed, "\n".join(known[statement.source])):
            if not claim.consistent:
                yield Statement(statement.source, claim.text, False, claim.changed)


def _without_sentences(parsed: Doc, count: int, rng: random.Random) -> tuple[Doc, list[Statement]]:
    """A document without up to ``count`` sentences, and what is told about it: them, and as many that stayed."""
    from spacy.tokens import Doc

    sentences, candidates = list(parsed.sents), _separable(parsed)
    count = min(count, len(candidates) // 2)
    if not count or len(sentences) < _LEAST_SENTENCES:
        return parsed, []
    chosen = rng.sample(candidates, 2 * count)
    out = {sentence.start for sentence in chosen[:count]}
    rest = Doc.from_docs([sentence.as_doc() for sentence in sentences if sentence.start not in out])
    if rest is None:  # from_docs says so of an empty list alone
        return parsed, []
    texts = [" ".join(sentence.text.split()) for sentence in chosen]
    return rest, [Statement(rest.text, text, place >= count) for place, text in enumerate(texts)]


def _separable(parsed: Doc) -> list[Span]:
    """The sentences that can be understood alone and tell what no other sentence tells; the first stays."""
    sentences = list(parsed.sents)
    words = [{word.folded for word in fold(sentence.text)} for sentence in sentences]
    having = Counter(word for own in words for word in own)
    return [
        sentence
        for sentence, own in zip(sentences[1:], words[1:], strict=True)
        if len(sentence.text.split()) in _WORDS
        and sentence.text.rstrip().endswith((".", "!", "?"))
        and sentence[0].pos_ not in _LEANING
        and "Dem" not in sentence[0].morph.get("PronType", [])
        and sum(having[word] == 1 for word in own) >= _NEW_WORDS
    ]
