"""A result's pairs as lines of text, worst first, within the width of the terminal."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

from quals.markup import NO_PAIRS, headline, judgement, shares, signed

from trainer_ext.io.terminal import wrap

if TYPE_CHECKING:
    from quals.results import QualsResult

_NUMBERS = 10  # columns of a number
_NARROW = 60  # below this the numbers stand on a line of their own


def pair_list(result: QualsResult, width: int | None = None) -> str:
    """The score, and each pair's question, answer, both log-likelihoods and their difference.

    Args:
        result: the result to show.
        width: columns; None is the terminal's.
    """
    return "\n".join(_pair_lines(result, max(20, width or shutil.get_terminal_size().columns)))


def comparison(results: list[QualsResult], width: int | None = None) -> str:
    """The summaries of one source, each with its score and one sentence on what its pairs say."""
    return "\n".join(_comparison_lines(results, max(40, width or shutil.get_terminal_size().columns)))


def _comparison_lines(results: list[QualsResult], width: int) -> Iterator[str]:
    yield "Source:"
    yield from (f"  {line}" for line in wrap(results[0].source, width - 2))
    yield ""
    unit = "" if any(shares(result.pairs) for result in results) else ", in nats per token"
    yield from wrap(
        f"Its summaries and their QUALS{unit}: 0 means that the source supports the summary fully; the "
        "further below 0, the less.",
        width,
    )
    for result in results:
        yield ""
        first, *others = wrap(result.summary, width - 12)
        yield f"{signed(result.score):>10}  {first}"
        said = wrap(judgement(result.pairs) if result.pairs else NO_PAIRS, width - 12)
        yield from (f"{'':12}{line}" for line in [*others, *said])


def _pair_lines(result: QualsResult, width: int) -> Iterator[str]:
    if not result.pairs:
        yield from wrap(NO_PAIRS, width)
    else:
        yield from wrap(f"{headline(result.score, result.pairs)} ({result.signature})", width)
        yield from wrap(judgement(result.pairs), width)
    for note in result.notes:
        yield from wrap(note, width)
    names = ("difference", "source", "summary")
    if result.pairs:
        yield ""
        if width >= _NARROW:
            yield "".join(f"{name:>{_NUMBERS}} " for name in names) + " question -> answer"
    for pair in result.worst_first:
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
