"""The pictures: escaped, complete, worst first, whatever the texts hold."""

from __future__ import annotations

import math
import re
import sys
import warnings
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from quals import QualsResult, ScoredPair
from quals.errors import MissingExtraError, require_extra
from quals.markup import BLUE, NO_PAIRS, ORANGE, judgement, signed
from quals.words import FAR, printable, scored_words, token_texts, unsupported_words

from trainer_ext.explain.figure import write_figure
from trainer_ext.explain.terminal import comparison, pair_list
from trainer_ext.io.terminal import columns

SUMMARY = "Joshua & <script>alert('x')</script> \"Klitschko\" has a chink"


def make_pair(
    question: str, answer: str, source: float, tokens: Sequence[str] | None = None, span: tuple[int, int] = (0, 6)
) -> ScoredPair:
    pieces = tuple(tokens or [*question.split(), "<sep>", *answer.split(), "</s>"])
    marks = [place for place, piece in enumerate(pieces) if piece == "<sep>"]
    return ScoredPair(
        question, answer, *span, -0.5, source, pieces, (-0.5,) * len(pieces), (source,) * len(pieces), marks[0] + 1
    )


def explain(
    *pairs: ScoredPair, summary: str = SUMMARY, source: str = "The <b>source</b>.", **flags: Any
) -> QualsResult:
    score = sum(pair.score for pair in pairs) / len(pairs) if pairs else math.nan
    options = {"source_windows": 1, "source_truncated": False, "summary_truncated": False, **flags}
    return QualsResult(score, pairs, **options, source=source, summary=summary, signature="quals-v1-abc")


PAIRS = (make_pair("who won ?", "joshua", -1.0), make_pair("who <i>lost</i> ?", "a & b", -4.0))
STRANGE = (
    make_pair("$x^2$ _{ \\frac{a", "$ 5", -2.0),
    make_pair("東京 の 人口 \U0001f600", "一千万 \U0001f94a", -3.0),
    make_pair("من هو الملك", "الملك", -3.5),
    make_pair("\x1b[31m \x00 \u202e abc", "\ud800 \ufffe", -1.0),
    make_pair("x" * 3000, "y " * 25, -1.5),
    make_pair("never", "seen", -math.inf),
)


