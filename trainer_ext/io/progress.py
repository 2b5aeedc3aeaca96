"""How far long work is: a bar on a terminal, and lines in the log, so that a batch job is not silent for half a day."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from tqdm.auto import tqdm
from transformers.utils import logging as transformers_logging

_SECONDS = 60  # between two lines of the log
# Loggers whose lines say nothing about the work: whole configs, formats of data sets.
_NOISE = ("datasets", "transformers.generation", "transformers.configuration_utils")


class _UnlessConfigured(logging.Handler):
    """Shows lines on standard error, as ``[quals] ...``, where the program has not configured its log itself."""

    def emit(self, record: logging.LogRecord) -> None:
        if not logging.getLogger().handlers:  # these are handed the line too
            print(self.format(record), file=sys.stderr)


logger = logging.getLogger("trainer_ext")  # all loggers of the package are its children
_handler = _UnlessConfigured()
_handler.setFormatter(logging.Formatter("[quals] %(message)s"))
logger.addHandler(_handler)


def inform(message: str) -> None:
    """Log a line at level INFO under the name ``trainer_ext``.

    It is shown by default, on standard error or as the program's log is configured. transformers' verbosity is heeded:
    ``transformers.logging.set_verbosity_error()`` and ``TRANSFORMERS_VERBOSITY=error`` switch it off.
    """
    if transformers_logging.get_verbosity() <= logging.WARNING:
        logger.setLevel(logging.INFO)
        logger.info(message)


class Progress:
    """Counts finished units of work, in a ``with`` block.

    Args:
        name: of the work, such as ``"Sampling"``; it begins each line.
        unit: of what is counted, in the singular.
        total: units of all the work.
        done: units that were done before.
        calls: number of calls of :meth:`add` to come, each as long as another; None if they are as long as their units.
        bar: whether to show a bar; None shows one on a terminal.
        lines: whether to log, of more than one unit. Lines about what is left come once a minute, and only without bar.

    Example:
        >>> with Progress("Counting", "sheep", total=3, bar=False, lines=False) as progress:
        ...     for _ in range(3):
        ...         progress.add(1)
        >>> progress.done
        3
    """

    def __init__(
        self,
        name: str,
        unit: str,
        total: int,
        done: int = 0,
        calls: int | None = None,
        bar: bool | None = None,
        lines: bool = True,
    ) -> None:
        self.name, self.unit, self.total, self.done = name, unit, total, done
        # tqdm: None shows a bar on a terminal only.
        self._bar = tqdm(total=total, initial=done, desc=name, unit=unit, disable=None if bar is None else not bar)
        self._lines, self._before, self._calls, self._called = lines and total > 1, done, calls, 0

    def __enter__(self) -> Progress:
        self._start = self._said = time.monotonic()
        return self

    def add(self, count: int) -> None:
        """Count units as done."""
        self.done += count
        self._called += 1
        self._bar.update(count)
        now, first = time.monotonic(), self._called == 1
        if not (self._lines and self._bar.disable and (first or now - self._said >= _SECONDS)):
            return
        if self._calls is None:
            share_left = (self.total - self.done) / max(1, self.done - self._before)
        else:
            share_left = (self._calls - self._called) / self._called
        if share_left > 0:
            share = f"{self.done:,} of {self.total:,} {self.unit}s"
            rate = f"{(self.done - self._before) / max(now - self._start, 1e-9):.3g} per second"
            measured = f", measured on the first {count:,}" if first else ""
            left = duration((now - self._start) * share_left)
            inform(f"{self.name}: {share} done, about {left} left{measured} ({rate}).")
            self._said = now

    def skip(self, count: int) -> None:
        """Count units that turn out to have been done before: they say nothing about the time that is left."""
        self.done += count
        self._before += count
        self._bar.update(count)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.close()
        new = self.done - self._before
        if error is None and self._lines and new:
            count = f"{new:,} {self.unit}{'s' * (new != 1)}"
            inform(f"{self.name}: {count} done in {duration(time.monotonic() - self._start)}.")


def duration(seconds: float) -> str:
    """A time in the two units that matter.

    Example:
        >>> duration(0.4), duration(75), duration(7500), duration(200000)
        ('0 s', '1 min 15 s', '2 h 5 min', '2 d 7 h')
    """
    whole = round(seconds)
    for size, name, smaller, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {name}" + (f" {rest} {part}" if rest else "")
    return f"{whole} s"


@contextmanager
def without_noise() -> Iterator[None]:
    """In the block, libraries show neither bars about data sets nor lines about configs and formats."""
    import datasets  # takes a second, which each of Ray's workers would wait for

    shown = not datasets.are_progress_bars_disabled()
    loggers = [logging.getLogger(name) for name in _NOISE]
    levels = [logger.level for logger in loggers]
    datasets.disable_progress_bars()
    for logger in loggers:
        logger.setLevel(max(logging.WARNING, logger.getEffectiveLevel()))
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if shown:
            datasets.enable_progress_bars()
