"""One typography for all texts, so that the same words score the same however they were typeset.

Quotes, apostrophes, dashes, hyphens, ellipses and spaces become those that a keyboard writes. What is invisible goes,
ligatures and full-width letters become plain letters, and accents join their letters. ASCII stays as it is.

It is less than Unicode's NFKC, which makes "x2" of "x\u00b2" and "11/2" of "1\u00bd": only what says nothing changes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

TYPOGRAPHY = 1  # of the rules below: part of every signature, so it changes when they do

_SPACES = " \u00a0\u2000-\u200a\u202f\u205f\u3000"
# Soft hyphen, word joiner, byte order mark, marks of direction, and the choice of an emoji's look.
_INVISIBLE = "\u00ad\u061c\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufe0e\ufe0f\ufeff"
# Signs of width 0 that tell words apart in Persian, Hindi or Khmer, and join emoji. Elsewhere they say nothing.
_JOINERS = "\u200b-\u200d"
_JOINED = "\u0620-\u1dff\u2600-\u27bf\u2c80-\u2fff\u3001-\ufaff\U00010000-\U0010ffff"
# Dashes between parts of a sentence, which are written with spaces around them and without.
_DASHES = "\u2014\u2015\u2e3a\u2e3b\ufe58"
_SIGNS = {
    # Quotes of all languages, primes, accents alone, and the letters that Ukrainian and Hawaiian write so.
    "'": "\u2018\u2019\u201a\u201b\u2032\u2039\u203a\u00b4\u1ffd\u02bb\u02bc\u05f3\uff07",
    '"': "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb\u05f4\uff02",
    # Hyphens, the dash of ranges, the minus sign.
    "-": "\u2010\u2011\u2012\u2013\u2212\u05be\ufe63\uff0d",
    "...": "\u2026",
    "\n": "\u0085\u2028\u2029",
}
_FORMS = (
    "\ufb00-\ufb06\ufb13-\ufb17\u0132\u0133\u01c4-\u01cc\u01f1-\u01f3\u017f"  # ligatures, digraphs, long s
    "\ufb50-\ufbb1\ufbd3-\ufbff\ufe80-\ufefc"  # Arabic letters as they look at a place in a word
    "\uff10-\uff19\uff21-\uff3a\uff41-\uff5a"  # full-width letters and digits
)

_AROUND = _SPACES + _INVISIBLE + _JOINERS
_PATTERN = re.compile(
    # A run of spaces is looked through from its beginning alone, or many spaces would take very long.
    f"(?P<dash>(?:(?<![{_AROUND}])[{_AROUND}]+)?[{_DASHES}][{_AROUND}{_DASHES}]*)"
    f"|(?P<space>[{_SPACES[1:]}])"
    f"|(?P<nothing>[{_INVISIBLE}]|(?<![{_JOINED}])[{_JOINERS}](?![{_JOINED}]))"
    f"|(?P<sign>[{''.join(_SIGNS.values())}])"
    f"|(?P<form>[{_FORMS}])"
)
_SIGN = {sign: plain_sign for plain_sign, signs in _SIGNS.items() for sign in signs}
_Edit = tuple[int, int, str]  # text[start:end] becomes the string


def plain(text: str) -> str:
    """The text in plain typography; an ASCII text as it is.

    Example:
        >>> plain("\\u201cIt\\u2019s o\\ufb03cial\\u201d\\u2014the one\\u2011way street\\u2026")
        '"It\\'s official" - the one-way street...'
        >>> plain("x\\u00b2 \\u2260 \\u00bd")
        'x² ≠ ½'
    """
    if text.isascii():
        return text
    for edits in _STEPS:
        text = "".join(_rewritten(text, edits(text)))
    return text


def given_span(text: str) -> Callable[[int, int], tuple[int, int]]:
    """From where something stands in ``plain(text)`` to where it stands in ``text``.

    Returns:
        A function of the first character and the one after the last, neither the same, which returns both in ``text``.

    Example:
        >>> text = "the o\\ufb03ce\\u2014closed"
        >>> start = plain(text).index("closed")
        >>> first, last = given_span(text)(start, start + len("closed"))
        >>> text[first:last]
        'closed'
    """
    if plain(text) == text:
        return lambda start, end: (start, end)
    spans = [(place, place + 1) for place in range(len(text))]  # of each character of the text so far
    for edits in _STEPS:
        rewritten: list[tuple[int, int]] = []
        end = 0
        for start, stop, new in edits(text):
            rewritten += [*spans[end:start], *[(spans[start][0], spans[stop - 1][1])] * len(new)]
            end = stop
        text, spans = "".join(_rewritten(text, edits(text))), rewritten + spans[end:]
    return lambda start, end: (spans[start][0], spans[end - 1][1])


def _rewritten(text: str, edits: Iterator[_Edit]) -> Iterator[str]:
    end = 0
    for start, stop, new in edits:
        yield text[end:start]
        yield new
        end = stop
    yield text[end:]


def _signs(text: str) -> Iterator[_Edit]:
    for match in _PATTERN.finditer(text):
        start, end = match.span()
        kind = match.lastgroup
        if kind == "dash":
            before = "" if start == 0 or text[start - 1].isspace() else " "  # at the beginning of a line
            after = "" if end == len(text) or text[end].isspace() else " "
            new = f"{before}-{after}"
        elif kind == "sign":
            new = _SIGN[match[0]]
        elif kind == "form":
            new = unicodedata.normalize("NFKC", match[0])
        else:
            new = " " if kind == "space" else ""
        yield start, end, new


def _accents(text: str) -> Iterator[_Edit]:
    """NFC, letter by letter: each with the accents, or the Korean vowel and final, that follow it."""
    if unicodedata.is_normalized("NFC", text):
        return
    start = 0
    for end in range(1, len(text) + 1):
        if end < len(text) and (unicodedata.category(text[end])[0] == "M" or "\u1160" <= text[end] <= "\u11ff"):
            continue
        if (composed := unicodedata.normalize("NFC", text[start:end])) != text[start:end]:
            yield start, end, composed
        start = end


_STEPS: tuple[Callable[[str], Iterator[_Edit]], ...] = (_signs, _accents)
