"""What raters said, with the blinding taken off, and how they did on the attention checks."""

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
        rater: their name.
        item: the item's number.
        kind: the item's.
        attribute: key of what was judged.
        verdict: 1: the item's first summary is better, 0: equal, -1: worse.
        chose_first: of the two as shown; None where they were judged equal.
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
        name: of the rater.
        tasks: how many they have, checks included.
        complete: how many of them have all their answers.
        checks, checks_answered, checks_passed: attention checks; one that is not yet decided counts as not answered.
    """

    name: str
    tasks: int
    complete: int
    checks: int
    checks_answered: int
    checks_passed: int

    def failed(self, least: float) -> bool:
        """Whether they passed a smaller share than ``least`` of the checks that they answered."""
        return self.checks_passed < least * self.checks_answered


def read_judgements(rows: Sequence[Mapping[str, Any]]) -> list[Judgement]:
    """The answers there are.

    Args:
        rows: of :meth:`trainer_ext.study.store.Study.everything`.
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
    """Whether a check was passed; None while that is open.

    A foreign summary must be judged the less consistent with the document. Identical summaries must be judged equal
    in everything.

    Args:
        kind: of the check.
        verdicts: by attribute, as far as there are any; 1 is for the item's first summary, which is the document's own.
    """
    if kind == "foreign":
        verdict = verdicts.get("consistency")
        return None if verdict is None else verdict == 1
    if any(verdicts.values()):
        return False
    return True if len(verdicts) == len(ATTRIBUTES) else None
