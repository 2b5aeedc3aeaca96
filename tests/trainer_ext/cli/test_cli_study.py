"""``quals study`` from end to end: two tables in, links and a report out, complaints in one line."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.study_data import free_port, pairs, serving, write_rows, write_systems

from trainer_ext.cli.main import main
from trainer_ext.study import ATTRIBUTES

pytest.importorskip("uvicorn")
Change = Callable[[list[dict[str, Any]], list[dict[str, Any]]], None]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def create(folder: Path, *options: str | Path) -> int:
    files = [folder / "a.jsonl", folder / "b.jsonl", "--output", folder / "study.sqlite"]
    return main(["study", "create", *map(str, files), *map(str, options)])


def texts(path: Path) -> list[tuple[str, str, str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT kind, document, summary_a, summary_b FROM items ORDER BY item").fetchall()


def test_create_serve_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_systems(tmp_path, pairs(12))
    assert create(tmp_path, "--items", "6", "--checks", "2", "--raters", "2", "--names", "Ours", "Base") == 0
    shown = capsys.readouterr().out
    assert "documents   6 of 12\n" in shown
    tokens = re.findall(r"^rater-\d +http://127\.0\.0\.1:\d+/#(\S+)$", shown, re.MULTILINE)
    assert len(tokens) == 2
    content = {pair.document: pair.summaries for pair in pairs(12)}
    with serving(tmp_path / "study.sqlite") as server:
        for token in tokens:
            for place in range(1, 9):
                _, task, _ = server.request("GET", f"/api/tasks/{place}", token)
                own = content[task["document"]]
                order = [own.index(task[side]) if task[side] in own else None for side in ("first", "second")]
                if None in order:
                    choice = "second" if order[0] is None else "first"
                else:
                    choice = {0: "first", 1: "second"}[order[0]] if order[0] != order[1] else "equal"  # type: ignore[index]
                for attribute in ATTRIBUTES:
                    assert server.answer(token, place, attribute.key, choice) == 204
        outputs = ["--json", str(tmp_path / "r.json"), "--figure", str(tmp_path / "r.png")]
        assert main(["study", "report", str(tmp_path / "study.sqlite"), *outputs]) == 0  # while it is served
    shown = capsys.readouterr().out
    assert "**Ours** against **Base**: 6 documents, 2 raters" in shown
    assert "| Ours is | documents | better | equal | worse |" in shown
    assert "| factual consistency | 6 | 6 | 0 | 0 | +1.00 [+1.00, +1.00] | p = 0.031 | Ours |" in shown
    written = json.loads((tmp_path / "r.json").read_text())
    assert [result["documents"]["better"] for result in written["results"]] == [6, 6, 6]
    assert [rater["checks_passed"] for rater in written["raters"]] == [2, 2]
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


def test_tables_are_matched_by_their_documents(tmp_path: Path) -> None:
    content = pairs(5)
    write_systems(tmp_path, content)
    assert create(tmp_path, "--checks", "0") == 0
    assert sorted(row[1:] for row in texts(tmp_path / "study.sqlite")) == sorted(
        (pair.document, *pair.summaries) for pair in content
    )


def test_tables_are_matched_by_a_column(tmp_path: Path) -> None:
    content = pairs(5)
    for name, side in (("a.jsonl", 0), ("b.jsonl", 1)):
        write_rows(tmp_path / name, [{"id": n, "highlights": pair.summaries[side]} for n, pair in enumerate(content)])
    (tmp_path / "documents.csv").write_text(
        "id,article\nunused,text\n" + "".join(f'{n},"{pair.document}"\n' for n, pair in enumerate(content))
    )
    columns = ["--source-column", "article", "--summary-column", "highlights"]
    assert create(tmp_path, "--documents", tmp_path / "documents.csv", *columns, "--checks", "0") == 0
    assert sorted(row[1:] for row in texts(tmp_path / "study.sqlite")) == sorted(
        (pair.document, *pair.summaries) for pair in content
    )


def test_columns_are_found_by_their_usual_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = pairs(5)
    a = [{"article": pair.document, "prediction": pair.summaries[0]} for pair in content]
    b = [{"document": pair.document, "summary": pair.summaries[1], "prediction": 3} for pair in content]
    write_rows(tmp_path / "a.jsonl", a)
    write_rows(tmp_path / "b.jsonl", b)
    assert create(tmp_path, "--checks", "0") == 0
    assert sorted(row[1:] for row in texts(tmp_path / "study.sqlite")) == sorted(
        (pair.document, *pair.summaries) for pair in content
    )
    write_rows(tmp_path / "a.jsonl", [{"article": pair.document, "output": "x"} for pair in content])
    assert create(tmp_path, "--output", tmp_path / "other.sqlite") == 2
    said = capsys.readouterr().err
    assert "no column 'summary' or 'prediction'" in said
    assert "--summary-column" in said


def test_the_seed_decides(tmp_path: Path) -> None:
    write_systems(tmp_path, pairs(20))
    for number, seed in enumerate(("5", "5", "6")):
        options = ["--items", "8", "--seed", seed, "--output", str(tmp_path / f"{number}.sqlite")]
        assert create(tmp_path, *options) == 0
    plans = []
    for number in range(3):
        with closing(sqlite3.connect(tmp_path / f"{number}.sqlite")) as connection:
            plans.append(connection.execute("SELECT * FROM tasks ORDER BY rater, place").fetchall())
    assert texts(tmp_path / "0.sqlite") == texts(tmp_path / "1.sqlite") != texts(tmp_path / "2.sqlite")
    assert plans[0] == plans[1] != plans[2]


def drop(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> None:
    del b[1]


def double(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> None:
    a[2] |= {"source": a[0]["source"], "id": a[0]["id"]}


def blank(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> None:
    a[2]["source"] = b[2]["source"] = " "


def alter(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> None:
    b[0]["source"] += " more"


def number(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> None:
    a[1]["summary"] = 3


def nothing(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> None:
    pass


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (drop, [], "has 1 of 5 documents that"),
        (drop, ["--id-column", "id"], "matched by 'id'"),
        (double, [], "rows 1 and 3 have the same document"),
        (double, ["--id-column", "id"], "rows 1 and 3 have the same id 'd0'"),
        (blank, [], "row 3: the document is blank"),
        (alter, [], "has 1 of 5 documents that"),
        (alter, ["--id-column", "id"], "the id 'd4' with different documents"),
        (number, [], "row 2: 'summary' is int '3', not text"),
        (nothing, ["--summary-column", "x"], "there is no column 'x'"),
        (nothing, ["--id-column", "x"], "name it with --id-column"),
        (nothing, ["--items", "6"], "--items is 6, and the tables hold 5 documents"),
        (nothing, ["--raters", "0"], "--raters is 0"),
        (nothing, ["--checks", "-1"], "--checks is -1"),
        (nothing, ["--names", "x", "x"], "give two names by --names"),
        (nothing, ["--output", "study.txt"], "must end in .sqlite"),
        (nothing, ["--documents", "missing.jsonl"], "missing.jsonl"),
    ],
)
def test_mistakes_are_one_sentence_and_nothing_is_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: Change,
    options: list[str],
    message: str,
) -> None:
    a, b = ([json.loads(line) for line in path.read_text().splitlines()] for path in write_systems(tmp_path, pairs(5)))
    b.reverse() if change is blank else None
    change(a, b)
    write_rows(tmp_path / "a.jsonl", a)
    write_rows(tmp_path / "b.jsonl", b)
    monkeypatch.chdir(tmp_path)
    assert create(tmp_path, *options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert names(tmp_path) == ["a.jsonl", "b.jsonl"]


def test_a_study_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_systems(tmp_path, pairs(5))
    assert create(tmp_path) == 0
    before = (tmp_path / "study.sqlite").read_bytes()
    assert create(tmp_path) == 2
    assert "may hold people's answers: give another name by --output" in capsys.readouterr().err
    assert (tmp_path / "study.sqlite").read_bytes() == before


def test_links_and_server_agree_on_the_port(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_systems(tmp_path, pairs(5))
    port = free_port()
    assert create(tmp_path, "--port", "0") == 2
    assert create(tmp_path, "--port", str(port)) == 0
    assert main(["study", "link", str(tmp_path / "study.sqlite"), "rater-2"]) == 0
    links = re.findall(r"http://127\.0\.0\.1:(\d+)/#(\S+)", capsys.readouterr().out)
    assert {int(place) for place, _ in links} == {port}
    with serving(tmp_path / "study.sqlite", None) as server:
        assert server.port == port
        assert server.request("GET", "/api/session", links[-1][1])[0] == 200


def test_a_lost_link_can_be_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_systems(tmp_path, pairs(5))
    assert create(tmp_path) == 0
    old = capsys.readouterr().out
    assert main(["study", "link", str(tmp_path / "study.sqlite"), "rater-1"]) == 0
    assert capsys.readouterr().out.partition("#")[2].strip() not in old
    assert main(["study", "link", str(tmp_path / "study.sqlite"), "someone"]) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serve", "study.sqlite", "--host", "0.0.0.0"], "add --allow-remote"),
        (["serve", "study.sqlite", "--host", "no.such.host.invalid"], "add --allow-remote"),
        (["serve", "study.sqlite", "--port", "99999"], "--port is 99999"),
        (["serve", "study.sqlite", "--host", "192.0.2.1", "--allow-remote"], "cannot be listened on"),
        (["serve", "missing.sqlite"], "There is no file missing.sqlite"),
        (["serve", "a.jsonl"], "a.jsonl cannot be opened as a study"),
        (["report", "missing.sqlite"], "There is no file missing.sqlite"),
        (["report", "study.sqlite", "--json", "r.txt"], "must end in .json"),
        (["report", "study.sqlite", "--figure", "r.gif"], "must end in .png or .svg"),
        (["report", "study.sqlite", "--least-passed", "2"], "--least-passed is 2.0"),
    ],
)
def test_mistaken_arguments(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    write_systems(tmp_path, pairs(5))
    assert create(tmp_path) == 0
    monkeypatch.chdir(tmp_path)
    assert main(["study", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert names(tmp_path) == ["a.jsonl", "b.jsonl", "study.sqlite"]


def test_other_machines_are_let_in_only_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_systems(tmp_path, pairs(5))
    assert create(tmp_path) == 0
    monkeypatch.setattr("trainer_ext.study.server.serve", lambda *_: None)
    command = ["study", "serve", str(tmp_path / "study.sqlite")]
    assert main([*command, "--host", "0.0.0.0", "--allow-remote"]) == 0
    assert "travel unencrypted" in capsys.readouterr().err
    assert main([*command, "--host", "localhost"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("step", "module"), [("serve", "uvicorn"), ("report", "krippendorff")])
def test_a_missing_library_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], step: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert main(["study", step, str(tmp_path / "study.sqlite")]) == 2
    assert f'needs {module}, which is not installed: run pip install ".[study]"' in capsys.readouterr().err
