"""The examples in docstrings of the three metric packages do what they say."""

from __future__ import annotations

import doctest
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

import factcc
import pytest
import qags
import quals

APPS = ("app", "page", "page_view")  # a script, and pages that need gradio
MODULES = [
    f"{package.__name__}.{module.name}"
    for package in (quals, qags, factcc)
    for module in iter_modules(package.__path__)
    if module.name not in (*APPS, package.__name__)  # the metrics' examples have tests of their own
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    module = import_module(name)
    finder, runner = doctest.DocTestFinder(exclude_empty=True), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    failures: list[str] = []
    for example in finder.find(module, globs=dict(vars(module))):
        runner.run(example, out=failures.append)
    assert "".join(failures) == ""


@pytest.mark.parametrize("package", [quals, qags, factcc])
def test_every_public_class_that_scores_has_an_example(package: ModuleType) -> None:
    (scorer,) = (getattr(package, name) for name in package.__all__ if name.endswith("Scorer"))
    assert ">>>" in (scorer.__doc__ or "")
