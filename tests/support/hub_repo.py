"""What the small Hub of the tests holds: repositories, their commits and files."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

TOKEN = "hf_" + "Secret" * 6


NAMESPACE = "org"


STEPS = (
    "whoami",
    "info",
    "create",
    "preupload",
    "lfs_batch",
    "lfs_upload",
    "lfs_verify",
    "validate",
    "commit",
)


DROP, DROP_AFTER = -1, -2  # break the connection off before, or after, doing what is asked


@dataclass(frozen=True)
class Blob:
    data: bytes
    lfs: bool

    @property
    def oid(self) -> str:
        return hashlib.sha1(b"blob %d\0" % len(self.data) + self.data).hexdigest()

    @property
    def etag(self) -> str:
        return hashlib.sha256(self.data).hexdigest() if self.lfs else self.oid

    def entry(self, path: str) -> dict[str, Any]:
        """As a listing has it."""
        lfs = {"lfs": {"oid": self.etag, "size": len(self.data), "pointerSize": 100}} if self.lfs else {}
        return {"type": "file", "path": path, "size": len(self.data), "oid": self.oid, **lfs}


@dataclass
class Repo:
    private: bool
    sdk: str | None
    commits: list[tuple[str, dict[str, Blob]]] = field(default_factory=list)

    def commit(self, files: dict[str, Blob]) -> str:
        listing = json.dumps([len(self.commits), *((path, blob.oid) for path, blob in sorted(files.items()))])
        self.commits.append((hashlib.sha1(listing.encode()).hexdigest(), files))
        return self.head

    @property
    def head(self) -> str:
        return self.commits[-1][0]

    def at(self, revision: str) -> tuple[str, dict[str, Blob]] | None:
        if revision == "main":
            return self.commits[-1]
        return next((commit for commit in self.commits if commit[0] == revision), None)
