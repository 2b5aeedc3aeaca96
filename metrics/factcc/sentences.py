"""Sentences of a summary, by rules for English punctuation; neither a model nor a library is needed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# These stand before a name or a number, and end no sentence.
_TITLES = _words(
    "mr mrs ms messrs mme mlle dr prof rev hon fr capt lt col gen maj sgt cpl cmdr adm brig pvt gov sen rep pres supt "
    "insp det amb mt ft vs v cf e.g i.e approx"
)
_NUMBERED = _words(
    "no nos p pp ch fig figs vol vols sec art jan feb mar apr jun jul aug sep sept oct nov dec"
)  # nor do these before a number
# These end a sentence if the next word begins one.
_SHORT = _words(
    "inc co corp ltd plc bros jr sr st ave rd blvd etc al dept univ assn est hrs hr mins mi oz lb lbs mon tue tues wed "
    "thu thur thurs fri sat sun ala ariz ark calif colo conn del fla ga ill ind kan ky la md mass mich minn miss mo "
    "mont neb nev okla ore pa tenn tex va vt wash wis wyo ph.d jan feb mar apr jun jul aug sep sept oct nov dec"
)
# In lower case these are words of their own.
_COMMON = _words("col gen rep det hon adm sun sat mon wed mar la miss mass mo ill ind del pa md ore wash kan")
# Words that begin sentences far more often than they begin names.
_OPENERS = _words(
    "the a an this that these those he she it we they i you his her its our their my your there here who what when "
    "where why how in on at by for from with after before during despite until while but and or so then now however if "
    "as although since because meanwhile also still yet once nobody none others other another many most some all "
    "both each several people police officials not previously prior"
)
# What may follow "7 p.m." in its sentence, though it has a capital.
_TIMES = re.compile(
    r"(mon|tues|wednes|thurs|fri|satur|sun)day|january|february|march|april|may|june|july|august|september|october|"
    r"november|december|[a-z]{1,3}t|gmt|utc|eastern|pacific|central|local"
)
_OPENING, _CLOSING = "\"'`([{\u201c\u2018", "\"'`)]}\u201d\u2019"
_STOPS = ".!?\u2026\u061f\u06d4\u0964\u0965"
# Without a space between: "It ended 3-0.The coach", and scripts that have none.
_GLUED = re.compile(rf"(?<=[a-z0-9)\"'][.!?])(?=({'|'.join(sorted(map(str.capitalize, _OPENERS)))})\b)")
_WIDE = re.compile("[\u3002\uff01\uff1f\uff61]+[\u300d\u300f\u201d\u2019)]*")


def sentence_spans(texts: Iterable[str]) -> list[list[tuple[int, int]]]:
    """Character spans of each text's sentences, without white space around; a sentence has a letter or digit.

    A full stop ends no sentence after a title ("Capt. Miller"), an initial, or in "No. 1"; after what may stand at an
    end ("p.m.", "Inc.", "U.S."), it does if the next word begins sentences. In doubt two sentences stay together,
    because a part of a sentence states nothing. A line's end counts as a full stop, unless the next line goes on in
    lower case.

    Example:
        >>> sentence_spans(["Capt. Fox left at 7 p.m. Why?"])
        [[(0, 24), (25, 29)]]
    """
    return [_spans(text) for text in texts]


def _spans(text: str) -> list[tuple[int, int]]:
    ends = {0, len(text)}
    ends.update(match.start() for match in _GLUED.finditer(text))
    ends.update(match.end() for match in _WIDE.finditer(text))
    cased = any(map(str.isupper, text))
    begins = True
    for token, following in pairwise(re.finditer(r"\S+", text)):
        breaks = text.count("\n", token.end(), following.start())
        goes_on = cased and _bare(following[0])[:1].islower()
        if breaks > 1 or (breaks and not goes_on) or _ends(token[0], following[0], goes_on, begins):
            ends.add(token.end())
        begins = token.end() in ends
    spans = []
    for first, last in pairwise(sorted(ends)):
        sentence = text[first:last].strip()
        if any(map(str.isalnum, sentence)):
            start = first + text[first:last].index(sentence)
            spans.append((start, start + len(sentence)))
    return spans


def _bare(token: str) -> str:
    return token.lstrip(_OPENING)


def _ends(token: str, following: str, goes_on: bool, begins: bool) -> bool:
    """Whether a sentence ends with this token.

    Args:
        token, following: neighbours, without white space.
        goes_on: whether the following one is in lower case, in a text that is not.
        begins: whether the token begins a sentence.
    """
    body = _bare(token.rstrip(_CLOSING))
    word = body.rstrip(_STOPS)
    marks = body[len(word) :]
    if not marks:
        return False
    after = _bare(following).rstrip(_CLOSING + ".,;:!?\u2026")
    opener = (
        after[:1].isupper()
        and after.casefold().split("'")[0].split("\u2019")[0] in _OPENERS
        and not _is_initial(following)
    )
    if marks != "." or token[-1] in _CLOSING:
        pause = not word and marks.startswith(("..", "\u2026"))  # "He ... left."
        return not goes_on and (not pause or (opener and after != "I"))
    folded = word.casefold()
    if folded in _COMMON and word.islower():
        return True
    if folded in _TITLES:
        return word.islower() and opener
    if begins and re.fullmatch(r"\(?\d{1,2}|[A-Za-z]", word):  # "1. Milk"
        return False
    if folded in _NUMBERED and after[:1].isdigit():
        return False
    if folded in ("a.m", "p.m"):
        return after[:1].isupper() and not _TIMES.fullmatch(after.casefold())
    if _is_initial(body) or (folded in _SHORT and word != "Al"):
        return opener
    return True


def _is_initial(token: str) -> bool:
    return re.fullmatch(r"(?:[^\W\d_]\.-?)+", token) is not None