class Page(HTMLParser):
    """Elements, their attributes and the text of a page; fails on anything left open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "!doctype"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_escapes_every_text() -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>\"' &amp; </title></style>"
    pair = make_pair(hostile, hostile, -2.0, tokens=[hostile, "<sep>", hostile, "</s>"])
    markup = explain(pair, summary=hostile, source=hostile).to_html()
    page = Page(markup)
    assert not {tag for tag, _ in page.elements} & {"script", "img", "b", "i-"}
    # Question, answer, two tokens in bars and in the table, summary (of which the answer is one part) and source.
    assert page.words.count(hostile) >= 7
    assert page.words.replace("\n", "").count("<script>alert(1)</script>") >= 8
    assert all(not name.startswith("on") for _, attributes in page.elements for name in attributes)


def test_the_page_is_self_contained_and_accessible() -> None:
    markup = explain(*PAIRS).to_html()
    page = Page(markup)
    assert not re.search(r"https?:|//|@import|url\(|\bsrc=", markup)
    links = [attributes["href"] for tag, attributes in page.elements if tag == "a"]
    names = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert links
    assert all(link is not None and link.removeprefix("#") in names for link in links)
    bars = [attributes for _, attributes in page.elements if attributes.get("class") == "bars"]
    assert len(bars) == sum(len(scored_words(pair)) for pair in PAIRS)
    assert all(bar["role"] == "img" and "summary -0.500, source -" in str(bar["aria-label"]) for bar in bars)
    assert "prefers-color-scheme: dark" in markup
    assert 'name="viewport"' in markup
    assert f"--summary: {BLUE}" in markup
    assert f"--source: {ORANGE}" in markup


def changed(question: str, answer: str, *changes: float) -> ScoredPair:
    """A pair whose words are so many nats likelier given the source."""
    tokens = (*question.split(), "<sep>", *answer.split(), "</s>")
    source = tuple(-1.0 + change for change in changes)
    return ScoredPair(
        question, answer, 0, 1, -1.0, sum(source) / len(source), tokens, (-1.0,) * len(tokens), source,
        len(question.split()) + 1,
    )  # fmt: skip


def test_a_word_is_unsupported_where_no_pair_that_mentions_it_supports_it() -> None:
    summary = "Ann sold Bob the red boat in May"
    pairs = [
        changed("who sold it", "Ann", 0.0, -9.0, 0.0, 0.0, -9.0, 0.0),
        changed("what did Ann sell", "the red boat", 0.0, 0.0, -4.0, 0.0, 0.0, -0.1, -FAR, -FAR + 0.01, 0.0),
    ]
    words = unsupported_words(summary, pairs)
    # "boat" is just not far enough, "sold" is in the first pair alone, nobody asked for Bob or May.
    assert [(summary[word.start : word.end], word.change, word.pair) for word in words] == [
        ("Ann", -4.0, 0),
        ("sold", -9.0, 0),
        ("red", pytest.approx(-FAR), 1),
    ]


def test_the_page_colours_unsupported_words_alone() -> None:
    pairs = [changed("who", "ann", 0.0, 0.0, -5.0, 0.0), changed("whose", "bob", 0.0, 0.0, -7.0, 0.0)]
    markup = explain(*pairs, summary="Bob & Ann won.").to_html()
    marked = re.findall(r'<a href="#pair-(\d)"[^>]*><mark style="--weight:([\d.]+)">([^<]*)</mark>', markup)
    assert [(number, text) for number, _, text in marked] == [("1", "Bob"), ("2", "Ann")]
    assert float(marked[0][1]) > float(marked[1][1])
    assert "Bob &amp; Ann won." in re.sub("<[^>]*>", "", markup)
    assert markup.count('class="answer deciding"') == 2


def test_a_notebook_shows_the_page_in_a_frame_of_its_own() -> None:
    frame = explain(*PAIRS)._repr_html_()
    page = Page(frame)
    [(tag, attributes)] = page.elements
    assert tag == "iframe"
    assert "sandbox" in attributes
    assert attributes["srcdoc"] == explain(*PAIRS).to_html()


def test_a_sentence_of_judgement() -> None:
    assert judgement([make_pair("a", "b", -1.0)]).startswith("None of 1 question-answer pair is much less likely")
    assert judgement(PAIRS, "document") == ("1 of 2 question-answer pairs is much less likely given the document.")
    both = comparison([explain(*PAIRS[:1], summary="right"), explain(*PAIRS, summary="wrong"), explain(summary="x")])
    assert re.search(r"(?s)-0\.500  right\n.*None of 1 .*-2\.000  wrong\n +1 of 2 .*undefined  x\n", both)
    assert "nats per token" in both


def test_the_bars_are_as_long_as_the_log_probabilities() -> None:
    markup = explain(make_pair("who", "joshua", -4.0)).to_html()
    assert set(re.findall(r'<i class="a" style="height:([\d.]+)%', markup)) == {"12.50"}
    assert set(re.findall(r'<i class="b" style="height:([\d.]+)%', markup)) == {"100.00"}


def test_everything_shows_the_worst_pair_first() -> None:
    explanation = explain(*PAIRS)
    assert [pair.answer for pair in explanation.worst_first] == ["a & b", "joshua"]
    page = Page(explanation.to_html()).words
    assert page.index("who <i>lost</i> ?") < page.index("who won ?")
    listed = pair_list(explanation, 100)
    assert listed.index("who <i>lost</i> ?") < listed.index("who won ?")
    assert re.search(r"-3\.500 +-4\.000 +-0\.500 +who <i>lost</i> \? -> a & b", listed)


def texts_of(path: Path) -> list[str]:
    """Texts of a figure: matplotlib draws letters as shapes and notes each text in a comment."""
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    root = ElementTree.parse(path, parser).getroot()
    return [(element.text or "").strip() for element in root.iter() if element.tag is ElementTree.Comment]


def test_the_figure_holds_the_worst_three_pairs_in_their_colours(tmp_path: Path) -> None:
    path = tmp_path / "figure.svg"
    pairs = [make_pair(f"question {number} ?", "answer", -float(number)) for number in range(1, 6)]
    write_figure(explain(*pairs, source_truncated=True), path)
    texts, drawing = texts_of(path), path.read_text().lower()
    titles = [text for text in texts if "\N{RIGHTWARDS ARROW}" in text and len(text) > 1]
    assert [title.split()[2] for title in titles] == ["5", "4", "3"]
    assert "The end of the source was not read." in texts
    bars = sum(len(pair.tokens) for pair in pairs[:3]) + 1  # and the legend's
    assert drawing.count(f"fill: {BLUE.lower()}") == drawing.count(f"fill: {ORANGE.lower()}") == bars
    write_figure(explain(*pairs, source_truncated=True), tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_text().lower() == drawing
    write_figure(explain(*pairs), tmp_path / "dark.svg", dark=True)
    assert BLUE.lower() not in (tmp_path / "dark.svg").read_text().lower()


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_strange_texts_are_drawn_without_a_warning(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"figure{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_figure(explain(*STRANGE[3:]), path)
        write_figure(explain(*STRANGE[:3], summary="$\\alpha$ \x00 \ud800 " * 60), path)
    if suffix == ".png":
        assert path.read_bytes().startswith(b"\x89PNG")
    else:
        assert any("$x^2$ _{ \\frac{a" in text for text in texts_of(path))


def test_the_figure_grows_with_its_pairs_as_far_as_three(tmp_path: Path) -> None:
    from matplotlib.image import imread

    heights = []
    for number in (1, 2, 3, 9):
        write_figure(explain(*PAIRS[:1] * number), tmp_path / "figure.png")
        heights.append(imread(tmp_path / "figure.png").shape[0])
    one, two, three, nine = heights
    assert three - two == pytest.approx(two - one, abs=2)
    assert two - one > 100
    assert nine == three


def test_strange_texts_on_the_page() -> None:
    markup = explain(*STRANGE, summary="\x00\x1b\ud800\ufffe \u202e").to_html()
    Page(markup)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\ufffe]", markup)
    assert "height:100.00%" in markup


def test_no_pairs(tmp_path: Path) -> None:
    explanation = explain()
    assert NO_PAIRS in Page(explanation.to_html()).words
    assert NO_PAIRS in pair_list(explanation, 200)
    write_figure(explanation, tmp_path / "figure.svg")
    assert NO_PAIRS in texts_of(tmp_path / "figure.svg")


@pytest.mark.parametrize("width", [20, 40, 59, 60, 80, 200])
def test_the_list_keeps_to_the_terminal(width: int) -> None:
    listed = pair_list(explain(*PAIRS, *STRANGE, source_truncated=True), width)
    assert max(columns(line) for line in listed.splitlines()) <= width
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", listed)
    squeezed = re.sub(r"\s", "", listed)
    assert "x" * 3000 in squeezed
    assert "who<i>lost</i>?->a&b" in squeezed


def test_columns_count_wide_letters() -> None:
    assert [columns(text) for text in ("abc", "東京", "e\u0301")] == [3, 4, 1]


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (["chin", "##k", "?", "<sep>", "k", "##lit", "</s>"], ["chin", "·k", "?", "→", "k", "·lit", "end"]),
        (["Who", "Ġwon", "?", "<sep>", "Jos", "hua", "</s>"], ["Who", "won", "·?", "→", "·Jos", "·hua", "end"]),
        (["ĠcafÃ©", "ðŁ", "<sep>", "Ġa", "</s>"], ["café", "·\ufffd", "→", "a", "end"]),
        (["▁who", "▁wo", "n", "<sep>", "▁a", "</s>"], ["who", "wo", "·n", "→", "a", "end"]),
    ],
)
def test_tokens_are_readable(tokens: list[str], expected: list[str]) -> None:
    assert token_texts(make_pair("q", "a", -1.0, tokens=tokens)) == expected


def test_numbers_and_texts_for_people() -> None:
    assert [signed(value) for value in (-1.23456, -0.0001, math.nan, -math.inf)] == [
        "-1.235",
        "0.000",
        "undefined",
        "-inf",
    ]
    assert printable("a\n\tb\x1b[0m\x00") == "a b\ufffd[0m\ufffd"
    assert printable("a\u202eb\u2066") == "a\ufffdb\ufffd"
    assert printable("\U0001f468\u200d\U0001f33e") == "\U0001f468\u200d\U0001f33e"


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    require_extra("plot", "matplotlib")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=re.escape('pip install ".[plot]"')):
        require_extra("plot", "matplotlib")


def test_pieces_become_words_whose_log_probability_is_their_sum() -> None:
    pair = make_pair("q", "a", -1.0, tokens=["chin", "##k", "?", "<sep>", "k", "##lit", "##!", "</s>"])
    words = [(word.text, word.source, word.is_answer) for word in scored_words(pair)]
    assert words == [
        ("chink", -2.0, False), ("?", -1.0, False), ("\N{RIGHTWARDS ARROW}", -1.0, False),
        ("klit", -2.0, True), ("!", -1.0, True), ("end", -1.0, True),
    ]  # fmt: skip
    chinese = make_pair("q", "a", -1.0, tokens=["\u2581", "\u6771\u4eac", "\u306e", "<sep>", "\u2581a", "</s>"])
    assert [word.text for word in scored_words(chinese)][1:3] == ["\u6771\u4eac", "\u306e"]
