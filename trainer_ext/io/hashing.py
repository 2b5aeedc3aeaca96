"""Hashes of settings and of what work was made from."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def hash_json(**parts: Any) -> str:
    """64 hexadecimal digits over named parts, each of plain JSON values; the order of the names does not matter."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=plain).encode()).hexdigest()


def checksum(value: Any) -> str:
    """64 hexadecimal digits over a plain JSON value, in which the order of names matters: to see what was altered."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def text_hash(text: str) -> str:
    """64 hexadecimal digits over a text, of whatever characters."""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def plain(value: Any) -> Any:
    """Sets in order, for JSON; what else JSON does not know, as its text."""
    return sorted(map(str, value)) if isinstance(value, (set, frozenset)) else str(value)
