"""A claim's words: a sentence with an edit, and with parts left out that others depend on and it does not."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainer_ext.recipes.factcc.claim_changes import Edit

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

_MOST_PARTS = 3  # that are left out of one sentence
_LEAST_WORDS = 5  # that stay
# What a clause says without them is still so: relative and adverbial clauses, appositions, participles.
_CLAUSES = ("relcl", "appos", "acl", "advcl")
_CONDITIONS = ("if", "unless", "whether", "though", "although", "until", "lest", "like", "than")
_NEEDED = ("of", "without", "except", "unlike", "against")  # prepositions that change what they stand with
NEGATIONS = frozenset(("not", "no", "never", "none", "nor", "nobody", "nothing", "without", "cannot"))
# Where one of these stands, less may be false: "not in March" is not "not".
_SCOPES = NEGATIONS.union(
    (
        "n't", "n’t", "neither",  # noqa: RUF001  # as texts have it
        "only", "few", "little", "hardly", "if", "unless", "all", "every", "each", "any", "most", "would", "could",
    )
)  # fmt: skip


@dataclass(frozen=True)
class ClaimText:
    """A claim's text.

    Attributes:
        text: words parted by single spaces.
        first, last: its words, counted from 0, that the edit changed; None without an edit.
    """

    text: str
    first: int | None = None
    last: int | None = None


def plain(text: str) -> str:
    """Words parted by single spaces."""
    return " ".join(text.split())


def claim_text(sentence: Span, edit: Edit | None = None, left_out: Collection[int] = ()) -> ClaimText:
    """The sentence's text with an edit and without some of its document's tokens."""
    text, span = "", None
    for token in sentence:
        if token.i in left_out:
            continue
        if token.i > sentence.start and token.i - 1 in left_out:  # as close as it stood to what was before it
            text = (text.rstrip() + token.nbor(-1).whitespace_).lstrip()
        if edit is None or not edit.start <= token.i < edit.end:
            text += _opening(token.text, text, sentence) + token.whitespace_
        elif token.i == edit.start:
            new = _opening(edit.new, text, sentence)
            # What stands before or behind without a space, a bracket or a comma, is of the same word.
            first = len(f"{text}x".split()) - 1
            span = first, first + len(f"x{new}x".split()) - 1
            text += new + sentence.doc[edit.end - 1].whitespace_
    return ClaimText(plain(text), *(span or (None, None)))


def omissible_tokens(sentence: Span, edit: Edit | None, rng: random.Random) -> frozenset[int]:
    """Tokens without which the sentence still says what is so, with or without the edit; none where that is unsure.

    Summaries leave out, so claims should: up to three clauses, appositions, second predicates and what prepositions
    bring to a verb.
    """
    if any(token.lower_ in _SCOPES for token in sentence):
        return frozenset()
    edited = range(0) if edit is None else range(edit.start, edit.end)
    parts = [part for token in sentence if (part := _part(token, sentence)) and not set(part) & set(edited)]
    found: set[int] = set()
    for part in rng.sample(parts, min(len(parts), rng.randint(1, _MOST_PARTS))):
        more = found | set(part)
        if sum(token.is_alpha for token in sentence if token.i not in more) >= _LEAST_WORDS:
            found = more
    return frozenset(found)


def _part(token: Token, sentence: Span) -> range:
    """What goes when a token goes, with the commas around it; nothing where it cannot go."""
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
    """A word, with a capital where it opens a sentence that begins with one."""
    return word[:1].upper() + word[1:] if not before and sentence.text.lstrip()[:1].isupper() else word
