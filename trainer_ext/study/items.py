"""The items to judge: documents drawn at random, and attention checks with a known right answer."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trainer_ext.study.pairing import Pair

Kind = Literal["pair", "foreign", "identical"]
_TRIED = 20  # other documents among which the summary that fits worst is taken


@dataclass(frozen=True)
class Item:
    """A document with two summaries.

    Attributes:
        kind: ``pair``: the two systems'. ``foreign``: a summary of the document, then one of another document.
            ``identical``: one summary twice.
        key: the document's, as in :class:`~trainer_ext.study.pairing.Pair`.
        document: the source text.
        summaries: the two texts.
    """

    kind: Kind
    key: str
    document: str
    summaries: tuple[str, str]


def draw_items(pairs: Sequence[Pair], count: int | None, checks: int, seed: int) -> list[Item]:
    """Items for all raters, checks last; the same arguments give the same items.

    Checks are made of documents that were not drawn, if there are any, because a document that comes twice gives a
    check away. Foreign and identical checks alternate.

    Args:
        pairs: the documents to draw from.
        count: number of documents to draw, from 1; None is all.
        checks: number of attention checks, from 0.
        seed: random seed of the draw.

    Raises:
        ValueError: there are fewer documents, or a check cannot be made of them.
    """
    if count is None:
        count = len(pairs)
    if not 1 <= count <= len(pairs):
        raise ValueError(
            f"--items is {count}, and the tables hold {len(pairs)} documents: give 1 to {len(pairs)}, or leave it out."
        )
    if checks < 0:
        raise ValueError(f"--checks is {checks}: give 0 or more.")
    shuffled = random.Random(f"{seed}/items").sample(pairs, len(pairs))
    drawn, spare = shuffled[:count], shuffled[count:]
    items = [Item("pair", pair.key, pair.document, pair.summaries) for pair in drawn]
    rng = random.Random(f"{seed}/checks")
    usable = [pair for pair in (*spare, *drawn) if any(text.strip() for text in pair.summaries)]
    if checks and not usable:
        raise ValueError("All summaries are blank, so attention cannot be checked: give --checks 0.")
    for number in range(checks):
        pair = usable[number % len(usable)]
        own = rng.choice([text for text in pair.summaries if text.strip()])
        other = _foreign(pair, own, usable, rng) if number % 2 == 0 else own
        items.append(Item("identical" if number % 2 else "foreign", pair.key, pair.document, (own, other)))
    return items


def _foreign(pair: Pair, own: str, pairs: Sequence[Pair], rng: random.Random) -> str:
    """A summary of another document, with few words in common with this one and about as long as ``own``.

    Raises:
        ValueError: there is no other document.
    """
    others = [other for other in pairs if other.key != pair.key]
    if not others:
        raise ValueError("A check needs the summary of another document, and there is only one: give --checks 0.")
    tried = [text for other in rng.sample(others, min(_TRIED, len(others))) for text in other.summaries if text.strip()]
    known = _words(pair.document)

    def fit(text: str) -> tuple[float, int]:
        words = _words(text)
        return round(len(words & known) / max(1, len(words)), 1), abs(len(text) - len(own))

    return min(tried, key=fit)


def _words(text: str) -> set[str]:
    return set(text.casefold().split())
