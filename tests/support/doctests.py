"""Runs the examples in a metric's texts."""

from __future__ import annotations

import doctest


def check_examples(text: str, least: int) -> None:
    """Fail if an example prints other than it says, or there are fewer than ``least`` lines of code."""
    examples = doctest.DocTestParser().get_doctest(text, {}, "examples", None, None)
    failures: list[str] = []
    result = doctest.DocTestRunner().run(examples, out=failures.append)
    assert not failures, "".join(failures)
    assert result.attempted >= least
