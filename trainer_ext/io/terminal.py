"""Text on a terminal: printing it, and breaking it into lines by the columns that letters take."""

from __future__ import annotations

import sys
import unicodedata

from quals.words import printable


def say(text: str) -> None:
    """Print; what the terminal's encoding lacks becomes a question mark."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` columns, broken at spaces where there are some; East Asian letters take two."""
    lines, line = [], ""
    for word in printable(text).split(" "):
        candidate = f"{line} {word}" if line else word
        if columns(candidate) <= width:
            line = candidate
            continue
        if line:
            lines.append(line)
        line = ""
        for character in word:
            if columns(line + character) > width:
                lines.append(line)
                line = ""
            line += character
    return [*lines, line]


def columns(text: str) -> int:
    """Columns that ``text`` takes in a terminal."""
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text
    )
