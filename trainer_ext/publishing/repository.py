"""What is to stand in a repository of the Hub, known before anything is sent."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

_BLOCK = 1 << 20


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

    def sha256(self) -> str:
        """The name of its contents where the Hub stores them as a large file."""
        return self._digest("sha256", b"")

    def git_hash(self) -> str:
        """The name of its contents where the Hub stores them in git."""
        return self._digest("sha1", b"blob %d\0" % self.size)

    def _digest(self, algorithm: str, prefix: bytes) -> str:
        digest = hashlib.new(algorithm, prefix)
        if isinstance(self.content, bytes):
            digest.update(self.content)
        else:
            with self.content.open("rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
        return digest.hexdigest()


@dataclass(frozen=True)
class Repository:
    """All of a repository.

    Attributes:
        repo_id: ``namespace/name``.
        kind: ``"model"`` or ``"space"``.
        files: what is to stand there; other files that stand there are removed.
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

    def __str__(self) -> str:
        return f"{self.kind} {self.repo_id}"


def checked_repo_id(repo_id: str, option: str) -> str:
    """The name, if it can be one.

    Raises:
        ValueError: it is no ``namespace/name``.
    """
    try:
        validate_repo_id(repo_id)
    except ValueError as error:
        raise ValueError(f"{option} is {repo_id!r}, which the Hub does not take for a name: {error}") from error
    if repo_id.count("/") != 1:
        raise ValueError(f"{option} is {repo_id!r}: give the user or organisation too, as in someone/{repo_id}.")
    return repo_id
