"""Passages with their pairs in the shapes that scoring will meet: sentences, paragraphs, whole documents."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from factcc.sentences import sentence_spans

from trainer_ext.recipes.qa_data import Passage, QAPair


@dataclass(frozen=True)
class Example:
    """One passage as the model sees it, with (question, answer) targets."""

    text: str
    targets: tuple[tuple[str, str], ...]


def first_answers(passages: Sequence[Passage]) -> list[Example]:
    """Every passage as it is, and every pair with its first answer, which is what a QAGen is measured by."""
    return [Example(p.text, tuple((pair.question, pair.answers[0]) for pair in p.pairs)) for p in passages]


def make_examples(
    passages: Sequence[Passage],
    lengths: Sequence[int],
    rng: random.Random,
    max_tokens: int = 512,
    sentence_share: float = 0.4,
    document_share: float = 0.08,
    max_pairs: int = 18,
) -> Iterator[Example]:
    """One pass over the data: every passage once, as its sentences, as it is, or inside its article.

    Scoring meets single summary sentences, paragraphs, and whole documents in which one paragraph holds the answer. A
    model that has only seen paragraphs does not judge the other two fairly.

    Args:
        passages: neighbours with the same title are parts of one article.
        lengths: tokens of each passage.
        rng: draws shapes, pairs and answers; the same generator state gives the same examples.
        max_tokens: tokens of the longest document to build.
        sentence_share: chance that a passage is shown as its single sentences.
        document_share: chance that a passage is shown with its neighbours.
        max_pairs: most pairs of a passage in one pass; each pass draws them anew.
    """
    for index, passage in enumerate(passages):
        pairs = list(passage.pairs)
        if len(pairs) > max_pairs:
            pairs = rng.sample(pairs, max_pairs)
        shape = rng.random()
        if shape < sentence_share:
            yield from _sentences(passage, pairs, rng)
        else:
            text = passage.text
            if shape < sentence_share + document_share:
                text = _article(passages, lengths, index, rng.randint(max_tokens // 3, max_tokens))
            yield Example(text, tuple((pair.question, rng.choice(pair.answers)) for pair in pairs))


def _sentences(passage: Passage, pairs: list[QAPair], rng: random.Random) -> Iterator[Example]:
    (spans,) = sentence_spans([passage.text])
    by_span: dict[tuple[int, int], list[tuple[str, str]]] = {}
    for pair in pairs:
        length = len(pair.answers[0])
        holder = next(
            ((a, b) for a, b in spans if pair.start is not None and a <= pair.start and pair.start + length <= b),
            (0, len(passage.text)),
        )
        inside = [answer for answer in pair.answers if answer in passage.text[slice(*holder)]]
        by_span.setdefault(holder, []).append((pair.question, rng.choice(inside or list(pair.answers))))
    for (a, b), targets in by_span.items():
        yield Example(passage.text[a:b].strip(), tuple(targets))


def _article(passages: Sequence[Passage], lengths: Sequence[int], index: int, budget: int) -> str:
    """The passage with as many neighbours of its article as ``budget`` tokens hold, from both sides in turn."""
    first = last = index
    used = lengths[index]
    title = passages[index].title
    grew = bool(title)
    while grew:
        grew = False
        for candidate in (last + 1, first - 1):
            fits = 0 <= candidate < len(passages) and passages[candidate].title == title
            if fits and used + lengths[candidate] <= budget:
                used += lengths[candidate]
                first, last = min(first, candidate), max(last, candidate)
                grew = True
    return "\n".join(passage.text for passage in passages[first : last + 1])
