"""The app without a browser: what it reads, what it writes, what it says."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path

import pytest
from quals.example_texts import EXAMPLES
from quals.page_files import KEPT, MOST_BYTES, MOST_ROWS, MOST_TEXT, read_upload, remove_expired, write_scored
from quals.page_view import pair_detail, pair_label, problem, progress, reading, table_reading
from quals.results import QualsResult, ScoredPair
from quals.rows import read_rows

SCRIPT = "<script>alert(1)</script>"


def pair(score: float, answer: str = "paris", start: int = 9, end: int = 14) -> ScoredPair:
    tokens = ("where", SCRIPT, "<sep>", "paris", "</s>")
    summary, source = (-0.5,) * 5, (-0.5 + score,) * 5
    return ScoredPair(f"where {SCRIPT}?", answer, start, end, -0.5, -0.5 + score, tokens, summary, source, 3)


def scored(*pairs: ScoredPair, document: str = "They lost Paris.") -> QualsResult:
    score = sum(pair.score for pair in pairs) / len(pairs) if pairs else math.nan
    return QualsResult(score, pairs, 2, False, True, document, "the king paris", "quals-v1-0")


def test_the_reading_counts_what_is_much_less_likely() -> None:
    html = reading(scored(pair(-2.0), pair(-0.2)))
    assert "QUALS \N{MINUS SIGN}1.100" in html
    assert "1 of 2 question-answer pairs is much less likely given the document." in html
    assert "overlapping windows" in html
    assert "end of the summary was not read" in html
    assert "quals-v1-0" in html
    assert "None of 1 question-answer pair is much less likely" in reading(scored(pair(-0.2)))
    assert "No score" in reading(scored())


def test_texts_are_escaped_wherever_they_are_shown() -> None:
    shown = scored(pair(-2.0), document=f"{SCRIPT} they lost Paris {SCRIPT}")
    for html in (pair_detail(shown, shown.pairs[0], 4), problem(SCRIPT), reading(shown)):
        assert SCRIPT not in html
    assert "&lt;script&gt;" in pair_detail(shown, shown.pairs[0], 4)
    assert pair_label(shown.pairs[0]) == f"\N{MINUS SIGN}2.000   where {SCRIPT}? \N{RIGHTWARDS ARROW} paris"  # a text


def test_a_pair_shows_where_its_answer_stands() -> None:
    result = scored(pair(-2.0))
    html = pair_detail(result, result.pairs[0], 4)
    assert "the king <mark>paris</mark>" in html
    assert "They lost <mark>Paris</mark>." in html
    assert html.count('<li class="answer') == 2
    elsewhere = scored(pair(-2.0), document="They lost London.")
    assert "does not have the answer" in pair_detail(elsewhere, elsewhere.pairs[0], 4)
    far = scored(pair(-2.0), document="so it was . " * 99 + "Paris" + " and so on" * 99)
    long = pair_detail(far, far.pairs[0], 4)
    assert "\N{HORIZONTAL ELLIPSIS}" in long
    assert len(long) < 4000


def test_a_files_reading_names_the_lowest_rows() -> None:
    html = table_reading([-0.5, math.nan, -1.5])
    assert "QUALS \N{MINUS SIGN}1.000, mean of 2 of 3 rows" in html
    assert html.index("<td>3</td>") < html.index("<td>1</td>")
    assert "No score" in table_reading([math.nan])


def test_progress_says_how_far_it_is() -> None:
    assert "Waiting" in progress(0, 8, "rows")
    assert 'max="8" value="4"' in progress(4, 8, "rows")
    assert "4 of 8 rows scored" in progress(4, 8, "rows")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_files_come_back_with_scores(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    odd = "e\u2028\x0cf"  # which end lines to Python, and none in a file
    rows = [{"id": "1", "article": "a, “b”", "prediction": "c\nd"}, {"id": "2", "article": odd, "prediction": ""}]
    if suffix == ".csv":
        path.write_bytes(f'\ufeffid,article,prediction\r\n1,"a, “b”","c\nd"\r\n2,{odd},\r\n'.encode())
    else:
        path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n\n", encoding="utf-8")
    upload = read_upload(path)
    assert upload.rows == tuple(rows)
    assert (upload.sources, upload.summaries) == (("a, “b”", odd), ("c\nd", ""))
    out = write_scored(upload, [scored(pair(-0.5)), scored()], tmp_path)
    assert out.name == f"scored{suffix}"
    again = read_rows(out)
    assert [row["quals"] for row in again] == (["-0.5", ""] if suffix == ".csv" else [-0.5, None])
    assert [str(row["num_pairs"]) for row in again] == ["1", "0"]
    assert [row["article"] for row in again] == list(upload.sources)


def test_what_json_has_no_form_for_becomes_null(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"source": "a", "summary": "b", "rouge": NaN, "deep": [Infinity]}\n')
    out = write_scored(read_upload(path), [scored()], tmp_path)
    [row] = map(json.loads, out.read_text().splitlines())
    assert row == {"source": "a", "summary": "b", "rouge": None, "deep": [None], "quals": None, "num_pairs": 0}
    assert "NaN" not in out.read_text()


def test_files_go_after_an_hour_whoever_left_them(tmp_path: Path) -> None:
    old, new = tmp_path / "old" / "rows.csv", tmp_path / "new" / "rows.csv"
    for path in (old, new):
        path.parent.mkdir()
        path.write_text("text")
    for path in (old, old.parent):
        os.utime(path, (time.time() - KEPT - 9,) * 2)
    remove_expired(tmp_path)
    assert new.is_file()
    assert not old.exists()


REFUSED = {
    "rows.txt": (b"", "ends in .txt"),
    "rows": (b"", "ends in nothing"),
    "empty.csv": (b"source,summary\n", "no rows"),
    "latin.csv": ("source,summary\né,b\n".encode("latin-1"), "not UTF-8"),
    "columns.csv": (b"body,summary\na,b\n", "no column 'source' or 'document' or 'article'"),
    "wide.csv": (b"source,summary\na,b,c\n", "wide.csv, row 1: there are 3 fields"),
    "narrow.csv": (b"source,summary\na\n", "row 1: there are 1 fields"),
    "quote.csv": (b'source,summary\na,"b\n', "not CSV"),
    "broken.jsonl": (b'{"source": "a"\n', "line 1: this is not JSON"),
    "twice.csv": (b"source,summary,source\na,b,c\n", "names a column twice"),
    "half.jsonl": (b'{"source": "a", "summary": "\\ud83d"}\n', "row 1: 'summary' holds half a surrogate pair"),
    "list.jsonl": (b"[1]\n", "this is a list"),
    "deep.jsonl": (b"[" * 100_000, "nested too deep"),
    "number.jsonl": (b'{"source": "a", "summary": 3}\n', "row 1: 'summary' is int"),
    "taken.csv": (b"source,summary,quals\na,b,1\n", "a column 'quals' already"),
    "long.csv": (b"source,summary\n" + b"a" * 100_001 + b",b\n", "limit is 100,000: cut it in row 1"),
    "text.csv": (b"source,summary\n" + (b"a" * 99_999 + b",b\n") * 11, f"limit is {MOST_TEXT:,}"),
    "many.csv": (b"source,summary\n" + b"a,b\n" * (MOST_ROWS + 1), f"{MOST_ROWS + 1} rows"),
    "large.csv": (b"source,summary\n" + b"a" * MOST_BYTES, "larger than 5 MB"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_scored_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    content, reason = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        read_upload(tmp_path / name)


def test_wrong_examples_differ_from_right_ones_in_their_facts() -> None:
    by_source: dict[str, list[str]] = {}
    for source, summary in EXAMPLES.values():
        by_source.setdefault(source, []).append(summary)
    assert all(len(summaries) == 2 for summaries in by_source.values())
