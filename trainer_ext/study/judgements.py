"""The raters' answers without the blinding, and their results on the attention checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainer_ext.study import ATTRIBUTES
from trainer_ext.study.items import Kind


@dataclass(frozen=True)
class Judgement:
    """One answer.

    Attributes:
        rater: name of the rater.
        item: number of the item.
        kind: kind of the item.
        attribute: key of the attribute.
        verdict: 1 if the item's first summary is better, 0 if they are equal, -1 if it is worse.
        chose_first: whether the summary shown first was preferred; None if they were judged equal.
    """

    rater: str
    item: int
    kind: Kind
    attribute: str
    verdict: int
    chose_first: bool | None


@dataclass(frozen=True)
class Rater:
    """How far a rater is, and whether they paid attention.

    Attributes:
        name: name of the rater.
        tasks: number of tasks, checks included.
        complete: number of tasks with all their answers.
        checks, checks_answered, checks_passed: numbers of attention checks; an undecided one counts as not answered.
    """

    name: str
    tasks: int
    complete: int
    checks: int
    checks_answered: int
    checks_passed: int

    def failed(self, least: float) -> bool:
        """Whether the rater passed a smaller share than ``least`` of the checks answered."""
        return self.checks_passed < least * self.checks_answered


def read_judgements(rows: Sequence[Mapping[str, Any]]) -> list[Judgement]:
    """The answers so far.

    Args:
        rows: what :meth:`trainer_ext.study.store.Study.everything` returns.
    """
    judgements = []
    for row in rows:
        choice = row["choice"]
        if choice is None:
            continue
        as_shown = {"first": 1, "equal": 0, "second": -1}[choice]
        judgements.append(
            Judgement(
                row["rater"],
                row["item"],
                row["kind"],
                row["attribute"],
                -as_shown if row["swapped"] else as_shown,
                None if choice == "equal" else choice == "first",
            )
        )
    return judgements


def read_raters(rows: Sequence[Mapping[str, Any]]) -> list[Rater]:
    """All raters, in the order of the rows; see :func:`read_judgements`."""
    verdicts: dict[tuple[str, int], dict[str, int]] = {}
    for judgement in read_judgements(rows):
        verdicts.setdefault((judgement.rater, judgement.item), {})[judgement.attribute] = judgement.verdict
    kinds: dict[str, dict[int, Kind]] = {}
    for row in rows:
        kinds.setdefault(row["rater"], {})[row["item"]] = row["kind"]
    raters = []
    for name, tasks in kinds.items():
        answered = {item: verdicts.get((name, item), {}) for item in tasks}
        results = [passed(kind, answered[item]) for item, kind in tasks.items() if kind != "pair"]
        complete = sum(len(given) == len(ATTRIBUTES) for given in answered.values())
        known = [result for result in results if result is not None]
        raters.append(Rater(name, len(tasks), complete, len(results), len(known), sum(known)))
    return raters


def passed(kind: Kind, verdicts: Mapping[str, int]) -> bool | None:
    """Whether a check was passed; None while it is undecided.

    A foreign summary must be judged the less consistent with the document. Identical summaries must be judged equal
    in everything.

    Args:
        kind: kind of the check.
        verdicts: the answers so far by attribute; 1 prefers the item's first summary, which is the document's own.
    """
    if kind == "foreign":
        verdict = verdicts.get("consistency")
        return None if verdict is None else verdict == 1
    if any(verdicts.values()):
        return False
    return True if len(verdicts) == len(ATTRIBUTES) else None
