"""A score's pairs as lines of text, worst first, within the width of the terminal."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from quals.markup import signed

from trainer_ext.explain import NO_PAIRS, Explanation
from trainer_ext.io.terminal import wrap

_NUMBERS = 10  # columns of a number
_NARROW = 60  # below this the numbers stand on a line of their own


def pair_list(explanation: Explanation, width: int | None = None) -> str:
    """The score, and each pair's question, answer, both log-likelihoods and their difference.

    Args:
        explanation: what to show.
        width: columns; None is the terminal's.
    """
    columns = max(20, width or shutil.get_terminal_size().columns)
    return "\n".join(_lines(explanation, columns))


def _lines(explanation: Explanation, width: int) -> Iterator[str]:
    if not explanation.result.pairs:
        yield from wrap(NO_PAIRS, width)
    else:
        yield from wrap(f"{explanation.headline} ({explanation.signature})", width)
    for note in explanation.notes:
        yield from wrap(note, width)
    names = ("difference", "source", "summary")
    if explanation.result.pairs:
        yield ""
        if width >= _NARROW:
            yield "".join(f"{name:>{_NUMBERS}} " for name in names) + " question -> answer"
    for pair in explanation.worst_first:
        numbers = [signed(value) for value in (pair.score, pair.log_likelihood_source, pair.log_likelihood_summary)]
        text = f"{pair.question} -> {pair.answer}"
        if width >= _NARROW:
            margin = "".join(f"{number:>{_NUMBERS}} " for number in numbers) + " "
            for line in wrap(text, width - len(margin)):
                yield margin + line
                margin = " " * len(margin)
        else:
            yield from wrap(", ".join(f"{name} {number}" for name, number in zip(names, numbers, strict=True)), width)
            yield from (f"  {line}" for line in wrap(text, width - 2))
