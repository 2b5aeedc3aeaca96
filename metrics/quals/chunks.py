"""Lists of sources and summaries through a scorer, some at a time, with a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from tqdm.auto import tqdm

from .inputs import require, strict_zip

Result = TypeVar("Result")


def score_in_chunks(
    sources: Iterable[str],
    summaries: Iterable[str],
    score_chunk: Callable[[list[tuple[str, str]], Any], Iterable[Result]],
    *,
    size: int,
    name: str,
    progress: bool | None,
) -> Iterator[Result]:
    """Results, one a summary, in order; a chunk of texts is read, scored and given out at a time.

    Args:
        sources, summaries: texts; any iterables of the same length, one text at least.
        score_chunk: gets (source, summary) pairs and the bar, which it moves on by as many.
        size: pairs in a chunk.
        name: of the metric, for the bar.
        progress: show the bar; None shows it on a terminal.

    Raises:
        ValueError: something is no text, there are none, or more of one than of the other. In lists this is found
            before anything is scored.
    """
    for texts in (sources, summaries):
        require(
            isinstance(texts, Iterable) and not isinstance(texts, str | bytes),
            "sources and summaries must be lists of strings; for one summary give [source], [summary].",
        )
    total = len(summaries) if isinstance(summaries, Sequence) else None
    if isinstance(sources, Sequence) and total is not None:
        require(
            len(sources) == total,
            f"There are {len(sources)} sources and {total} summaries: each summary needs the source at its place.",
        )
        for _ in strict_zip(iter(sources), iter(summaries)):
            pass  # a mistake at the end of a list is found before the work
    pairs = strict_zip(iter(sources), iter(summaries))
    disable = None if progress is None else not progress  # tqdm: None shows a bar on a terminal only
    with tqdm(total=total, desc=name, unit="summary", disable=disable) as bar:
        while chunk := list(islice(pairs, size)):
            yield from score_chunk(chunk, bar)
