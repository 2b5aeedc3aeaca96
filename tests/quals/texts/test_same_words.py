"""One typography for all texts: what becomes what, what stays, and that places in the given text are found again."""

from __future__ import annotations

import doctest
import random
import time
from pathlib import Path

import pytest
import quals.typography
from quals import QualsScorer
from quals.pairs import fold
from quals.typography import given_span, plain
from quals.words import unsupported_words
from support.t5 import t5_tokenizer
from tokenizers import ByteLevelBPETokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from benchmarks.typography.__main__ import load_texts
from benchmarks.typography.variants import VARIANTS

# Most scripts, all punctuation, spaces, forms and some emoji.
SIGNS = [chr(code) for code in [*range(0x3100), *range(0xFB00, 0x10000), *range(0x1F300, 0x1F400)]]


def test_examples_run() -> None:
    result = doctest.testmod(quals.typography)
    assert result.failed == 0
    assert result.attempted > 0


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("\u201cIt\u2019s\u201d \u00abyes\u00bb \u201eja\u201c", '"It\'s" "yes" "ja"'),
        ("\u2018x\u2019 \u2039y\u203a", "'x' 'y'"),
        ("it\u00b4s Hawai\u02bbi", "it's Hawai'i"),
        ("\u043e\u0431\u02bc\u0454\u043a\u0442", "\u043e\u0431'\u0454\u043a\u0442"),  # Ukrainian
        ("5\u2032 10\u2033 at \u22125\u00a0\u00b0C", "5' 10\" at -5 \u00b0C"),
        ("one\u2010way, one\u2011way, 1990\u20132000", "one-way, one-way, 1990-2000"),
        ("late\u2014very", "late - very"),
        ("late \u2014 very", "late - very"),
        ("late\u200a\u2014\u200avery", "late - very"),
        ("late\u200b\u2014\u200bvery", "late - very"),
        ("late \u2013 very", "late - very"),
        ("\u2014 Oui.\n\u2014 Non \u2014", "- Oui.\n- Non -"),
        ("\u4ed6\u8bf4\u2014\u2014\u662f", "\u4ed6\u8bf4 - \u662f"),
        ("and then\u2026", "and then..."),
        ("of\u00adfi\u00adcial web\u200bsite\ufeff \u200fx\u200e", "official website x"),
        ("the o\ufb03ce's \ufb01rst \ufb02oor, \u0133s", "the office's first floor, ijs"),
        ("a\u2028b\u2029c\u0085d\u3000e\u2009f", "a\nb\nc\nd e f"),
        ("\uff21\uff22\uff23\uff11\uff12\uff13", "ABC123"),
        ("Zu\u0308rich, Malmo\u0308, \u1112\u1161\u11ab", "Z\u00fcrich, Malm\u00f6, \ud55c"),
        ("\ufefb \ufe8d\ufedf", "\u0644\u0627 \u0627\u0644"),  # Arabic letters as a PDF file has them
        ("\u05e6\u05d4\u05f4\u05dc", "\u05e6\u05d4\"\u05dc"),
    ],
)  # fmt: skip
def test_what_becomes_what(given: str, wanted: str) -> None:
    assert plain(given) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "x\u00b2 + y\u00b3, \u00bd cup, H\u2082O, \u2460 \u2163 \u2116 5 \u2122 \u2103",  # with NFKC: x2, 1/2, H2O, ...
        "\ufdfa \ufdfc",  # one sign for a sentence, and a currency
        "\u4ed6\u8bf4\uff1a\u300c\u4f60\u597d\uff01\u300d\uff0c\u6211\u8d70\u4e86\u3002\u300a\u4e66\u300b",
        "\u30b3\u30fc\u30d2\u30fc\u30fb\u30ab\u30c3\u30d7\u301c",
        "\u06af\u0644\u200c\u0641\u0631\u0648\u0634",  # Persian: the sign of width 0 tells two words apart
        "\u0915\u094d\u200d\u0937 \u0915\u094d\u200c\u0937",  # Hindi: it tells two spellings apart
        "\u1797\u17b6\u179f\u17b6\u200b\u1781\u17d2\u1798\u17c2\u179a",  # Khmer: it parts words
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "c\u0153ur, \u00c6sop, stra\u00dfe, \u00c5se, \u0141\u00f3d\u017a, na\u00efve",
    ],
)
def test_what_says_something_stays(text: str) -> None:
    assert plain(text) == text


def test_ascii_is_left_alone() -> None:
    text = "".join(map(chr, range(128))) + " -- ... ``x''  y\r\n\tz"
    assert plain(text) is text


