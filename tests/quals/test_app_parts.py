"""The app without a browser: what it reads, what it writes, what it says."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from quals.app_files import MOST_BYTES, MOST_ROWS, read_table, write_scored
from quals.app_view import Scored, pair_detail, pair_label, problem, reading, table_reading
from quals.example_texts import EXAMPLES
from quals.results import ScoredPair

SCRIPT = "<script>alert(1)</script>"


def pair(score: float, answer: str = "paris", start: int = 9, end: int = 14) -> ScoredPair:
    tokens = ("where", SCRIPT, "<sep>", "paris", "</s>")
    summary, source = (-0.5,) * 5, (-0.5 + score,) * 5
    return ScoredPair(f"where {SCRIPT}?", answer, start, end, -0.5, -0.5 + score, tokens, summary, source, 3)


def scored(*pairs: ScoredPair, document: str = "They lost Paris.") -> Scored:
    score = sum(pair.score for pair in pairs) / len(pairs) if pairs else math.nan
    return Scored(document, "the king paris", score, pairs, ("A note.",), "quals-v1-0")


def test_the_reading_counts_what_is_much_less_likely() -> None:
    one = reading(scored(pair(-2.0), pair(-0.2)))
    assert "QUALS \N{MINUS SIGN}1.100" in one
    assert "<strong>1 of 2 question-answer pairs made from the summary</strong> is much less likely" in one
    assert "A note." in one
    assert "quals-v1-0" in one
    assert "None of 1 question-answer pair made" in reading(scored(pair(-0.2)))
    assert "No score" in reading(scored())


def test_texts_are_escaped_wherever_they_are_shown() -> None:
    shown = scored(pair(-2.0), document=f"{SCRIPT} they lost Paris {SCRIPT}")
    for html in (pair_detail(shown, 0, 4), problem(SCRIPT), reading(shown)):
        assert SCRIPT not in html
    assert "&lt;script&gt;" in pair_detail(shown, 0, 4)
    assert pair_label(shown.pairs[0]) == f"\N{MINUS SIGN}2.000   where {SCRIPT}? \N{RIGHTWARDS ARROW} paris"  # a text


def test_a_pair_shows_where_its_answer_stands() -> None:
    html = pair_detail(scored(pair(-2.0)), 0, 4)
    assert "the king <mark>paris</mark>" in html
    assert "They lost <mark>Paris</mark>." in html
    assert html.count('<li class="answer') == 2
    assert "does not stand" in pair_detail(scored(pair(-2.0), document="They lost London."), 0, 4)
    long = pair_detail(scored(pair(-2.0), document="so it was . " * 99 + "Paris" + " and so on" * 99), 0, 4)
    assert "\N{HORIZONTAL ELLIPSIS}" in long
    assert len(long) < 4000


def test_a_files_reading_names_the_lowest_rows() -> None:
    html = table_reading([-0.5, math.nan, -1.5])
    assert "QUALS \N{MINUS SIGN}1.000, the mean of 2 of 3 rows" in html
    assert html.index("<td>3</td>") < html.index("<td>1</td>")
    assert "No score" in table_reading([math.nan])


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_files_come_back_with_scores(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    odd = "e\u2028\x0cf"  # which end lines to Python, and none in a file
    rows = [{"id": "1", "article": "a, “b”", "prediction": "c\nd"}, {"id": "2", "article": odd, "prediction": ""}]
    if suffix == ".csv":
        path.write_bytes(f'\ufeffid,article,prediction\r\n1,"a, “b”","c\nd"\r\n2,{odd},\r\n'.encode())
    else:
        path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n\n", encoding="utf-8")
    table = read_table(path)
    assert table.rows == tuple(rows)
    assert (table.sources, table.summaries) == (("a, “b”", odd), ("c\nd", ""))
    out = write_scored(table, [-0.5, math.nan], [3, 0], tmp_path)
    assert out.name == f"scored{suffix}"
    again = read_table(out)
    empty = "" if suffix == ".csv" else None
    assert [row["quals"] for row in again.rows] == ([("-0.5"), empty] if suffix == ".csv" else [-0.5, None])
    assert [str(row["num_pairs"]) for row in again.rows] == ["3", "0"]
    assert again.sources == table.sources


REFUSED = {
    "rows.txt": (b"", "ends in .txt"),
    "rows": (b"", "ends in nothing"),
    "empty.csv": (b"source,summary\n", "no rows"),
    "latin.csv": ("source,summary\né,b\n".encode("latin-1"), "not UTF-8"),
    "columns.csv": (b"text,summary\na,b\n", "no column 'source' or 'document' or 'article'"),
    "wide.csv": (b"source,summary\na,b,c\n", "Row 1 has more cells"),
    "narrow.csv": (b"source,summary\na\n", "Row 1 has no text in 'summary'"),
    "quote.csv": (b'source,summary\na,"b\n', "is no CSV"),
    "broken.jsonl": (b'{"source": "a"\n', "Line 1 of the file is no JSON"),
    "twice.csv": (b"source,summary,source\na,b,c\n", "names a column twice"),
    "half.jsonl": (b'{"source": "a", "summary": "b", "note": "\\ud83d"}\n', "Row 1 holds half a character"),
    "list.jsonl": (b"[1]\n", "no JSON object"),
    "deep.jsonl": (b"[" * 100_000, "no JSON"),
    "number.jsonl": (b'{"source": "a", "summary": 3}\n', "Row 1 has no text in 'summary'"),
    "many.csv": (b"source,summary\n" + b"a,b\n" * (MOST_ROWS + 1), f"{MOST_ROWS + 1} rows"),
    "large.csv": (b"source,summary\n" + b"a" * MOST_BYTES, "larger than 5 MB"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_scored_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    content, reason = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        read_table(tmp_path / name)


def test_wrong_examples_differ_from_right_ones_in_their_facts() -> None:
    by_source: dict[str, list[str]] = {}
    for source, summary in EXAMPLES.values():
        by_source.setdefault(source, []).append(summary)
    assert all(len(summaries) == 2 for summaries in by_source.values())
