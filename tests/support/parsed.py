"""Documents as a parser leaves them, by hand, so that no pipeline has to be installed."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import spacy
from spacy.tokens import Doc, Span

from trainer_ext.recipes.factcc.claim_changes import Change
from trainer_ext.recipes.factcc.claim_texts import claim_text

WORDS = "Ann met Bob in 1999 and paid 3 euros . Carl came in 2005 with 40 people .".split()  # noqa: SIM905
ENTITIES = [
    "B-PERSON", "O", "B-PERSON", "O", "B-DATE", "O", "O", "B-CARDINAL", "O", "O",
    "B-PERSON", "O", "O", "B-DATE", "O", "B-CARDINAL", "O", "O",
]  # fmt: skip
LONG = ["Ann", ",", "who", "sang", ",", "met", "Bob", "in", "Paris", "."]
PARSE = {
    "pos": ["X", "X", "X", "VERB", "X", "VERB", "X", "X", "X", "X"],
    "deps": ["nsubj", "punct", "nsubj", "relcl", "punct", "ROOT", "dobj", "prep", "pobj", "punct"],
    "heads": [5, 0, 3, 0, 0, 5, 5, 5, 7, 5],
}


def parsed(
    words: list[str], tags: dict[int, str] | None = None, entities: list[str] | None = None, **marks: list[str]
) -> Doc:
    """A document with these words; a full stop ends a sentence."""
    count = len(words)
    starts = [place for place in range(count) if place == 0 or words[place - 1] == "."]
    document = Doc(
        spacy.blank("en").vocab,
        words=words,
        spaces=[True] * count,
        tags=[(tags or {}).get(place, "NN") for place in range(count)],
        pos=marks.get("pos", ["X"] * count),
        deps=marks.get("deps", ["dep"] * count),
        heads=[max(start for start in starts if start <= place) for place in range(count)],
        ents=entities or ["O"] * count,
    )
    return document


def first(document: Doc) -> Span:
    """Its first sentence."""
    return next(iter(document.sents))


def tried(change: Change, sentence: Span, seeds: range, strangers: dict[str, list[str]] | None = None) -> set[str]:
    """The texts that a change makes."""
    edits = [change(sentence, random.Random(seed), strangers or {}) for seed in seeds]
    return {claim_text(sentence, edit).text for edit in edits if edit is not None}


def long_sentence(words: list[str] = LONG, spaces: list[bool] | None = None) -> Span:
    """A sentence with parts that it can do without."""
    entities = ["B-PERSON", *"OOOOO", "B-PERSON", "O", "B-GPE", "O"]
    vocab = spacy.blank("en").vocab
    return first(Doc(vocab, words=words, spaces=spaces or [True] * len(words), ents=entities, **PARSE))  # type: ignore[arg-type]


PEOPLE, PLACES = ["joshua", "klitschko"], ["paris", "london"]


def write_rules(folder: Path) -> Path:
    """A pipeline of rules instead of a trained one, which need not be installed."""
    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer", name="parser")
    entities: Any = pipeline.add_pipe("entity_ruler", name="ner")
    entities.add_patterns([{"label": "PERSON", "pattern": word} for word in PEOPLE])
    entities.add_patterns([{"label": "GPE", "pattern": word} for word in PLACES])
    attributes: Any = pipeline.add_pipe("attribute_ruler", name="tagger")
    attributes.add([[{"LOWER": {"IN": ["is", "was", "has", "did"]}}]], {"POS": "AUX"})
    pipeline.to_disk(folder)
    return folder
