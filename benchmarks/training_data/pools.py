"""Statements that people judged against a text, of several sets, and true summaries."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer_ext.io.tables import read_table

Row = Mapping[str, Any]

# Most rows of each set of natural language inference, so that captions of pictures do not drown the rest; None is all.
INFERENCE = {
    "snli_sub": 8000,
    "counterfactual_snli": 8000,
    "sanli_wiki": 10000,
    "conjnli": 5000,
    "breaking": 1500,
    "mnli_dev_matched": None,
    "fever_dev": None,
    "fever_symmetric": None,
    "begin": None,
    "q2_wow": None,
}
# The same for the QAGen, which asks for pairs of every statement, and so can train on fewer.
GATHERED = {
    "snli_sub": 1500,
    "counterfactual_snli": 3500,
    "sanli_wiki": 4000,
    "conjnli": 2000,
    "breaking": 500,
    "mnli_dev_matched": 4000,
    "fever_dev": 4000,
    "fever_symmetric": None,
    "begin": 2500,
    "q2_wow": None,
}
_TRUE = ("entailment", "consistent", "Fully attributable")
_UNCLEAR = "Generic"  # BEGIN: an answer that says nothing to attribute
_SHORT, _SHARE, _FEWEST, _MOST = 60, 0.5, 2, 6  # words of a source, share of those, others beside each
_SUMMARIES = ("scitldr_a_train", "ami_links", "crd3", "qmsum_spans")
_SOURCE_WORDS = 260


def judged(folder: Path, rng: random.Random) -> Iterator[Row]:
    """Rows ``source``, ``statement``, ``consistent``: inference sets, then summaries of DeFacto and their corrections.

    Half of the short sources stand among two to six other sources of their set, because a document says more than one
    thing. That another source of the set states what its own leaves open is possible, and rare among thousands.
    """
    for name, limit in INFERENCE.items():
        told = _inference(folder, name, limit, rng)
        sources = sorted({source for source, _, _ in told})
        for source, statement, true in told:
            if len(source.split()) < _SHORT and rng.random() < _SHARE:
                source = among_others(source, sources, rng)
            yield {"source": source, "statement": statement, "consistent": true}
    yield from _corrections(folder)


def gathered(folder: Path, rng: random.Random) -> Iterator[Row]:
    """Rows as :func:`judged` has them, for a training that ranks the statements about one source.

    Half of a set's short sources stand together, two to six in a document, and the statements about each of them are
    told about the document.
    """
    for name, limit in GATHERED.items():
        about: dict[str, list[tuple[str, bool]]] = {}
        for source, statement, true in _inference(folder, name, limit, rng):
            about.setdefault(source, []).append((statement, true))
        joined, alone = list[str](), list[str]()
        for source in about:
            short = len(source.split()) < _SHORT and rng.random() < _SHARE
            (joined if short else alone).append(source)
        groups = [[source] for source in alone]
        while joined:
            count = rng.randint(_FEWEST, _MOST)
            groups.append(joined[:count])
            joined = joined[count:]
        for group in groups:
            document = _joined(group)
            for source in group:
                for statement, true in about[source]:
                    yield {"source": document, "statement": statement, "consistent": true}
    yield from _corrections(folder)


def _inference(folder: Path, name: str, limit: int | None, rng: random.Random) -> list[tuple[str, str, bool]]:
    """At most ``limit`` premises of a set, each with a hypothesis and whether it is entailed."""
    rows = [row for row in read_table(folder / "nli" / f"{name}.jsonl") if _usable(row)]
    rng.shuffle(rows)
    told = [(row["premise"].strip(), row["hypothesis"].strip(), row["label"] in _TRUE) for row in rows[:limit]]
    if name.startswith("fever"):
        told = [(as_written(source), as_written(statement), true) for source, statement, true in told]
    return told


def _corrections(folder: Path) -> Iterator[Row]:
    """DeFacto's summaries with people's judgements, and what people made of the inconsistent ones."""
    for row in defacto(folder):
        yield {"source": row["document"], "statement": row["summary"], "consistent": bool(row["label"])}
        if row.get("corrected"):
            yield {"source": row["document"], "statement": row["corrected"], "consistent": True}


def true_summaries(folder: Path) -> Iterator[Row]:
    """Rows ``document``, ``summary``: corrections of DeFacto, and people's summaries of sources up to 260 words."""
    for row in defacto(folder):
        if row.get("corrected"):
            yield {"document": row["document"], "summary": row["corrected"]}
    for name in _SUMMARIES:
        for row in read_table(folder / "summ" / f"{name}.jsonl"):
            short = len(row["document"].split()) < _SOURCE_WORDS
            if short and row["summary"].strip() and not row.get("overlaps_dev"):
                yield {"document": row["document"], "summary": row["summary"]}


def defacto(folder: Path) -> list[Row]:
    """The training part of DeFacto, less the documents of other sets of judgements."""
    rows = read_table(folder / "human_dev" / "defacto.jsonl")
    return [row for row in rows if row["split"] == "train" and not row["overlaps_dev"]]


def among_others(source: str, sources: Sequence[str], rng: random.Random) -> str:
    """The source at a random place among two to six others, each a sentence or more."""
    drawn = rng.sample(sources, min(rng.randint(_FEWEST, _MOST), len(sources)))
    parts = [source, *(other for other in drawn if other != source)]
    rng.shuffle(parts)
    return _joined(parts)


def _joined(parts: Sequence[str]) -> str:
    """Parts as sentences of one text."""
    return " ".join(part if part[-1] in '.!?"' else f"{part}." for part in parts)


def as_written(text: str) -> str:
    """FEVER's tokenised text as people write it."""
    for token, mark in _TOKENS.items():
        text = text.replace(token, mark)
    text = re.sub(r" ([.,;:!?)\]%'])", r"\1", text)
    text = re.sub(r"([(\[]) ", r"\1", text)
    return re.sub(r" ('s|n't|'re|'ve|'ll|'d|'m)\b", r"\1", text)


_TOKENS = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "``": '"', "''": '"', " -- ": " - "}


def _usable(row: Row) -> bool:
    return row["label"] != _UNCLEAR and bool(row["premise"].strip()) and bool(row["hypothesis"].strip())
