"""First sentences of articles as their summaries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.common.examples import Example
from benchmarks.paper.leads import lead_pairs

LEAD = "The council has approved the plans for a new indoor water park."
REST = (
    'It is expected to open "by 2017".The owners said on Friday that 300 people would find work there. '
    "Some who live near by have raised concerns about traffic and noise, of which the park has seen plenty before."
)


def write(path: Path, *articles: object) -> Path:
    path.write_text("".join(json.dumps({"document": article}) + "\n" for article in articles))
    return path


def test_the_first_sentence_is_no_part_of_its_source(tmp_path: Path) -> None:
    """Nor is a dateline. A lost break after a full stop is restored, and an article counts once."""
    even = REST.replace(".The", ". The")
    articles = (f"{LEAD} {REST}", f"London, Apr 24 (PTI) {LEAD}\n{REST}", f"{LEAD}{REST}")
    assert lead_pairs([write(tmp_path / "a.jsonl", *articles)]) == [Example(even, LEAD)]


def test_what_is_no_summary_is_left_out(tmp_path: Path) -> None:
    long = "The council " + "and the mayor " * 20 + "met."
    articles = (f"Too short a lead. {REST}", f"{long} {REST * 3}", f"{LEAD} It may open soon.", "", LEAD)
    file = write(tmp_path / "a.jsonl", *articles)
    with pytest.raises(ValueError, match=r"a\.jsonl: there are no articles"):
        lead_pairs([file])
    assert len(lead_pairs([file, write(tmp_path / "b.jsonl", f"{LEAD} {REST}")])) == 1
    with pytest.raises(ValueError, match=r"c\.jsonl has a row without the text document"):
        lead_pairs([write(tmp_path / "c.jsonl", 3)])
