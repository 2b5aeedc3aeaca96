"""Selecting pairs by log-probabilities that are estimates, as exact ones would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .generated import Generated
from .pairs import Pair, selection, total_log_prob

_MARGIN = 0.1  # nats that an estimate of a sequence may be too low


def selected(backed: Sequence[Mapping[int, Pair]], generated: Generated, most: int | None) -> list[list[Pair]]:
    """The pairs of each text that :func:`~quals.pairs.select` takes, with exact log-probabilities.

    A pair that is looked at for its high estimate gets its exact log-probability, and all begins again. It ends when
    only such pairs are looked at. Only a pair whose estimate is 0.1 nats too low could be passed over. If one turns out
    to be half as bad, all pairs get exact ones.

    Args:
        backed: the pairs of each text by their group, without log-probabilities.
        generated: the sequences that they are.
        most: of a text; None takes all, in the order of the groups.
    """
    texts = [_Text(own, generated.estimates[text]) for text, own in enumerate(backed)]
    good = True
    while True:
        asked = [text.look(most if good else None) for text in texts]
        if not any(asked):
            return [text.select(most) for text in texts]
        for text, groups, log_probs in zip(texts, asked, generated.log_probs(asked), strict=True):
            good = text.learn(groups, log_probs) and good


class _Text:
    """The pairs of a text, with estimates until exact log-probabilities are known."""

    def __init__(self, backed: Mapping[int, Pair], estimates: Sequence[tuple[float, ...]]) -> None:
        self._pairs = {group: replace(pair, log_probs=estimates[group]) for group, pair in backed.items()}
        self._exact: dict[tuple[int, ...], tuple[float, ...]] = {}  # by token ids, of which pairs may be equal

    def look(self, most: int | None) -> list[int]:
        """Groups whose exact log-probabilities must be known, before ``most`` pairs can be taken."""
        seen = self._pairs.values() if most is None else selection(self._pairs.values(), most, self._highest)[1]
        missing = {pair.token_ids for pair in seen} - self._exact.keys()
        groups = {pair.token_ids: group for group, pair in self._pairs.items()}
        return sorted(groups[ids] for ids in missing)

    def learn(self, groups: Sequence[int], log_probs: Sequence[tuple[float, ...]]) -> bool:
        """Take up exact log-probabilities; False if an estimate was off by more than half of the margin."""
        off = []
        for group, exact in zip(groups, log_probs, strict=True):
            pair = self._pairs[group]
            self._exact[pair.token_ids] = exact
            off.append(abs(sum(exact) - total_log_prob(pair)))
        return max(off, default=0) <= _MARGIN / 2

    def select(self, most: int | None) -> list[Pair]:
        """The pairs that are taken."""
        exact = self._exact
        pairs = [replace(pair, log_probs=exact.get(pair.token_ids, pair.log_probs)) for pair in self._pairs.values()]
        return pairs if most is None else selection(pairs, most, self._highest)[0]

    def _highest(self, pair: Pair) -> float:
        exact = self._exact.get(pair.token_ids)
        return total_log_prob(pair) + _MARGIN if exact is None else sum(exact)
