"""The words of a claim: a sentence with an edit, and without parts that it can do without."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainer_ext.recipes.factcc.claim_changes import Edit

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

_MOST_PARTS = 3  # left out of one sentence
LEAST_WORDS = 5  # left in a claim
# Relative and adverbial clauses, appositions, participles: a sentence stays true without them.
_CLAUSES = ("relcl", "appos", "acl", "advcl")
_CONDITIONS = ("if", "unless", "whether", "though", "although", "until", "lest", "like", "than")
_NEEDED = ("of", "without", "except", "unlike", "against")  # prepositions that change the meaning of their verb
NEGATIONS = frozenset(("not", "no", "never", "none", "nor", "nobody", "nothing", "without", "cannot"))
# In the scope of one of these, leaving words out may make it false: "not in March" is not "not".
_SCOPES = NEGATIONS.union(
    (
        "n't", "n’t", "neither",  # noqa: RUF001  # a curly apostrophe, as texts have
        "only", "few", "little", "hardly", "if", "unless", "all", "every", "each", "any", "most", "would", "could",
    )
)  # fmt: skip


@dataclass(frozen=True)
class ClaimText:
    """A claim's text.

    Attributes:
        text: words separated by single spaces.
        first, last: first and last word that the edit changed, counted from 0; None without an edit.
    """

    text: str
    first: int | None = None
    last: int | None = None


def plain(text: str) -> str:
    """The words, separated by single spaces."""
    return " ".join(text.split())


def claim_text(sentence: Span, edit: Edit | None = None, left_out: Collection[int] = ()) -> ClaimText:
    """The sentence's text with an edit and without some of its document's tokens."""
    text, span = "", None
    for token in sentence:
        if token.i in left_out:
            continue
        if token.i > sentence.start and token.i - 1 in left_out:  # keeps the space before what was left out
            text = (text.rstrip() + token.nbor(-1).whitespace_).lstrip()
        if edit is None or not edit.start <= token.i < edit.end:
            text += _opening(token.text, text, sentence) + token.whitespace_
        elif token.i == edit.start:
            new = _opening(edit.new, text, sentence)
            # A bracket or a comma without a space belongs to the same word.
            first = len(f"{text}x".split()) - 1
            span = first, first + len(f"x{new}x".split()) - 1
            text += new + sentence.doc[edit.end - 1].whitespace_
    return ClaimText(plain(text), *(span or (None, None)))


def omissible_tokens(
    sentence: Span, edit: Edit | None, rng: random.Random, least_words: int = LEAST_WORDS
) -> frozenset[int]:
    """Tokens of the document that the sentence can do without and stay as true, or as false, as it is.

    Summaries leave parts out, so claims should too: up to three clauses, appositions, second predicates, and
    prepositional phrases of a verb.

    Args:
        sentence: a parsed sentence.
        edit: a change of it, whose tokens stay; None without one.
        rng: draws the parts.
        least_words: words that stay at least.

    Returns:
        Their places; none where leaving out is not safe.
    """
    if any(token.lower_ in _SCOPES for token in sentence):
        return frozenset()
    edited = range(0) if edit is None else range(edit.start, edit.end)
    parts = [part for token in sentence if (part := _part(token, sentence)) and not set(part) & set(edited)]
    left_out: set[int] = set()
    for part in rng.sample(parts, min(len(parts), rng.randint(1, _MOST_PARTS))):
        more = left_out | set(part)
        if sum(token.is_alpha for token in sentence if token.i not in more) >= least_words:
            left_out = more
    return frozenset(left_out)


def _part(token: Token, sentence: Span) -> range:
    """The part of the sentence below a token, with the commas around it; empty where it cannot be left out."""
    start, end = token.left_edge.i, token.right_edge.i + 1
    if token.dep_ == "conj" and token.head.pos_ == "VERB" and token.pos_ == "VERB":
        joints = [other.i for other in token.head.children if other.dep_ == "cc" and other.i < start]
        if not joints or any(other.dep_.startswith("nsubj") for other in token.children):
            return range(0)
        start = max(joints)
    elif token.dep_ == "prep":
        if token.head.pos_ != "VERB" or token.lower_ in _NEEDED:
            return range(0)
    elif token.dep_ not in _CLAUSES or any(
        other.dep_ in ("mark", "advmod") and other.lower_ in _CONDITIONS for other in token.children
    ):
        return range(0)
    before = start > sentence.start and sentence.doc[start - 1].text == ","
    after = end < sentence.end and sentence.doc[end].text == ","
    closes = end == sentence.end or sentence.doc[end].is_punct
    if before and (after or closes):
        start -= 1
    if after and (before or start == sentence.start):
        end += 1
    inside = sentence.start <= start and end <= sentence.end and sentence.root.i not in range(start, end)
    return range(start, end) if inside else range(0)


def _opening(word: str, before: str, sentence: Span) -> str:
    """A word, with a capital if it opens a sentence that begins with one."""
    return word[:1].upper() + word[1:] if not before and sentence.text.lstrip()[:1].isupper() else word
