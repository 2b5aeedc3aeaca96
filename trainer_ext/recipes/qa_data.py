"""Question-answer data for training a QAGen: read it, and show its passages in the shapes that scoring will meet."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]\u201d\u2019]*\s+(?=[\"'(\[\u201c\u2018]?[A-Z0-9])")
_HALF = re.compile("[\ud800-\udfff]")  # what JSON's escapes can say and is no character


@dataclass(frozen=True)
class QAPair:
    """One question about a passage, with every answer its annotators gave.

    Attributes:
        question: the question's text.
        answers: the accepted answers; none where the passage does not answer it.
        start: character offset of ``answers[0]`` in the passage; None where it does not occur there.
    """

    question: str
    answers: tuple[str, ...]
    start: int | None


@dataclass(frozen=True)
class Passage:
    """A text and its question-answer pairs; passages of one ``title`` that follow each other are one article."""

    text: str
    pairs: tuple[QAPair, ...]
    title: str = ""


@dataclass(frozen=True)
class Example:
    """One passage as the model sees it, with (question, answer) targets."""

    text: str
    targets: tuple[tuple[str, str], ...]


def read_passages(
    source: str, where: Mapping[str, str] | None = None, split: str = "train", unanswerable: bool = False
) -> list[Passage]:
    """Read question-answer data from a local file, or from a data set that the ``datasets`` library knows.

    A file is SQuAD's nested JSON, or JSON lines. A row holds ``context`` and either ``qas`` (a list of ``question``
    with ``answers``) or ``question`` with ``answers`` or ``answer``. Answers may be strings, objects with ``text`` and
    ``answer_start``, or SQuAD's ``{"text": [...], "answer_start": [...]}``. Rows that share a context become one
    passage. ``title`` (or ``story``) marks neighbours of one article.

    Args:
        source: a path, or the name of a data set.
        where: keep rows whose fields have these values, for example ``{"type": "explicit"}``.
        split: which split of a named data set; a file has only one.
        unanswerable: keep questions that the passage does not answer; else they are left out.

    Raises:
        FileNotFoundError: neither a file nor a data set that can be loaded.
        ValueError: a row lacks a field, or nothing is left to train on.
    """
    rows = _file_rows(Path(source)) if Path(source).is_file() else _dataset_rows(source, split)
    passages: dict[tuple[str, str], list[QAPair]] = {}
    for number, row in enumerate(rows, start=1):
        if where and any(str(row.get(name)) != value for name, value in where.items()):
            continue
        try:
            context = _text(row, "context")
            found = (_pair(qa, context) for qa in row.get("qas", [row]))
            pairs = [pair for pair in found if pair is not None and (pair.answers or unanswerable)]
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{source}, row {number}: no usable {error}. A row needs 'context' and either 'qas' or "
                "'question' with 'answers' (SQuAD's format, or JSON lines)."
            ) from error
        title = str(row.get("title") or row.get("story") or "")
        passages.setdefault((title, context), []).extend(pairs)
    kept = [Passage(context, tuple(pairs), title) for (title, context), pairs in passages.items() if pairs]
    if not kept:
        raise ValueError(f"{source} holds no answerable question{' where ' + str(dict(where)) if where else ''}.")
    return kept


def _file_rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text ({error.reason} at byte {error.start}): convert it.") from error
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        whole = None
    if isinstance(whole, dict) and "data" in whole:  # SQuAD's nested form
        try:
            rows = [
                {"title": article.get("title", ""), **paragraph}
                for article in whole["data"]
                for paragraph in article["paragraphs"]
            ]
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{path} has 'data' as SQuAD does, but not articles with 'paragraphs' in it: give SQuAD JSON or JSON "
                "lines."
            ) from error
        yield from rows
        return
    for number, line in enumerate(text.split("\n"), start=1):  # splitlines() would split inside of JSON strings
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number} is not JSON: {error}. Give SQuAD JSON or JSON lines.") from error
        if not isinstance(row, dict):
            raise ValueError(f"{path}, line {number} is not a JSON object. Give SQuAD JSON or JSON lines.")
        yield row


def _dataset_rows(name: str, split: str) -> Iterable[dict[str, Any]]:
    from datasets import load_dataset

    try:
        return load_dataset(name, split=split)
    except Exception as error:
        raise FileNotFoundError(
            f"{name!r} is no file, and no data set of that name could be loaded ({error}). Check the path or the name."
        ) from error


def _pair(qa: Mapping[str, Any], context: str) -> QAPair | None:
    if qa.get("is_impossible"):
        return QAPair(_text(qa, "question").strip(), (), None)
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
        _text(answer, "text") if isinstance(answer, Mapping) else _whole(str(answer), "answers") for answer in answers
    ]
    texts = [text.strip() for text in texts if text.strip()]
    question = _text(qa, "question").strip()
    if not question:
        return None
    if not texts:
        return QAPair(question, (), None)
    if start is None or context[start : start + len(texts[0])] != texts[0]:
        found = context.find(texts[0])
        start = found if found >= 0 else None
    return QAPair(question, tuple(dict.fromkeys(texts)), start)


def _text(row: Mapping[str, Any], field: str) -> str:
    if not isinstance(row[field], str):
        raise TypeError(f"{field!r}, which is {type(row[field]).__name__} and not text")
    return _whole(row[field], field)


def _whole(text: str, field: str) -> str:
    if _HALF.search(text):
        raise TypeError(f"{field!r}, which holds half a surrogate pair")  # tokenizers refuse it, after hours perhaps
    return text


def _list(row: Mapping[str, Any], field: str) -> list[Any]:
    # A string would be read letter by letter.
    if isinstance(row[field], str) or not isinstance(row[field], Sequence):
        raise TypeError(f"{field!r}, which is {type(row[field]).__name__} and not a list")
    return list(row[field])


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Character spans of the sentences of ``text``, in order, by punctuation and capitals."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    return list(zip([0, *ends], [*ends, len(text)], strict=True))


def make_examples(
    passages: Sequence[Passage],
    lengths: Sequence[int],
    rng: random.Random,
    max_tokens: int = 512,
    sentence_share: float = 0.4,
    document_share: float = 0.08,
    max_pairs: int = 18,
) -> Iterator[Example]:
    """One pass over the data: every passage once, as its sentences, as it is, or inside its article.

    Scoring meets single summary sentences, paragraphs, and whole documents in which one paragraph holds the answer; a
    model that has only seen paragraphs is no fair judge of the other two.

    Args:
        passages: neighbours with the same title are taken for parts of one article.
        lengths: tokens of each passage.
        rng: draws shapes, pairs and answers; the same generator state gives the same examples.
        max_tokens: longest document to build.
        sentence_share: chance that a passage is shown as its single sentences.
        document_share: chance that it is shown with its neighbours.
        max_pairs: at most so many pairs of a passage in one pass, drawn anew in each.
    """
    for index, passage in enumerate(passages):
        pairs = list(passage.pairs)
        if len(pairs) > max_pairs:
            pairs = rng.sample(pairs, max_pairs)
        shape = rng.random()
        if shape < sentence_share:
            yield from _sentences(passage, pairs, rng)
        else:
            text = passage.text
            if shape < sentence_share + document_share:
                text = _article(passages, lengths, index, rng.randint(max_tokens // 3, max_tokens))
            yield Example(text, tuple((pair.question, rng.choice(pair.answers)) for pair in pairs))


def _sentences(passage: Passage, pairs: list[QAPair], rng: random.Random) -> Iterator[Example]:
    spans = split_sentences(passage.text)
    by_span: dict[tuple[int, int], list[tuple[str, str]]] = {}
    for pair in pairs:
        length = len(pair.answers[0])
        holder = next(
            ((a, b) for a, b in spans if pair.start is not None and a <= pair.start and pair.start + length <= b),
            (0, len(passage.text)),
        )
        inside = [answer for answer in pair.answers if answer in passage.text[slice(*holder)]]
        by_span.setdefault(holder, []).append((pair.question, rng.choice(inside or list(pair.answers))))
    for (a, b), targets in by_span.items():
        yield Example(passage.text[a:b].strip(), tuple(targets))


def _article(passages: Sequence[Passage], lengths: Sequence[int], index: int, budget: int) -> str:
    """The passage with as many neighbours of its article as ``budget`` tokens hold, taken in turn from both sides."""
    first = last = index
    used = lengths[index]
    title = passages[index].title
    grew = bool(title)
    while grew:
        grew = False
        for candidate in (last + 1, first - 1):
            fits = 0 <= candidate < len(passages) and passages[candidate].title == title
            if fits and used + lengths[candidate] <= budget:
                used += lengths[candidate]
                first, last = min(first, candidate), max(last, candidate)
                grew = True
    return "\n".join(passage.text for passage in passages[first : last + 1])
