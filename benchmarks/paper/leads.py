"""Pairs from articles without a summary: the first sentence summarizes the rest, as in XSum."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from factcc.sentences import sentence_spans

from benchmarks.common.examples import Example
from trainer_ext.io.tables import read_table

_JOINED = re.compile(r"(?<=[a-z0-9\"')]{2}[.!?])(?=[A-Z])")  # paragraphs of web pages, run together
_DATELINE = re.compile(r"[A-Z][\w .]{2,30}, [A-Z][a-z]{2,8}\.? \d{1,2} \([A-Z]{2,5}\) ?")
_WORDS = range(8, 41)  # shorter ones are headings, longer ones are several sentences


def lead_pairs(files: Sequence[Path]) -> list[Example]:
    """Each article's first sentence as the summary of the rest; each article counts once.

    Left out are first sentences of fewer than 8 or more than 40 words, and articles whose rest is not three times as
    long. White space is normalised, and a news agency's dateline is dropped.

    Args:
        files: tables with the column ``document``, such as JSON lines.

    Raises:
        ValueError: a file is not a table, or there are no usable articles.
    """
    pairs: dict[str, Example] = {}
    for file in files:
        for row in read_table(file):
            article = row.get("document")
            if not isinstance(article, str):
                raise ValueError(f"{file} has a row without the text document: give a file of articles.")
            text = _DATELINE.sub("", " ".join(_JOINED.sub(" ", article).split()), count=1)
            (spans,) = sentence_spans([text])
            end = spans[0][1] if spans else 0
            lead, rest = text[:end].strip(), text[end:].strip()
            words = len(lead.split())
            if words in _WORDS and len(rest.split()) >= 3 * words:
                pairs.setdefault(rest, Example(rest, lead))
    if not pairs:
        raise ValueError(
            f"{', '.join(map(str, files))}: there are no articles that begin with a sentence of 8 to 40 words."
        )
    return list(pairs.values())