@pytest.mark.parametrize("context", ["a{}b", "{}", " {}\u0301", "\u200b{}\u2014", "\u0645\u200c{}\u0645"])
def test_every_sign_is_made_plain_once_and_its_words_are_the_same(context: str) -> None:
    for sign in SIGNS:
        given = context.format(sign)
        made = plain(given)
        assert plain(made) == made, ascii(given)
        assert [word.folded for word in fold(given)] == [word.folded for word in fold(made)], ascii(given)


def test_every_character_is_found_again_in_the_given_text() -> None:
    rng = random.Random(0)
    signs = "ab \n-\u2014\u2013\u00a0\u200b\u200d\u0915\u0301\u00ad\u2026\ufb03"
    signs += "\u1100\u1161\u11a8e\u2019\U0001f525\ufe0f\uff21"
    for _ in range(2000):
        given = "".join(rng.choices(signs, k=rng.randrange(1, 12)))
        made, span, before = plain(given), given_span(given), (0, 0)
        for place, character in enumerate(made):
            start, end = span(place, place + 1)
            assert before[0] <= start < end <= len(given), ascii(given)
            assert before[1] <= end, ascii(given)
            if character.isalnum():
                assert character in plain(given[start:end]), ascii(given)
            before = (start, end)


def test_a_long_text_takes_a_moment() -> None:
    for text in (" " * 500_000 + "\u00e9", "\u00a0" * 500_000, "e\u0301" * 250_000):
        start = time.perf_counter()
        plain(text)
        assert time.perf_counter() - start < 10


def byte_level() -> PreTrainedTokenizerBase:
    """A tokenizer as BART's, which reads bytes."""
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator([text for both in load_texts() for text in both], 600, show_progress=False)
    return PreTrainedTokenizerFast(tokenizer_object=trained._tokenizer)


@pytest.mark.parametrize("family", ["bert", "bart", "t5"])
def test_a_tokenizer_reads_the_same_in_every_typography(family: str, embedded: Path) -> None:
    kinds = {"bert": lambda: AutoTokenizer.from_pretrained(embedded), "bart": byte_level, "t5": t5_tokenizer}
    tokenizer = kinds[family]()
    texts = [text for both in load_texts() for text in both]
    told_apart = 0
    for name, change in VARIANTS.items():
        if name in ("lines broken", "spaces doubled"):  # in ASCII, which is left to the tokenizer
            continue
        changed = [change(text) for text in texts]
        told_apart += tokenizer(changed)["input_ids"] != tokenizer(texts)["input_ids"]
        assert tokenizer([plain(text) for text in changed])["input_ids"] == tokenizer(texts)["input_ids"], name
    assert told_apart >= 2, "without that it would read other tokens"


def test_the_same_words_have_the_same_score_and_places_in_the_given_text(embedded: Path) -> None:
    scorer = QualsScorer(str(embedded), num_groups=12, device="cpu")
    source = 'The "first" office of the city - a five-year-old building - isn\'t open... Helen Marsh said so.'
    summary = 'Tom Marsh said the "first" office - a five-year-old building - isn\'t open...'
    expected, *others = scorer.score(
        *zip((source, summary), (typeset(source), summary), (source, typeset(summary)), strict=True)
    )
    assert expected.score < -0.1
    assert [other.score for other in others] == pytest.approx([expected.score] * 2, abs=1e-6)
    found = others[1]
    assert (found.source, found.summary) == (source, typeset(summary))
    for own, plain_pair in zip(found.pairs, expected.pairs, strict=True):
        own_answer, answer = found.summary[own.start : own.end], summary[plain_pair.start : plain_pair.end]
        assert plain(own_answer) == answer
    marked = [plain(found.summary[word.start : word.end]) for word in unsupported_words(found.summary, found.pairs)]
    assert marked == [summary[word.start : word.end] for word in unsupported_words(summary, expected.pairs)]
    assert "Tom" in marked
    (asked,) = scorer.generate_pairs([typeset(summary)])
    (asked_plainly,) = scorer.generate_pairs([summary])
    assert [plain(typeset(summary)[pair.start : pair.end]) for pair in asked] == [
        summary[pair.start : pair.end] for pair in asked_plainly
    ]
    given, plainly = scorer.score_pairs([typeset(source), source], [asked_plainly] * 2)
    assert given == plainly


def typeset(text: str) -> str:
    """In all typographies at once."""
    for name in ("curly quotes", "dashes without spaces", "ellipses", "ligatures", "soft hyphens"):
        text = VARIANTS[name](text)
    return VARIANTS["non-breaking hyphens"](text)
