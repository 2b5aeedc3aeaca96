"""Which files of a folder are for others: the files of a model, and nothing that only lies beside them."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from pathlib import Path

from trainer_ext.publishing.private import public_content
from trainer_ext.publishing.repository import File

CARD = "README.md"
_MODEL_FILES = (
    CARD,
    "LICENSE*",
    "NOTICE*",
    "CITATION.cff",
    "config.json",
    "generation_config.json",
    "adapter_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "target_vocab.json",
    "merges.txt",
    "spiece.model",
    "tokenizer.model",
    "sentencepiece.bpe.model",
    "source.spm",
    "target.spm",
    "chat_template.jinja",
    "quality.json",  # what the recipes of the metrics' models measured
)
_PICTURES = (".png", ".jpg", ".jpeg", ".svg", ".webp")  # go with a card that shows them
# What may hold a pickle, which can run code where it is loaded; safetensors is the form for weights.
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz", ".h5")


def select_files(folder: Path) -> tuple[list[File], list[tuple[str, str]]]:
    """Files of a model to publish, and what is left out with the reason, both by path.

    What names the machine is taken out of configurations, see :func:`~trainer_ext.publishing.private.public_content`.

    Raises:
        DataError: a file holds a secret, or a path of this machine that cannot be taken out.
        OSError: something cannot be read.
    """
    pictures = _shown_pictures(folder / CARD)
    files, left_out = [], []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        if path.is_dir():
            left_out.append((f"{entry.name}/", folder_reason(path)))
        elif reason := file_reason(path, (*_MODEL_FILES, *pictures)):
            left_out.append((entry.name, reason))
        else:
            files.append(File(entry.name, public_content(path)))
    return files, left_out


def file_reason(path: Path, patterns: tuple[str, ...]) -> str | None:
    """Why a file is not published; None if it is.

    Args:
        path: the file.
        patterns: names that are for others, as ``fnmatch`` takes them.
    """
    name = path.name
    if name.startswith("."):
        return "hidden"
    if name.startswith("_"):
        return "private: begins with an underscore"
    if not path.is_file():
        return "not a regular file"
    if re.match(r"(optimizer|scheduler|scaler|rng_state)\b|(training_args|trainer_state)\.", name):
        return "state of the training"
    if name.endswith(_PICKLES) or _begins_like_a_pickle(path):
        return "pickle, which can run code where it is loaded"
    if not any(fnmatchcase(name, pattern) for pattern in patterns):
        return "not a file of a model"
    return None if _is_inside(path) else "link out of the folder"


def folder_reason(path: Path) -> str:
    """Why a folder is not published, which none is."""
    if path.name.startswith("."):
        return "hidden"
    if path.name.startswith("_"):
        return "private: begins with an underscore"
    if path.is_symlink():
        return "link to a folder"
    return "checkpoint of the training" if re.fullmatch(r"checkpoint-\d+", path.name) else "not a file of a model"


def _shown_pictures(card: Path) -> tuple[str, ...]:
    """Pictures beside the card that it names."""
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    names = (path.name for path in card.parent.iterdir() if path.suffix.lower() in _PICTURES)
    return tuple(name for name in names if name in text)


def _is_inside(path: Path) -> bool:
    """Whether a file, its links followed, lies in its folder; a folder of the Hub's cache links to its blobs."""
    real, folder = Path(os.path.realpath(path)), Path(os.path.realpath(path.parent))
    return real.parent in (folder, folder.parents[1] / "blobs" if folder.parent.name == "snapshots" else folder)


def _begins_like_a_pickle(path: Path) -> bool:
    """Whether the first bytes are those of a pickle, or of the zip file that torch.save makes."""
    with path.open("rb") as file:
        start = file.read(4)
    return start == b"PK\x03\x04" or (start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"))
