"""Make ``evaluate.load("quals")`` find the installed package, from any folder.

evaluate looks for a bare name in the folder it runs in, then on the Hub under its own organisation, and then among the
modules that it once downloaded from there. One file among these imports the package. It is found with and without a
network, and never falls behind the package.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from trainer_ext.io.atomic import replacing

# evaluate takes any folder with a name of 64 characters for a version; ours is the same for every version.
_FOLDER = hashlib.sha256(b"quals install").hexdigest()
_CONTENTS = '''"""Written by `quals install`, undone by `quals install --remove`; the metric is in the package."""

try:
    from quals.quals import Quals
except ModuleNotFoundError as error:
    if error.name is None or error.name.split(".")[0] != "quals":
        raise
    raise ModuleNotFoundError(
        'evaluate.load("quals") needs the package quals, which this Python environment does not have: install it here '
        f"(pip install . in a clone of its repository), or delete {__file__}.",
        name=error.name,
    ) from None

__all__ = ["Quals"]
'''


def module_file() -> Path:
    """Where the file goes: into the cache of modules that evaluate uses here (``HF_MODULES_CACHE``, ``HF_HOME``)."""
    from evaluate import config

    modules = Path(config.HF_MODULES_CACHE).expanduser().absolute() / config.MODULE_NAME_FOR_DYNAMIC_MODULES
    return modules / "metrics" / "evaluate-metric--quals" / _FOLDER / "quals.py"


def install() -> Path:
    """Write the file, or write it again.

    Returns:
        The file.

    Raises:
        OSError: it cannot be written there; what was there before is unharmed.
    """
    path = module_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:  # the newest of all versions again, which is the one that evaluate takes
        file.write(_CONTENTS.encode())
    return path


def uninstall() -> Path | None:
    """Remove the file, what Python compiled from it, and the folders that are then empty.

    Returns:
        The file that was removed; None if there was none.

    Raises:
        OSError: it cannot be removed.
    """
    path = module_file()
    found = path.is_file()
    for file in (path, *_compiled(path)):
        file.unlink(missing_ok=True)
    for folder in (path.parent / "__pycache__", path.parent, path.parent.parent):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return path if found else None


def _compiled(path: Path) -> Iterator[Path]:
    yield from (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc")
