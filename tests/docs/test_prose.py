"""The docs are plain: short sentences, no turns of phrase that a reader stumbles over, a README of one sitting.

Run as a script it prints every sentence that is too long: ``python tests/docs/test_prose.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = [
    REPOSITORY / "README.md",
    REPOSITORY / "hub_card.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted((REPOSITORY / "docs").glob("*.md")),
    *(REPOSITORY / "metrics" / name / "README.md" for name in ("factcc", "qags")),
]
LONGEST_SENTENCE = 30  # words
LONGEST_README = 900  # words
STUMBLES = re.compile(
    r"(?<!there )\b(?:is|are) no (?!longer)|nats a token|in (?:the|its|their) stead|can no longer be had", re.IGNORECASE
)
_NOT_PROSE = re.compile(r"\A---\n.*?^---$|^```.*?^```$|^\|.*?$|^#+ .*?$|^ {4,}\S.*?$|<[^>]+>", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_CODE = re.compile(r"`[^`]+`")
_END = re.compile(r"(?<=[.!?:;])[\"')*]*\s+(?=[\"'(*`A-Z])|\n\s*(?:[-*]|\d+\.)\s|\n\s*\n")


def sentences(text: str) -> Iterator[str]:
    """The sentences of a Markdown text: code, tables, headings and the targets of links are left out.

    Items of a list are sentences of their own, and so are the two sides of a colon or a semicolon before a capital.
    """
    prose = _LINK.sub(r"\1", _CODE.sub("`code`", _NOT_PROSE.sub("\n\n", text)))
    for sentence in _END.split(prose):
        if words := sentence.split():
            yield " ".join(words)


def too_long(file: Path, most: int = LONGEST_SENTENCE) -> list[str]:
    """The sentences of more than ``most`` words."""
    return [one for one in sentences(file.read_text(encoding="utf-8")) if len(one.split()) > most]


@pytest.mark.parametrize("file", DOCS, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_sentences_are_short(file: Path) -> None:
    assert not too_long(file)


@pytest.mark.parametrize("file", DOCS, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_there_is_nothing_to_stumble_over(file: Path) -> None:
    text = " ".join(file.read_text(encoding="utf-8").split())
    assert not STUMBLES.findall(text)
    assert not [sentence for sentence in sentences(text) if sentence.startswith("Of ")]


def test_the_readme_is_read_in_one_sitting() -> None:
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").split()) <= LONGEST_README


def test_a_long_sentence_is_found_and_code_is_none() -> None:
    long = "Word " + "word " * 30
    assert [len(one.split()) for one in sentences(f"Short. {long}end.\n\n```bash\n{long}\n```\n| {long} |\n")] == [
        1,
        32,
    ]
    assert len(list(sentences("First: a list.\n\n- one\n- two\n"))) == 3


if __name__ == "__main__":
    for document in DOCS:
        for sentence in too_long(document):
            print(f"{document.relative_to(REPOSITORY)}: {len(sentence.split())} words: {sentence}")
