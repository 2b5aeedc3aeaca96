"""The results of a study, as numbers, as JSON and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from quals.rows import as_json

from trainer_ext.study import ATTRIBUTES
from trainer_ext.study.judgements import Judgement, Rater, read_judgements, read_raters
from trainer_ext.study.statistics import (
    BETTER,
    EQUAL,
    WORSE,
    Counts,
    Floats,
    Interval,
    alpha,
    interval,
    majority,
    resamples,
    shares,
    sign_test,
)


@dataclass(frozen=True)
class Tally:
    """How often the first system was better, equal or worse.

    Attributes:
        total: number of documents or judgements.
        better, equal, worse: number of them.
        better_share, equal_share, worse_share: 0 to 1; NaN if there are none.
        better_interval, equal_interval, worse_interval: 95%, by resampling documents.
        difference: share of better less share of worse, -1 to 1; above 0 the first system is better.
        difference_interval: its 95% interval.
    """

    total: int
    better: int
    equal: int
    worse: int
    better_share: float
    equal_share: float
    worse_share: float
    better_interval: Interval
    equal_interval: Interval
    worse_interval: Interval
    difference: float
    difference_interval: Interval


@dataclass(frozen=True)
class Result:
    """The result for one attribute.

    Attributes:
        key, name: the attribute's.
        documents: one verdict per document, by the majority of its raters.
        judgements: every rater's verdict of every document.
        sign_test: p of the split of the documents' verdicts, 0 to 1.
        alpha: Krippendorff's, ordinal, at most 1; NaN is undefined.
        alpha_interval: 95%, over the resamples in which alpha is defined.
        alpha_undefined: number of resamples in which it is not.
        first_shown: share of the judgements that are not equal which preferred the summary shown first; NaN if there
            are none.
    """

    key: str
    name: str
    documents: Tally
    judgements: Tally
    sign_test: float
    alpha: float
    alpha_interval: Interval
    alpha_undefined: int
    first_shown: float


@dataclass(frozen=True)
class Report:
    """A whole study.

    Attributes:
        systems: names of the first system and the second.
        documents: number of documents drawn.
        raters: all raters.
        failed: names of the raters who passed too few checks.
        excluded: names of the raters whose judgements are not in the results.
        least_passed: share of the checks that a rater must pass.
        resamples, seed: number and random seed of the bootstrap's resamples.
        results: one per attribute.
    """

    systems: tuple[str, str]
    documents: int
    raters: tuple[Rater, ...]
    failed: tuple[str, ...]
    excluded: tuple[str, ...]
    least_passed: float
    resamples: int
    seed: int
    results: tuple[Result, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON: numbers that are undefined are None."""
        values: dict[str, Any] = as_json(asdict(self))
        return values


def make_report(
    settings: Mapping[str, str],
    rows: Sequence[Mapping[str, Any]],
    *,
    least_passed: float = 0.75,
    exclude_failed: bool = False,
    resamples: int = 1000,
    seed: int = 0,
) -> Report:
    """Evaluate the answers so far; missing answers and attention checks are in no result.

    Args:
        settings, rows: what :meth:`trainer_ext.study.store.Study.everything` returns.
        least_passed: share of the answered checks that a rater must pass, 0 to 1.
        exclude_failed: leave out the judgements of raters who passed fewer.
        resamples: number of bootstrap resamples, from 1.
        seed: random seed of the bootstrap.

    Raises:
        ValueError: an argument is out of range.
    """
    if not 0 <= least_passed <= 1:
        raise ValueError(f"--least-passed is {least_passed}: give a share from 0 to 1.")
    if resamples < 1:
        raise ValueError(f"--resamples is {resamples}: give 1 or more.")
    if seed < 0:
        raise ValueError(f"--seed is {seed}: give 0 or more.")
    raters = read_raters(rows)
    failed = tuple(rater.name for rater in raters if rater.failed(least_passed))
    excluded = failed if exclude_failed else ()
    judgements = [
        judgement for judgement in read_judgements(rows) if judgement.kind == "pair" and judgement.rater not in excluded
    ]
    items = sorted({row["item"] for row in rows if row["kind"] == "pair"})
    return Report(
        systems=(settings["system_a"], settings["system_b"]),
        documents=len(items),
        raters=tuple(raters),
        failed=failed,
        excluded=excluded,
        least_passed=least_passed,
        resamples=resamples,
        seed=seed,
        results=tuple(
            _result(
                attribute.key,
                attribute.name,
                [judgement for judgement in judgements if judgement.attribute == attribute.key],
                items,
                resamples,
                seed,
            )
            for attribute in ATTRIBUTES
        ),
    )


def markdown(report: Report) -> str:
    """The report for people."""
    return "\n".join(_lines(report))


def winner(report: Report, result: Result) -> str | None:
    """The system that is better by the 95% interval of the documents' difference; None if that holds 0."""
    low, high = result.documents.difference_interval
    if low > 0:
        return report.systems[0]
    return report.systems[1] if high < 0 else None


def chance(result: Result) -> str:
    """The sign test's p for people."""
    if not result.documents.total:
        return "-"
    return "p < 0.001" if result.sign_test < 0.001 else f"p = {result.sign_test:.3f}"


def attention_notes(report: Report) -> list[str]:
    """One sentence per rater who failed the attention checks."""
    notes = []
    for rater in report.raters:
        if rater.name in report.failed:
            counted = "left out" if rater.name in report.excluded else "counted all the same"
            passed = f"passed {rater.checks_passed} of {rater.checks_answered} attention checks"
            notes.append(f"{rater.name} {passed} and failed: the judgements are {counted}.")
    return notes


