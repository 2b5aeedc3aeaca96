"""The order and the sides in which each rater sees the items: random, seeded and balanced.

Raters come in couples. The second of a couple sees the first one's order backwards and every item with the sides
exchanged, so that over a couple each item stands once on each side, and as often early as late. For one rater, sides
are dealt in blocks of four, two each way, so that they stay balanced for a rater who stops half way.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from trainer_ext.study.items import Item

_BLOCK = 4


@dataclass(frozen=True)
class Task:
    """An item at its place in a rater's order.

    Attributes:
        item: index into the items, from 0.
        swapped: whether the item's second summary is shown first.
    """

    item: int
    swapped: bool


def make_plan(items: Sequence[Item], rater: int, seed: int) -> list[Task]:
    """The order of one rater.

    Args:
        items: the items to judge.
        rater: number of the rater, from 0; 0 and 1 are a couple, 2 and 3 the next.
        seed: random seed of the study.
    """
    couple, is_second = divmod(rater, 2)
    rng = random.Random(f"{seed}/couple {couple}")
    pairs = [number for number, item in enumerate(items) if item.kind == "pair"]
    checks = [number for number, item in enumerate(items) if item.kind != "pair"]
    tasks = _spread(_deal(pairs, rng), _deal(checks, rng), rng)
    if is_second:
        return [Task(task.item, not task.swapped) for task in reversed(tasks)]
    return tasks


def _deal(numbers: list[int], rng: random.Random) -> list[Task]:
    """The items in random order, with balanced sides."""
    sides: list[bool] = []
    for start in range(0, len(numbers), _BLOCK):
        size = min(_BLOCK, len(numbers) - start)
        block = [True, False] * (size // 2) + [rng.random() < 0.5] * (size % 2)
        rng.shuffle(block)
        sides += block
    order = rng.sample(numbers, len(numbers))
    return [Task(item, swapped) for item, swapped in zip(order, sides, strict=True)]


def _spread(pairs: list[Task], checks: list[Task], rng: random.Random) -> list[Task]:
    """Checks among the pairs: the order is cut into as many stretches as there are checks, with one in each."""
    total = len(pairs) + len(checks)
    edges = [number * total // max(1, len(checks)) for number in range(len(checks) + 1)]
    places = {rng.randrange(low, high) for low, high in pairwise(edges)}
    ordinary, special = iter(pairs), iter(checks)
    return [next(special if place in places else ordinary) for place in range(total)]
