"""Shards: parts of a table's rows or of a folder's files, each scored by a process that knows nothing of the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from quals.errors import DataError, OptionError

from trainer_ext.io.chunks import ChunkStore, Workers
from trainer_ext.scale.table import CHUNK, Result, Texts

_SHOWN = 5  # missing ranges that are named


def shard(text: str) -> Workers:
    """The process that an option ``I/N`` means: the I-th of N, from 1.

    Raises:
        OptionError: it is not two whole numbers, with 1 <= I <= N.

    Example:
        >>> shard("3/16").share(64)
        range(8, 12)
    """
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None:
        raise OptionError(f"--shard is {text!r}: give I/N, such as 3/16 for the third of sixteen.")
    index, count = int(match[1]), int(match[2])
    if not 1 <= index <= count:
        raise OptionError(f"--shard is {text!r}: shards of N are 1/N to N/N, so give 1/{max(count, 1)} or another.")
    return Workers(index - 1, count, apart=True)


def rows_of(texts: Texts, chunks: range) -> str:
    """The rows of neighbouring chunks, numbered from 1, in words."""
    first, last = chunks.start * CHUNK, min(chunks.stop * CHUNK, len(texts.places)) - 1
    return f"rows {texts.places[first] + 1} to {texts.places[last] + 1}" if chunks else "no rows"


def note_count(folder: Path, workers: Workers) -> None:
    """Keep in a store how many shards there are, for :func:`joined`."""
    (folder / f"shards-{workers.count}").touch()


def joined(texts: Texts, store: ChunkStore) -> list[Result]:
    """The added columns of all scored rows, if every shard is done.

    Raises:
        DataError: rows are missing; the message says which, and how to make them.
    """
    contents = [store.read(number) for number in range(len(texts.sizes))]
    missing = [number for number, content in enumerate(contents) if content is None]
    if missing:
        ranges = _ranges(missing)
        count = sum(texts.sizes[number] for number in missing)
        named = ", ".join(rows_of(texts, one).removeprefix("rows ") for one in ranges[:_SHOWN])
        more = f" and {len(ranges) - _SHOWN} more ranges" * (len(ranges) > _SHOWN)
        raise DataError(
            f"{texts.name}: {count:,} of {len(texts.places):,} rows are not scored yet (rows {named}{more}). Run this "
            f"command with {_command(store, missing, len(contents))} instead of --join, then join again."
        )
    return list(chain.from_iterable(contents))


def _ranges(numbers: Sequence[int]) -> list[range]:
    ranges: list[range] = []
    for number in numbers:
        if ranges and ranges[-1].stop == number:
            ranges[-1] = range(ranges[-1].start, number + 1)
        else:
            ranges.append(range(number, number + 1))
    return ranges


def _command(store: ChunkStore, missing: Sequence[int], chunks: int) -> str:
    """The options that make what is missing."""
    counts = [int(path.name.removeprefix("shards-")) for path in store.folder.glob("shards-*")] if store.folder else []
    if len(counts) != 1:
        return "--shard 1/1"
    [count] = counts
    shards = (Workers(rank, count, apart=True) for rank in range(count))
    needed = [one for one in shards if any(number in one.share(chunks) for number in missing)]
    names = [f"--shard {one.rank + 1}/{count}" for one in needed[:_SHOWN]]
    return " and ".join(names) + f" and {len(needed) - _SHOWN} more" * (len(needed) > _SHOWN)
