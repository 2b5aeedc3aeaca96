"""What a file says of the machine it was made on: taken out where that changes nothing, refused elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quals.errors import DataError

_TEXTS = (".md", ".json", ".jinja", ".cff", ".txt")
_VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "target_vocab.json", "merges.txt", "added_tokens.json")
# Where a model or a tokenizer was loaded from: nothing reads it back.
_ORIGINS = ("_name_or_path", "name_or_path", "tokenizer_file", "vocab_file", "merges_file", "special_tokens_map_file")
_BASE_MODEL = "base_model_name_or_path"  # of an adapter: without it nothing can load the adapter
_PATH = re.compile(
    r"(?<![\w.:/~-])(?:/(?:home|Users|root|mnt|tmp|var|private|data|scratch|workspace|opt|srv|media|Volumes)/"
    r"|file://|[A-Za-z]:\\)[^\s\"'`)>\]]+"
)
_SECRETS = re.compile(
    r"\bhf_[A-Za-z0-9]{30,}|\bsk-[A-Za-z0-9_-]{30,}|\bAKIA[A-Z0-9]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY"
)
_SHOWN = 60  # characters of what was found


def public_content(path: Path) -> Path | bytes:
    """The file itself, or its contents without what names this machine.

    Args:
        path: a file to publish. Weights and vocabularies are passed as they are.

    Raises:
        DataError: it holds a secret or a path of this machine that cannot be taken out; the message names the line.
        OSError: it cannot be read.
    """
    if path.suffix not in _TEXTS or path.name in _VOCABULARIES:
        return path
    text = path.read_text(encoding="utf-8", errors="replace")
    content: Path | bytes = path
    if path.suffix == ".json":
        text, changed = _without_origins(text)
        content = text.encode() if changed else path
    for number, line in enumerate(text.split("\n"), start=1):
        if _SECRETS.search(line):
            raise DataError(f"{path}, line {number} holds what looks like a secret: take it out, and revoke it.")
        if found := _PATH.search(line):
            raise DataError(
                f"{path}, line {number} holds a path of this machine ({found[0][:_SHOWN]}): replace it by what others "
                "can reach, such as a name of the Hub."
            )
    return content


def check_base_model(path: Path, values: dict[str, Any]) -> None:
    """Refuse an adapter whose base model others cannot load.

    Raises:
        DataError: the base model is not named, or by a folder.
    """
    base = values.get(_BASE_MODEL)
    if not isinstance(base, str) or not base:
        raise DataError(f"{path} names no base model: set {_BASE_MODEL} to its name on the Hub.")
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", base) or Path(base).is_dir():
        number = next((n for n, line in enumerate(_lines(path), start=1) if f'"{_BASE_MODEL}"' in line), 1)
        raise DataError(
            f"{path}, line {number}: {_BASE_MODEL} is {base!r}, a folder of this machine: give the base model's name "
            "on the Hub."
        )


def _without_origins(text: str) -> tuple[str, bool]:
    """A JSON object without the paths that say where it was loaded from, and whether there were some."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return text, False  # told where the file is read as what it is
    if not isinstance(values, dict):
        return text, False
    kept = {name: value for name, value in values.items() if name not in _ORIGINS or not _is_path(value)}
    if len(kept) == len(values):
        return text, False
    return json.dumps(kept, indent=2, ensure_ascii=False) + "\n", True


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and ("\\" in value or value.startswith((".", "/", "~")) or Path(value).exists())


def _lines(path: Path) -> Iterator[str]:
    yield from path.read_text(encoding="utf-8", errors="replace").split("\n")
