"""Reports against small studies that can be counted by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from support.study_data import make_study, pairs

from trainer_ext.study.figure import write_figure
from trainer_ext.study.items import draw_items
from trainer_ext.study.judgements import passed
from trainer_ext.study.plan import make_plan
from trainer_ext.study.report import Report, make_report, markdown, winner
from trainer_ext.study.store import Study, create_study

Verdict = Callable[[str, int, str, str], int | None]  # (rater, item, kind, attribute) -> -1, 0, 1, or no answer


def answer(path: Path, verdict: Verdict) -> None:
    """Give the verdicts through what the raters see."""
    with closing(Study(path)) as study:
        _, rows = study.everything()
        for row in rows:
            value = verdict(row["rater"], row["item"], row["kind"], row["attribute"])
            if value is not None:
                shown = -value if row["swapped"] else value
                rater = int(row["rater"].removeprefix("rater-"))
                study.save(rater, row["place"], row["attribute"], ["second", "equal", "first"][shown + 1])


def report_of(path: Path, **options: object) -> Report:
    with closing(Study(path)) as study:
        return make_report(*study.everything(), **{"resamples": 200, **options})  # type: ignore[arg-type]


def right(kind: str) -> int:
    return 1 if kind == "foreign" else 0


def test_verdicts_are_those_of_the_systems_whatever_the_sides(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    make_study(path, pairs(10), checks=2)

    def verdict(rater: str, item: int, kind: str, attribute: str) -> int:
        if kind != "pair":
            return right(kind)
        return {"consistency": 1, "informativeness": 0, "grammar": 1 if item <= 8 else -1}[attribute]

    answer(path, verdict)
    report = report_of(path)
    consistency, informativeness, grammar = report.results
    assert [rater.checks_passed for rater in report.raters] == [2, 2]
    assert (consistency.documents.better, consistency.documents.equal, consistency.documents.worse) == (10, 0, 0)
    assert consistency.documents.better_interval == (1.0, 1.0)
    assert consistency.sign_test == pytest.approx(2 / 1024)
    assert math.isnan(consistency.alpha)
    assert consistency.first_shown == 0.5
    assert (informativeness.documents.equal, informativeness.sign_test) == (10, 1.0)
    assert math.isnan(informativeness.first_shown)
    assert (grammar.documents.better, grammar.documents.worse) == (8, 2)
    assert grammar.judgements.total == 20
    assert grammar.documents.difference == pytest.approx(0.6)
    assert grammar.sign_test == pytest.approx(0.109375)
    assert grammar.alpha == 1.0
    assert [winner(report, result) for result in report.results] == ["a", None, "a"]
    write_figure(report, tmp_path / "figure.svg")
    drawn = (tmp_path / "figure.svg").read_text()
    assert "a better, p = 0.002" in drawn
    assert "undecided, p = 1.000" in drawn


def test_majorities_and_missing_answers(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    make_study(path, pairs(4), checks=0, raters=3)
    # By item: three raters' verdicts.
    table = {1: (1, 1, -1), 2: (1, 0, -1), 3: (None, -1, None), 4: (None, None, None)}

    def verdict(rater: str, item: int, kind: str, attribute: str) -> int | None:
        return table[item][int(rater[-1]) - 1] if attribute == "consistency" else None

    answer(path, verdict)
    report = report_of(path)
    found = report.results[0]
    assert (found.documents.total, found.documents.better, found.documents.equal, found.documents.worse) == (3, 1, 1, 1)
    judgements = found.judgements
    assert (judgements.total, judgements.better, judgements.equal, judgements.worse) == (7, 3, 1, 3)
    assert judgements.difference == 0.0
    assert [rater.complete for rater in report.raters] == [0, 0, 0]
    assert report.results[1].documents.total == 0
    assert report.to_dict()["results"][1]["alpha"] is None
    assert "| grammatical correctness | 0 | 0 | 0 | 0 | - | - | - |" in markdown(report)


def test_who_fails_the_checks_is_named_and_left_out_on_demand(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    make_study(path, pairs(6), checks=4)
    answer(path, lambda rater, item, kind, attribute: right(kind) if rater == "rater-1" and kind != "pair" else 1)
    report = report_of(path)
    assert report.failed == ("rater-2",)
    assert [rater.checks_passed for rater in report.raters] == [4, 2]
    assert report.results[0].judgements.total == 12
    assert "| rater-2 | 10 of 10 | 2 of 4 answered, 4 in all | **failed**, included |" in markdown(report)
    without = report_of(path, exclude_failed=True)
    assert without.excluded == ("rater-2",)
    assert without.results[0].judgements.total == 6
    assert "**failed**, excluded" in markdown(without)
    assert report_of(path, least_passed=0.5).failed == ()
    for shown, words in ((report, "counted all the same"), (without, "left out")):
        write_figure(shown, tmp_path / "figure.svg")
        drawn = " ".join((tmp_path / "figure.svg").read_text().split())
        assert f"rater-2 passed 2 of 4 attention checks and failed: the judgements are {words}." in drawn


def test_resamples_without_an_alpha_are_counted_and_told(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    make_study(path, pairs(4), checks=0)
    # The raters agree; one document of four differs, so that some resamples hold one verdict alone.
    answer(path, lambda rater, item, kind, attribute: 1 if item == 1 else 0)
    report = report_of(path, resamples=400)
    undefined = report.results[0].alpha_undefined
    assert 0.75**4 - 0.1 < undefined / 400 < 0.75**4 + 0.1
    assert f"Alpha of factual consistency is undefined in {undefined} of 400 resamples" in markdown(report)
    answer(path, lambda rater, item, kind, attribute: 1 if item % 2 else -1 if rater == "rater-1" else 0)
    assert "undefined in" in markdown(report_of(path))


def test_long_names_are_cut_each(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    content = pairs(4)
    items = draw_items(content, None, 0, 0)
    create_study(path, items, [make_plan(items, 0, 0)], ("a" * 60, "b" * 24), 0)
    write_figure(report_of(path), tmp_path / "figure.svg")
    drawn = (tmp_path / "figure.svg").read_text()
    assert f"<!-- {'a' * 23}\N{HORIZONTAL ELLIPSIS} against {'b' * 24} -->" in drawn


@pytest.mark.parametrize(
    ("kind", "verdicts", "result"),
    [
        ("foreign", {}, None),
        ("foreign", {"grammar": 0}, None),
        ("foreign", {"consistency": 1, "grammar": -1}, True),
        ("foreign", {"consistency": 0}, False),
        ("foreign", {"consistency": -1}, False),
        ("identical", {}, None),
        ("identical", {"consistency": 0, "grammar": 0}, None),
        ("identical", {"consistency": 0, "grammar": 0, "informativeness": 0}, True),
        ("identical", {"grammar": 1}, False),
    ],
)
def test_what_passing_is(kind: str, verdicts: dict[str, int], result: bool | None) -> None:
    assert passed(kind, verdicts) is result  # type: ignore[arg-type]


def test_a_study_without_answers_has_a_report(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    make_study(path, pairs(4), checks=0)
    report = report_of(path, exclude_failed=True)
    assert (report.failed, report.excluded) == ((), ())
    assert json.dumps(report.to_dict(), allow_nan=False)
    assert "not checked" in markdown(report)
    write_figure(report, tmp_path / "figure.svg")
    assert "no judgement yet" in (tmp_path / "figure.svg").read_text()


def test_the_same_answers_give_the_same_report_and_figure(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    make_study(path, pairs(9), checks=2, raters=3)
    answer(path, lambda rater, item, kind, attribute: (item * 7 + int(rater[-1]) + len(attribute)) % 3 - 1)
    reports = [report_of(path), report_of(path)]
    assert reports[0] == reports[1]
    for suffix in ("svg", "png"):
        for number in (0, 1):
            write_figure(reports[number], tmp_path / f"{number}.{suffix}")
        assert (tmp_path / f"0.{suffix}").read_bytes() == (tmp_path / f"1.{suffix}").read_bytes()
    assert report_of(path, seed=1).results[0].documents.better_share == reports[0].results[0].documents.better_share


@pytest.mark.parametrize(
    ("options", "message"),
    [({"least_passed": 1.5}, "--least-passed"), ({"resamples": 0}, "--resamples"), ({"seed": -1}, "--seed")],
)
def test_options_out_of_range(tmp_path: Path, options: dict[str, float], message: str) -> None:
    path = tmp_path / "study.sqlite"
    make_study(path, pairs(2), checks=0)
    with pytest.raises(ValueError, match=message):
        report_of(path, **options)
