"""Question-answer data in the forms that public data sets have, read into passages with their pairs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quals.errors import DataError
from quals.inputs import check_characters
from quals.rows import read_rows
from quals.typography import plain


@dataclass(frozen=True)
class QAPair:
    """One question about a passage, with every answer that its annotators gave.

    Attributes:
        question: the question's text.
        answers: the accepted answers; empty if the passage does not answer the question.
        start: character offset of ``answers[0]`` in the passage; None where it does not occur there.
    """

    question: str
    answers: tuple[str, ...]
    start: int | None


@dataclass(frozen=True)
class Passage:
    """A text and its question-answer pairs; passages of one ``title`` that follow each other are one article.

    All are in plain typography, as the metrics read texts.
    """

    text: str
    pairs: tuple[QAPair, ...]
    title: str = ""


def read_passages(name: str, split: str = "train", unanswerable: bool = False) -> list[Passage]:
    """Read question-answer data from a local file, or from a data set that the ``datasets`` library knows.

    A file is SQuAD's nested JSON, or rows (:func:`quals.rows.read_rows`), such as JSON lines. A row holds ``context``
    and either ``qas`` (a list of ``question`` with ``answers``) or ``question`` with ``answers`` or ``answer``. Answers
    may be strings, objects with ``text`` and ``answer_start``, or SQuAD's ``{"text": [...], "answer_start": [...]}``.
    Rows that share a context become one passage. ``title`` (or ``story``) marks neighbours of one article.

    Args:
        name: a path, or the name of a data set; ``?FIELD=VALUE&FIELD=VALUE`` behind it keeps the rows whose fields
            have these values, for example ``train.jsonl?type=explicit``.
        split: which split of a named data set; a file has only one.
        unanswerable: whether to keep questions that the passage does not answer.

    Raises:
        DataError: there is no such file or data set, a row lacks a field, or no question is left.
    """
    source, where = _parsed(name)
    rows = _file_rows(Path(source)) if Path(source).is_file() else _dataset_rows(source, split)
    passages: dict[tuple[str, str], list[QAPair]] = {}
    for number, row in enumerate(rows, start=1):
        if any(str(row.get(field)) != value for field, value in where.items()):
            continue
        try:
            context = _text(row, "context")
            read = (_pair(qa, context) for qa in row.get("qas", [row]))
            pairs = [pair for pair in read if pair is not None and (pair.answers or unanswerable)]
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{source}, row {number}: no usable {error}. A row needs 'context' and either 'qas' or "
                "'question' with 'answers' (SQuAD's format, or JSON lines)."
            ) from error
        except ValueError as error:
            raise DataError(f"{source}, row {number}: {error}") from error
        title = str(row.get("title") or row.get("story") or "")
        passages.setdefault((title, plain(context)), []).extend(pairs)
    kept = [Passage(context, tuple(pairs), title) for (title, context), pairs in passages.items() if pairs]
    if not kept:
        raise DataError(f"{name} has no answerable question.")
    return kept


def _parsed(name: str) -> tuple[str, dict[str, str]]:
    """A file or data set, and the values that its rows must have.

    Raises:
        DataError: a condition is malformed.
    """
    source, _, condition = name.partition("?")
    parts = [part.partition("=") for part in condition.split("&")] if condition else []
    if any(not equals for _, equals, _ in parts):
        raise DataError(f"{name!r}: the condition {condition!r} does not have the form FIELD=VALUE: give it one.")
    return source, {field: value for field, _, value in parts}


def _file_rows(path: Path) -> list[dict[str, Any]]:
    articles = None
    with suppress(ValueError, RecursionError, TypeError, LookupError):  # rows, and not SQuAD's nested form
        articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    if articles is None:
        return read_rows(path)
    try:
        return [{"title": article.get("title", ""), **part} for article in articles for part in article["paragraphs"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} has 'data' as SQuAD does, but not articles with 'paragraphs'. Give SQuAD JSON or JSON lines."
        ) from error


def _dataset_rows(name: str, split: str) -> Iterable[dict[str, Any]]:
    from datasets import load_dataset

    try:
        return load_dataset(name, split=split)
    except Exception as error:  # whatever a loader raises
        raise DataError(
            f"{name!r} is not a file, and no data set of that name could be loaded ({error}): check the path or name."
        ) from error


def _pair(qa: Mapping[str, Any], context: str) -> QAPair | None:
    if qa.get("is_impossible"):
        return QAPair(plain(_text(qa, "question")).strip(), (), None)
    answers = qa["answers"] if "answers" in qa else [_text(qa, "answer")]
    start: int | None = None
    if isinstance(answers, Mapping):  # SQuAD as the datasets library stores it
        start = next(iter(answers.get("answer_start") or []), None)
        answers = [{"text": text} for text in _list(answers, "text")]
    else:
        answers = _list(qa, "answers") if "answers" in qa else answers
        if answers and isinstance(answers[0], Mapping):
            start = answers[0].get("answer_start")
    texts = [
        _text(answer, "text") if isinstance(answer, Mapping) else _checked(str(answer), "answers") for answer in answers
    ]
    texts = [text.strip() for text in texts if text.strip()]
    question = plain(_text(qa, "question")).strip()
    if not question:
        return None
    if not texts:
        return QAPair(question, (), None)
    if start is None or context[start : start + len(texts[0])] != texts[0]:
        start = context.find(texts[0])
    texts = list(map(plain, texts))
    return QAPair(question, tuple(dict.fromkeys(texts)), _plain_start(context, texts[0], start))


def _plain_start(context: str, answer: str, start: int) -> int | None:
    """Where the answer that stands at ``start`` of the context (-1: nowhere) stands in the plain context."""
    if start < 0:
        return None
    places = [found.start() for found in re.finditer(re.escape(answer), plain(context))]
    before = len(plain(context[:start]))  # near enough: a dash may take spaces with it
    return min(places, key=lambda place: abs(place - before), default=None)


def _text(row: Mapping[str, Any], field: str) -> str:
    if not isinstance(row[field], str):
        raise TypeError(f"{field!r}, which is {type(row[field]).__name__} and not text")
    return _checked(row[field], field)


def _checked(text: str, field: str) -> str:
    check_characters(text, f"{field!r}")  # tokenizers refuse half a surrogate pair, after hours perhaps
    return text


def _list(row: Mapping[str, Any], field: str) -> list[Any]:
    # A string would be read letter by letter.
    if isinstance(row[field], str) or not isinstance(row[field], Sequence):
        raise TypeError(f"{field!r}, which is {type(row[field]).__name__} and not a list")
    return list(row[field])
