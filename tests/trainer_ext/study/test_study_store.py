"""The file: whole or not at all, one row an answer, and no rater reaches another's tasks."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from support.study_data import damage, make_study, pairs

from trainer_ext.study import ATTRIBUTES, CHOICES
from trainer_ext.study.store import Study


def stored(path: Path) -> list[tuple[int, int, str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT rater, place, attribute, choice FROM answers ORDER BY 1, 2, 3").fetchall()


def test_tokens_are_random_and_only_their_hashes_are_kept(tmp_path: Path) -> None:
    tokens = make_study(tmp_path / "a.sqlite", pairs(3)) + make_study(tmp_path / "b.sqlite", pairs(3))
    assert len(set(tokens)) == 4
    assert all(len(token) >= 32 for token in tokens)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.sqlite", "b.sqlite"]
    content = (tmp_path / "a.sqlite").read_bytes()
    assert not any(token.encode() in content for token in tokens)


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    make_study(path, pairs(3))
    before = path.read_bytes()
    with pytest.raises(ValueError, match="may hold people's answers"):
        make_study(path, pairs(4))
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.sqlite"]


def test_a_task_shows_its_texts_on_the_planned_sides_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    content = {pair.document: pair for pair in pairs(8)}
    make_study(path, list(content.values()), checks=0)
    sides = []
    with closing(Study(path)) as study:
        for place in range(1, 9):
            seen = [study.task(rater, 10 - place - 1 if rater == 2 else place) for rater in (1, 2)]
            assert seen[0] is not None
            assert seen[1] == {"document": seen[0]["document"], "first": seen[0]["second"], "second": seen[0]["first"]}
            sides.append(content[seen[0]["document"]].summaries.index(seen[0]["first"]))
        assert study.task(1, 9) is None
        assert study.task(3, 1) is None
    assert sides.count(0) == sides.count(1) == 4


def test_an_answer_is_one_row_however_often_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    make_study(path, pairs(3))
    with closing(Study(path)) as one, closing(Study(path)) as other:
        for study, choice in ((one, "first"), (other, "first"), (other, "second"), (one, "equal")):
            study.save(1, 2, "grammar", choice)
        other.save(2, 2, "grammar", "first")
        assert one.answers(1) == other.answers(1) == (5, {2: {"grammar": "equal"}})
    assert stored(path) == [(1, 2, "grammar", "equal"), (2, 2, "grammar", "first")]


@pytest.mark.parametrize(
    "answer", [(1, 6, "grammar", "first"), (3, 1, "grammar", "first"), (1, 1, "x", "first"), (1, 1, "grammar", "x")]
)
def test_forged_answers_are_refused(tmp_path: Path, answer: tuple[int, int, str, str]) -> None:
    path = tmp_path / "a.sqlite"
    make_study(path, pairs(3))
    with closing(Study(path)) as study, pytest.raises(ValueError, match="no such task"):
        study.save(*answer)
    assert stored(path) == []


def test_many_threads_and_connections_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    make_study(path, pairs(10), checks=0, raters=4)
    with closing(Study(path)) as one, closing(Study(path)) as other:

        def click(rater: int) -> None:
            for place in range(1, 11):
                for attribute in ATTRIBUTES:
                    for study in (one, other):
                        study.save(rater, place, attribute.key, CHOICES[(rater + place) % 3])

        threads = [threading.Thread(target=click, args=(rater,)) for rater in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert stored(path) == [
        (rater, place, attribute, CHOICES[(rater + place) % 3])
        for rater in range(1, 5)
        for place in range(1, 11)
        for attribute in sorted(attribute.key for attribute in ATTRIBUTES)
    ]


def test_a_copy_of_the_file_alone_has_every_answer(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    make_study(path, pairs(3))
    with closing(Study(path)) as study:
        study.save(1, 1, "grammar", "first")
        study.save(1, 2, "grammar", "equal")
        (tmp_path / "copy.sqlite").write_bytes(path.read_bytes())
        assert stored(tmp_path / "copy.sqlite") == [(1, 1, "grammar", "first"), (1, 2, "grammar", "equal")]


def test_a_file_that_was_moved_away_takes_no_answers(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    make_study(path, pairs(3))
    with closing(Study(path)) as study:
        path.rename(tmp_path / "b.sqlite")
        with pytest.raises(OSError, match="was moved or replaced"):
            study.save(1, 1, "grammar", "first")


def test_a_new_link_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    tokens = make_study(path, pairs(3))
    with closing(Study(path)) as study:
        study.save(2, 1, "grammar", "first")
        token = study.renew_token("rater-2")
        assert [study.rater(text) for text in (*tokens, token, "", "' OR 1=1 --")] == [1, None, 2, None, None]
        assert study.answers(2)[1] == {1: {"grammar": "first"}}
        with pytest.raises(ValueError, match="no rater 'nobody': give one of rater-1, rater-2"):
            study.renew_token("nobody")


@pytest.mark.parametrize("content", [b"", b"no database, but some text that is long enough to look at", None])
def test_other_files_are_no_studies(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.sqlite"
    if content is None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE items (item)")
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"is not a study|cannot be opened as a study"):
        Study(path)
    assert path.read_bytes() == before
    with pytest.raises(ValueError, match="There is no file"):
        Study(tmp_path / "missing.sqlite")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.sqlite"]


def test_a_damaged_file_is_found_out_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    make_study(path, pairs(30))
    damage(path)
    with pytest.raises(ValueError, match=r"a\.sqlite cannot be opened as a study \(.+\)"):
        Study(path)


@pytest.mark.parametrize("use", ["rater", "answers", "save", "renew_token", "everything"])
def test_damage_in_use_is_one_line_with_the_files_name(tmp_path: Path, use: str) -> None:
    path = tmp_path / "a.sqlite"
    make_study(path, pairs(200))
    arguments = {"rater": ("x",), "answers": (1,), "save": (1, 1, "grammar", "first"), "renew_token": ("rater-1",)}
    study = Study(path)
    damage(path)
    with pytest.raises(OSError, match=r"a\.sqlite cannot be used \(.+\)"):
        getattr(study, use)(*arguments.get(use, ()))


def test_who_reads_does_not_wait_for_a_locked_file(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    [token, _] = make_study(path, pairs(3))
    with closing(Study(path)) as study, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        saving = threading.Thread(target=study.save, args=(1, 1, "grammar", "first"))
        saving.start()
        time.sleep(0.2)
        begin = time.monotonic()
        assert study.rater(token) == 1
        assert study.answers(1) == (5, {})
        assert study.task(1, 1) is not None
        assert time.monotonic() - begin < 2
        assert saving.is_alive(), "the one who saves waits"
        other.execute("ROLLBACK")
        saving.join()
        assert study.answers(1) == (5, {1: {"grammar": "first"}})


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_what_a_killed_creation_left_is_removed_by_the_next(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from support.study_data import damage, make_study, pairs\n"
        "os.link = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "make_study(Path(sys.argv[1]), pairs(3))"
    )
    path = tmp_path / "a.sqlite"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code, str(path)], env=environment, timeout=300)
    [left] = tmp_path.iterdir()
    make_study(path, pairs(3))
    assert left.exists(), "it may be that of a living process on another machine"
    path.unlink()
    os.utime(left, (0, 0))
    make_study(path, pairs(3))
    assert list(tmp_path.iterdir()) == [path]
