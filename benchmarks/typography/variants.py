"""The same words in other typography: quotes, dashes, ligatures, spaces and the like."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_LIGATURES = {"ffi": "\ufb03", "ffl": "\ufb04", "ff": "\ufb00", "fi": "\ufb01", "fl": "\ufb02"}  # longest first


def curly_quotes(text: str) -> str:
    """Straight quotes and apostrophes become curly ones."""
    text = re.sub(r'(?<!\S)"|"(?=\w)', "\u201c", text).replace('"', "\u201d")
    return re.sub(r"(?<!\S)'(?=\w)", "\u2018", text).replace("'", "\u2019")


def ligatures(text: str) -> str:
    """Letters such as f and i become one character."""
    for letters, character in _LIGATURES.items():
        text = text.replace(letters, character)
    return text


def soft_hyphens(text: str) -> str:
    """Long words get a soft hyphen, which is invisible within a line."""
    return re.sub(r"[A-Za-z]{8,}", lambda word: f"{word[0][:4]}\u00ad{word[0][4:]}", text)


VARIANTS: dict[str, Callable[[str], str]] = {
    "curly quotes": curly_quotes,
    "dashes": lambda text: text.replace(" - ", " \u2013 "),
    "dashes without spaces": lambda text: text.replace(" - ", "\u2014"),
    "non-breaking hyphens": lambda text: re.sub(r"(?<=\w)-(?=\w)", "\u2011", text),
    "ellipses": lambda text: text.replace("...", "\u2026"),
    "ligatures": ligatures,
    "non-breaking spaces": lambda text: text.replace(" ", "\u00a0"),
    "lines broken": lambda text: re.sub(r"(?<=[.!?]) ", "\n\n", text),
    "spaces doubled": lambda text: text.replace(" ", "  "),
    "soft hyphens": soft_hyphens,
    "accents apart": lambda text: unicodedata.normalize("NFD", text),
}
"""From plain typography (straight quotes, spaced hyphens as dashes) to another one, by name."""
