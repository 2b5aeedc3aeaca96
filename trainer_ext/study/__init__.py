"""A blinded study: people judge two systems' summaries of the same documents side by side.

The words used throughout: an *item* is a document with two summaries, a *check* an item whose right answer is known,
a *task* an item at its place in one rater's order, an *answer* one click. Raters see a first and a second summary and
never learn which system wrote which; a *verdict* is an answer seen from the first system: better, equal or worse.
"""

from __future__ import annotations

from dataclasses import dataclass

PORT = 8040  # of a study that names no other


@dataclass(frozen=True)
class Attribute:
    """A quality that raters judge.

    Attributes:
        key: name in files and addresses.
        name: name for people.
        question, hint: texts that a rater reads.
    """

    key: str
    name: str
    question: str
    hint: str


ATTRIBUTES = (
    Attribute(
        "consistency",
        "factual consistency",
        "Which summary is more factually consistent?",
        "It states only what the document states or clearly implies. What you know from elsewhere does not count.",
    ),
    Attribute(
        "informativeness",
        "informativeness",
        "Which summary is more informative?",
        "It tells more of what matters in the document.",
    ),
    Attribute(
        "grammar",
        "grammatical correctness",
        "Which summary is more correct in its grammar?",
        "It has fewer mistakes of grammar, spelling and punctuation, whatever it states.",
    ),
)
CHOICES = ("first", "equal", "second")  # of the two summaries as the rater sees them
