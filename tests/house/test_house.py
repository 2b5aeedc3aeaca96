"""The house stays small: files that one reads at a sitting, folders that one sees at a glance, one public face."""

from __future__ import annotations

import ast
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest
from support.tiny import REPOSITORY

ROOMS = ("metrics", "trainer_ext", "benchmarks", "examples", "tests")
PACKAGES = ("quals", "qags", "factcc", "trainer_ext")
MOST_LINES = 350
MOST_FILES = 16
# evaluate copies the files beside a metric's main file and no folder, so that QUALS stays in one; tests share one.
FLAT = {"metrics/quals", "tests/support"}


def python_files() -> list[Path]:
    """Every Python file of the repository, relative to its root."""
    return sorted(path.relative_to(REPOSITORY) for room in ROOMS for path in (REPOSITORY / room).rglob("*.py"))


def test_no_file_is_too_long() -> None:
    lengths = {str(path): len((REPOSITORY / path).read_text("utf-8").splitlines()) for path in python_files()}
    assert len(lengths) > 100
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_folder_is_too_full() -> None:
    counts = Counter(str(path.parent) for path in python_files() if path.name != "__init__.py")
    assert {folder: files for folder, files in counts.items() if files > MOST_FILES}.keys() <= FLAT


def test_test_files_have_different_names() -> None:
    """pytest imports them by name alone: of two with one name, it reads the first."""
    names = Counter(path.name for path in (REPOSITORY / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("name", PACKAGES)
def test_all_names_the_public_face(name: str) -> None:
    """What a type checker sees of a package, what ``__all__`` lists and what importing gives are the same names."""
    package = import_module(name)
    tree = ast.parse(Path(str(package.__file__)).read_text("utf-8"))
    [typed] = [node.body for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in [*typed, *tree.body] if isinstance(node, ast.ImportFrom)]
    # Its own modules' names: relative imports, or absolute ones of the package.
    own = [node for node in imports if node.level or (node.module or "").startswith(f"{name}.")]
    names = {alias.name for node in own for alias in node.names}
    assert names
    assert set(package.__all__) == names | {"__version__"}
    for public in package.__all__:
        assert getattr(package, public) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        package.no_such_name  # noqa: B018


def test_one_version() -> None:
    versions = {import_module(name).__version__ for name in PACKAGES}
    [version] = versions
    assert f"version: {version}\n" in (REPOSITORY / "CITATION.cff").read_text("utf-8")
    assert f"## {version}" in (REPOSITORY / "CHANGELOG.md").read_text("utf-8")
