"""The metric as two repositories: its QAGen is a model, and a Space's code names that model and its commit."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

from quals.errors import DataError, OptionError

from trainer_ext.publishing.model import checked_folder, read_card, read_json
from trainer_ext.publishing.repository import File, Repository, checked_repo_id
from trainer_ext.publishing.selection import file_reason

_MODULE = "quals"  # evaluate looks in a Space for the file of the Space's name
_CARD = "hub_card.md"
_APP = "app.py"
_PIN = "published.py"
_UNFILLED = "PUBLISHED: tuple[str, str] | None = None"
_OF_THE_PACKAGE = {"__init__.py": "for the installed package", "py.typed": "for the installed package"}
_SPACE_FILES = ("*.py", "requirements.txt")
# Names in the card that are replaced by the published ones.
_CARDS_SPACE, _CARDS_QAGEN = "org/quals", "org/qagen-mini"


def metric_folder() -> Path:
    """Folder of the metric's code.

    Raises:
        DataError: the package is not installed.
    """
    spec = find_spec(_MODULE)
    if spec is None or spec.origin is None:
        raise DataError("The package quals cannot be found: install it by pip install -e . in a clone.")
    return Path(spec.origin).parent


def qagen_repository(repo_id: str, folder: Path) -> Repository:
    """The model repository of a QAGen.

    Raises:
        DataError: the folder is not a whole QAGen with a card.
        OptionError: the name cannot be one.
    """
    repository = checked_folder(repo_id, folder, "--qagen-repo-id")
    config = folder / "config.json"
    if not config.is_file() or not isinstance(read_json(config).get("qagen_separator"), str):
        raise DataError(
            f"{folder} is not a QAGen: its config names no 'qagen_separator'. Give one that `quals train qagen` wrote."
        )
    return repository


def space_repository(repo_id: str, qagen_repo_id: str, commit: str) -> Repository:
    """The Space of the metric.

    Args:
        repo_id: its name, which must end in the name of the metric's file.
        qagen_repo_id, commit: the QAGen that it loads.

    Raises:
        DataError: there is no card, which only a clone of the repository has, or the name cannot be one.
    """
    checked_repo_id(repo_id, "--repo-id")
    if repo_id.split("/")[1] != _MODULE:
        raise OptionError(
            f"--repo-id is {repo_id!r}: evaluate.load looks there for a file of the Space's name, and the metric's is "
            f"{_MODULE}.py. Name it {repo_id.split('/')[0]}/{_MODULE}."
        )
    folder = metric_folder()
    card = folder.parents[1] / _CARD
    if not card.is_file():
        raise DataError(f"There is no {card}, the Space's card: publish from a clone, after pip install -e . in it.")
    read_card(card)
    text = card.read_text(encoding="utf-8").replace(_CARDS_SPACE, repo_id).replace(_CARDS_QAGEN, qagen_repo_id)
    files, left_out = [File("README.md", text.encode())], []
    for path in sorted(path for path in folder.iterdir() if not path.is_dir()):
        reason = _OF_THE_PACKAGE.get(path.name) or file_reason(path, _SPACE_FILES)
        if reason:
            left_out.append((path.name, reason))
        else:
            files.append(File(path.name, _pinned(path, qagen_repo_id, commit) if path.name == _PIN else path))
    no_app = f"there is no {_APP}: evaluate can load the metric, but the Space itself has nothing to show"
    notes = () if (folder / _APP).is_file() else (no_app,)
    return Repository(repo_id, "space", tuple(files), (f"{_MODULE}.py",), tuple(left_out), notes)


def _pinned(path: Path, qagen_repo_id: str, commit: str) -> bytes:
    text = path.read_text(encoding="utf-8")
    if text.count(_UNFILLED) != 1:
        raise DataError(f"{path} has no line {_UNFILLED!r} to fill in: restore the file.")
    filled = _UNFILLED.replace("= None", f"= ({json.dumps(qagen_repo_id)}, {json.dumps(commit)})")
    return text.replace(_UNFILLED, filled).encode()
