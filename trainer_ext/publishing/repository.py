"""What a repository of the Hub shall hold, known before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import constants
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]
from quals.errors import OptionError


@dataclass(frozen=True)
class File:
    """A file of a repository.

    Attributes:
        path: where it goes, with forward slashes.
        content: the local file, or the bytes themselves.
    """

    path: str
    content: Path | bytes

    @property
    def size(self) -> int:
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size


@dataclass(frozen=True)
class Repository:
    """All of a repository.

    Attributes:
        repo_id: ``namespace/name``.
        kind: ``"model"`` or ``"space"``.
        files: what it shall hold; other files in it are removed.
        landmarks: a repository that holds other files, but none of these, was made for something else.
        left_out: local files that are not published, each with the reason.
        notes: what the publisher should know.
    """

    repo_id: str
    kind: str
    files: tuple[File, ...]
    landmarks: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def namespace(self) -> str:
        return self.repo_id.split("/")[0]

    @property
    def page(self) -> str:
        """Its address on the Hub, without the Hub's own."""
        return f"spaces/{self.repo_id}" if self.kind == "space" else self.repo_id

    def __str__(self) -> str:
        return f"{self.kind} {self.repo_id}"

    def plan(self) -> str:
        """Where it goes, every file with its size, what is left out and why, and what the publisher should know."""
        lines = [f"{self} ({constants.ENDPOINT}/{self.page})"]
        lines += [f"{readable_size(file.size):>12}  {file.path}" for file in self.files]
        lines += [f"{readable_size(sum(file.size for file in self.files)):>12}  in {len(self.files)} files"]
        lines += [f"left out: {path} ({reason})" for path, reason in self.left_out]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def checked_repo_id(repo_id: str, option: str) -> str:
    """The name, if it can be one.

    Raises:
        OptionError: it is not ``namespace/name``.
    """
    try:
        validate_repo_id(repo_id)
    except ValueError as error:
        raise OptionError(f"{option} is {repo_id!r}, which the Hub does not take for a name: {error}") from error
    if repo_id.count("/") != 1:
        raise OptionError(f"{option} is {repo_id!r}: give the user or organisation too, as in someone/{repo_id}.")
    return repo_id


def readable_size(size: float) -> str:
    """As in "59.8 MB"."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
