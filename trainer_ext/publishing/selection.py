"""Which files of a folder are for others: no pickles, no training data or states, nothing hidden."""

from __future__ import annotations

import os
import re
from pathlib import Path

from trainer_ext.publishing.repository import File

# What may hold a pickle, which can run code where it is loaded; safetensors is the form for weights.
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz", ".h5")
_CACHES = (".arrow", ".lock", ".pyc")


def select_files(folder: Path) -> tuple[list[File], list[tuple[str, str]]]:
    """Files to publish, and what is left out with the reason, both by path.

    Links to files are followed (a folder of the Hub's cache consists of them), links to folders are not.

    Raises:
        OSError: something cannot be read.
    """
    files, left_out = [], []
    for current, folders, names in os.walk(folder, onerror=_stop):
        here = Path(current)
        for name in list(folders):
            path = here / name
            if reason := _folder_reason(path):
                folders.remove(name)
                left_out.append((f"{path.relative_to(folder).as_posix()}/", reason))
        for name in names:
            path = here / name
            relative = path.relative_to(folder).as_posix()
            if reason := file_reason(path):
                left_out.append((relative, reason))
            else:
                files.append(File(relative, path))
    return sorted(files, key=lambda file: file.path), sorted(left_out)


def file_reason(path: Path) -> str | None:
    """Why a file is not published; None if it is."""
    name = path.name
    if name.startswith("."):
        return "hidden"
    if name.startswith("_"):
        return "private: begins with an underscore"
    if not path.is_file():
        return "no regular file"
    if name.startswith("events.out.tfevents"):
        return "log"
    if re.match(r"(optimizer|scheduler|scaler|rng_state)\b|training_args\.", name):
        return "state of the training"
    if name.endswith(_PICKLES) or _begins_like_a_pickle(path):
        return "pickle, which can run code where it is loaded"
    return "cache" if name.endswith(_CACHES) else None


def _stop(error: OSError) -> None:
    """os.walk would pass over a folder that it cannot read, and what is missing here is removed there."""
    raise error


def _folder_reason(path: Path) -> str | None:
    if path.name.startswith("."):
        return "hidden"
    if path.name.startswith("_"):
        return "private: begins with an underscore"
    if path.is_symlink():
        return "link to a folder"
    return "checkpoint of the training" if re.fullmatch(r"checkpoint-\d+", path.name) else None


def _begins_like_a_pickle(path: Path) -> bool:
    """Whether the first bytes are those of a pickle, or of the zip file that torch.save makes."""
    with path.open("rb") as file:
        start = file.read(4)
    return start == b"PK\x03\x04" or (start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"))