def _result(
    key: str, name: str, judgements: Sequence[Judgement], items: Sequence[int], number: int, seed: int
) -> Result:
    counts = np.zeros((len(items), 3), dtype=np.int64)
    places = {item: place for place, item in enumerate(items)}
    for judgement in judgements:
        counts[places[judgement.item], judgement.verdict + EQUAL] += 1
    counts = counts[counts.sum(axis=1) > 0]
    draws = resamples(len(counts), number, seed) if len(counts) else None
    verdicts = majority(counts)
    sided = [judgement.chose_first for judgement in judgements if judgement.chose_first is not None]
    agreements = np.array([alpha(counts[draw]) for draw in draws] if draws is not None else [])
    return Result(
        key=key,
        name=name,
        documents=_tally(verdicts, draws),
        judgements=_tally(counts, draws),
        sign_test=sign_test(int(verdicts[:, BETTER].sum()), int(verdicts[:, WORSE].sum())),
        alpha=alpha(counts),
        alpha_interval=interval(agreements),
        alpha_undefined=int(np.isnan(agreements).sum()),
        first_shown=sum(sided) / len(sided) if sided else math.nan,
    )


def _tally(counts: Counts, draws: Counts | None) -> Tally:
    share = shares(counts)
    drawn: Floats = shares(counts[draws]) if draws is not None else np.full((0, 3), math.nan)  # (resamples, 3)
    sums = counts.sum(axis=0)
    named: dict[str, Any] = {}
    for name, at in {"better": BETTER, "equal": EQUAL, "worse": WORSE}.items():
        named |= {name: int(sums[at]), f"{name}_share": float(share[at]), f"{name}_interval": interval(drawn[:, at])}
    return Tally(
        **named,
        total=int(sums.sum()),
        difference=float(share[BETTER] - share[WORSE]),
        difference_interval=interval(drawn[:, BETTER] - drawn[:, WORSE]),
    )


def _lines(report: Report) -> Iterator[str]:
    first, second = map(_cell, report.systems)
    yield f"**{first}** against **{second}**: {report.documents} documents, {len(report.raters)} raters"
    yield ""
    yield f"| {first} is | documents | better | equal | worse | better - worse | sign test | who is better |"
    yield "|---|---:|---:|---:|---:|---:|---:|---|"
    for result in report.results:
        tally = result.documents
        numbers = f"{tally.better} | {tally.equal} | {tally.worse}"
        difference = _with_interval(tally.difference, tally.difference_interval, "+.2f")
        better = _cell(winner(report, result) or "undecided") if tally.total else "-"
        yield f"| {result.name} | {tally.total} | {numbers} | {difference} | {chance(result)} | {better} |"
    yield ""
    yield (
        "One verdict per document: the verdict of more than half of its raters, or equal if there is none. A system is "
        "better if the 95% interval of the difference leaves out 0. Sign test: exact, two-sided, without ties, not "
        "corrected for three attributes."
    )
    yield ""
    yield "| of all judgements | n | better | equal | worse | alpha | for the first shown |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for result in report.results:
        tally = result.judgements
        parts = (
            _with_interval(tally.better_share, tally.better_interval, ".0%"),
            _with_interval(tally.equal_share, tally.equal_interval, ".0%"),
            _with_interval(tally.worse_share, tally.worse_interval, ".0%"),
            _with_interval(result.alpha, result.alpha_interval, ".2f"),
            _number(result.first_shown, ".0%"),
        )
        yield f"| {result.name} | {tally.total} | {' | '.join(parts)} |"
    yield ""
    yield (
        f"In brackets: 95% intervals over {report.resamples:,} resamples of documents. Alpha: Krippendorff's, ordinal, "
        "over documents with two raters or more. For the first shown: the share of unequal judgements that preferred "
        "the summary shown first; far from 50% means that the side decided."
    )
    for result in report.results:
        if result.alpha_undefined and result.documents.total:
            yield ""
            yield (
                f"Alpha of {result.name} is undefined in {result.alpha_undefined:,} of {report.resamples:,} resamples, "
                "where all verdicts are the same or no document has two; its interval leaves these resamples out."
            )
    yield ""
    yield "| rater | complete | checks passed | |"
    yield "|---|---:|---:|---|"
    for rater in report.raters:
        checks = f"{rater.checks_passed} of {rater.checks_answered} answered, {rater.checks} in all"
        yield f"| {_cell(rater.name)} | {rater.complete} of {rater.tasks} | {checks} | {_attention(report, rater)} |"
    yield ""
    yield (
        f"Attention checks are in no result. A rater must pass {report.least_passed:.0%} of the checks answered: a "
        "summary of another document is the less consistent one; identical summaries are equal in every attribute."
    )


def _attention(report: Report, rater: Rater) -> str:
    if not rater.checks_answered:
        return "not checked"
    if rater.name not in report.failed:
        return "passed"
    return "**failed**, excluded" if rater.name in report.excluded else "**failed**, included"


def _with_interval(value: float, limits: Interval, form: str) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:{form}} [{_number(limits[0], form)}, {_number(limits[1], form)}]"


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else f"{value:{form}}"


def _cell(text: str) -> str:
    """A name in a table: one line without mark-up."""
    return "".join(f"\\{letter}" if letter in "\\|*_`<>[]&" else letter for letter in " ".join(text.split()))
