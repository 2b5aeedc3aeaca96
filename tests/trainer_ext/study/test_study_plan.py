"""Items, orders and sides: drawn by the seed, balanced, and with checks that nothing gives away."""

from __future__ import annotations

from itertools import accumulate

import pytest
from support.study_data import pairs

from trainer_ext.study.items import Item, draw_items
from trainer_ext.study.pairing import Pair
from trainer_ext.study.plan import Task, make_plan


def plan(count: int, checks: int, rater: int, seed: int = 0) -> tuple[list[Item], list[Task]]:
    items = draw_items(pairs(count), None, checks, seed)
    return items, make_plan(items, rater, seed)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("count", "checks"), [(1, 0), (2, 1), (7, 3), (20, 4), (41, 0), (30, 30)])
def test_every_rater_sees_every_item_once_with_balanced_sides(count: int, checks: int, seed: int) -> None:
    for rater in range(4):
        items, tasks = plan(count, checks, rater, seed)
        assert sorted(task.item for task in tasks) == list(range(count + checks))
        sides = [1 if task.swapped else -1 for task in tasks if items[task.item].kind == "pair"]
        assert abs(sum(sides)) == count % 2
        assert all(abs(so_far) <= 3 for so_far in accumulate(sides))


def test_a_couple_of_raters_balances_each_item_and_its_place() -> None:
    _, first = plan(20, 4, 0)
    _, second = plan(20, 4, 1)
    assert [task.item for task in second] == [task.item for task in reversed(first)]
    swapped = [{task.item: task.swapped for task in tasks} for tasks in (first, second)]
    assert all(swapped[0][item] != swapped[1][item] for item in swapped[0])


def test_couples_differ_and_seeds_decide() -> None:
    plans = [plan(20, 4, rater, seed)[1] for seed in (0, 1) for rater in (0, 2)]
    assert all(plans[i] != plans[j] for i in range(4) for j in range(i))
    assert plan(20, 4, 2, seed=1) == plan(20, 4, 2, seed=1)
    assert draw_items(pairs(20), 5, 2, 0) == draw_items(pairs(20), 5, 2, 0)
    assert draw_items(pairs(20), 5, 2, 0) != draw_items(pairs(20), 5, 2, 1)


def test_checks_are_spread_over_the_order() -> None:
    items, tasks = plan(20, 4, 0)
    places = [place for place, task in enumerate(tasks) if items[task.item].kind != "pair"]
    assert [place // 6 for place in places] == [0, 1, 2, 3]


def test_checks_come_from_other_documents_and_have_a_right_answer() -> None:
    content = {pair.key: pair for pair in pairs(30)}
    items = draw_items(list(content.values()), 10, 6, 3)
    drawn = {item.key for item in items if item.kind == "pair"}
    checks = [item for item in items if item.kind != "pair"]
    assert len(drawn) == 10
    assert [item.kind for item in checks] == ["foreign", "identical"] * 3
    assert not drawn & {item.key for item in checks}
    for item in checks:
        own = content[item.key]
        assert item.document == own.document
        assert item.summaries[0] in own.summaries
        if item.kind == "identical":
            assert item.summaries[1] == item.summaries[0]
        else:
            assert item.summaries[1] in {text for pair in content.values() if pair != own for text in pair.summaries}


def test_where_all_documents_are_drawn_checks_use_them() -> None:
    assert [item.kind for item in draw_items(pairs(3), None, 4, 0)].count("pair") == 3


@pytest.mark.parametrize(
    ("content", "count", "checks", "message"),
    [
        (pairs(3), 4, 0, "--items is 4, and the tables hold 3 documents"),
        (pairs(3), 0, 0, "give 1 to 3"),
        (pairs(3), 2, -1, "--checks is -1"),
        (pairs(1), 1, 1, "give --checks 0"),
        ([Pair("a", "text", ("", " "))], 1, 2, "All summaries are blank"),
    ],
)
def test_what_cannot_be_drawn(content: list[Pair], count: int, checks: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_items(content, count, checks, 0)
