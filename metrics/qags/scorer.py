"""QAGS as a plain class: texts in, scores and the questions behind them out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from quals.batching import LONG_SOURCES
from quals.chunks import score_in_chunks
from quals.inputs import require, whole_number
from quals.loading import DTYPES, embedded_folder, require_loaded_as, usable_device
from quals.pairs import fold

from .answers import answer_spans
from .overlap import squad_words, token_f1
from .pipeline import PIPELINE, load_pipeline
from .questioner import Question, Questioner, load_questioner
from .reader import Reader, Reading, load_reader
from .results import AnsweredQuestion, QAGSResult

VERSION = "2"  # of the computation: changes when scores do
QUESTIONER, READER = "questioner-mini", "reader-mini"  # the embedded pair
LEAST_WORDS = 3  # of a question
_CHUNK = 32  # summaries worked on together


class QAGSScorer:
    """Scores whether questions about a summary get the same answers from its source (Wang, Cho and Lewis 2020).

    Questions are generated for the summary's entities and noun chunks; those stay whose answer a reader finds in the
    summary. It then answers them from the source. The score is the mean token F1 of both answers, from 0 to 1, higher
    is better. Nothing is drawn at random, unlike with the authors.

    Args:
        questioner: folder or Hub name of a question generator; None is the embedded one. A loaded
            :class:`~qags.questioner.Questioner` is used as it is.
        reader: folder or Hub name of an extractive question-answering model; None is the embedded one. A loaded
            :class:`~qags.reader.Reader` is used as it is.
        question_template: how a question generator from elsewhere wants its input, with ``{answer}`` and ``{passage}``.
        pipeline: name of the spaCy pipeline that finds answers, or a loaded one.
        device: ``"cuda"``, ``"mps"``, ``"cpu"``, ...; None takes the first of these that is there.
        dtype: of the computation, e.g. ``"float32"`` (default) or ``"bfloat16"``.
        batch_tokens: most tokens, padding and beams included, in one pass of a model; None is 4,096 on a CPU, else
            32,768.
        max_answers: of a summary.
        beams: questions generated for each answer.
        max_questions: that a summary is scored by, likely ones first.
        long_sources: ``"windows"`` reads all of a long source in overlapping windows, ``"truncate"`` its beginning.

    Raises:
        ValueError: an option is out of range, or a model cannot be used.
    """

    def __init__(
        self,
        questioner: str | Questioner | None = None,
        reader: str | Reader | None = None,
        *,
        question_template: str | None = None,
        pipeline: Any = PIPELINE,
        device: str | None = None,
        dtype: str = "float32",
        batch_tokens: int | None = None,
        max_answers: int = 10,
        beams: int = 10,
        max_questions: int = 20,
        long_sources: str = "windows",
    ) -> None:
        for name, value in (("max_answers", max_answers), ("max_questions", max_questions)):
            whole_number(name, value, 1)
        whole_number("beams", beams, 2)
        whole_number("batch_tokens", 1 if batch_tokens is None else batch_tokens, 1)
        require(long_sources in LONG_SOURCES, f"long_sources is {long_sources!r}: give one of {LONG_SOURCES}.")
        require(dtype in DTYPES, f"dtype is {dtype!r}: give one of {tuple(DTYPES)}.")
        self.pipeline = load_pipeline(pipeline) if isinstance(pipeline, str) else pipeline
        require(
            question_template is None or isinstance(questioner, str),
            "question_template says how a questioner given by its name wants its input: give one, or leave it out.",
        )
        if isinstance(questioner, Questioner):
            require_loaded_as("questioner", questioner.model, device, dtype)
        else:
            name = questioner or _embedded(QUESTIONER)
            questioner = load_questioner(name, question_template, None, usable_device(device), DTYPES[dtype])
        if isinstance(reader, Reader):
            require_loaded_as("reader", reader.model, device, dtype)
        else:
            reader = load_reader(reader or _embedded(READER), None, usable_device(device), DTYPES[dtype])
        self.questioner, self.reader = questioner, reader
        self.dtype = dtype
        self.batch_tokens = batch_tokens or (4096 if reader.model.device.type == "cpu" else 32768)
        self.max_answers, self.beams, self.max_questions = max_answers, beams, max_questions
        self.long_sources = long_sources

    @property
    def signature(self) -> str:
        """Hash over models, settings and version: scores with one signature are comparable."""
        meta = self.pipeline.meta
        settings = {
            "questioner": [self.questioner.fingerprint, self.questioner.max_tokens],
            "reader": [self.reader.fingerprint, self.reader.max_tokens],
            "pipeline": [meta.get("lang"), meta.get("name"), meta.get("version")],
            "max_answers": self.max_answers,
            "beams": self.beams,
            "max_questions": self.max_questions,
            "long_sources": self.long_sources,
            "dtype": self.dtype,
        }
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
        return f"qags-v{VERSION}-{digest[:12]}"

    def score(
        self, sources: Iterable[str], summaries: Iterable[str], *, progress: bool | None = None
    ) -> list[QAGSResult]:
        """Score every summary against the source at the same place.

        Args:
            sources, summaries: texts; any iterables of the same length, one text at least.
            progress: show a progress bar; None shows one on a terminal.

        Raises:
            ValueError: something is no text, there are none, or more of one than of the other.
        """
        return list(score_in_chunks(sources, summaries, self._score_chunk, size=_CHUNK, name="QAGS", progress=progress))

    def _score_chunk(self, chunk: list[tuple[str, str]], bar: Any) -> list[QAGSResult]:
        summaries = list(dict.fromkeys(summary for _, summary in chunk))
        asked = dict(zip(summaries, self.questions(summaries), strict=True))
        rows = [(source, summary) for source, summary in dict.fromkeys(chunk) for _ in asked[summary]]
        questions = [question.text for _, summary in dict.fromkeys(chunk) for question, _ in asked[summary]]
        readings = iter(self._read(questions, [source for source, _ in rows], self.long_sources))
        cut = dict(zip(summaries, self.questioner.truncated(summaries), strict=True))
        found = {
            (source, summary): self._result(asked[summary], list(islice(readings, len(asked[summary]))), cut[summary])
            for source, summary in dict.fromkeys(chunk)
        }
        bar.update(len(chunk))
        return [found[row] for row in chunk]

    def questions(self, summaries: Sequence[str]) -> list[list[tuple[Question, str]]]:
        """Each summary's surviving questions, with what the reader answers from the summary itself."""
        spans = list(answer_spans(summaries, self.pipeline, self.max_answers))
        wanted = [
            (summary, summary[start:end]) for summary, mine in zip(summaries, spans, strict=True) for start, end in mine
        ]
        can_answer = self.reader.can_answer([answer for _, answer in wanted])
        wanted = [row for row, can in zip(wanted, can_answer, strict=True) if can]
        asked = self.questioner.ask(
            [summary for summary, _ in wanted],
            [answer for _, answer in wanted],
            beams=self.beams,
            batch_tokens=self.batch_tokens,
        )
        rows = [
            (summary, answer, question)
            for (summary, answer), questions in zip(wanted, asked, strict=True)
            for question in questions
            if len(question.text.split()) >= LEAST_WORDS
        ]
        read = self._read([question.text for *_, question in rows], [summary for summary, *_ in rows], "windows")
        kept: dict[str, list[tuple[Question, str]]] = {summary: [] for summary in summaries}
        for (summary, answer, question), reading in zip(rows, read, strict=True):
            if reading.answer and squad_words(reading.answer) == squad_words(answer):
                kept[summary].append((question, reading.answer))
        return [self.likeliest(kept[summary]) for summary in summaries]

    def likeliest(self, questions: Sequence[tuple[Question, str]]) -> list[tuple[Question, str]]:
        """Those of them that a summary is scored by: different questions, likely ones first."""
        found: dict[tuple[str, ...], tuple[Question, str]] = {}
        for question, answer in sorted(questions, key=lambda one: -one[0].log_likelihood):  # stable
            found.setdefault(tuple(word.folded for word in fold(question.text)), (question, answer))
        return list(found.values())[: self.max_questions]

    def _read(self, questions: Sequence[str], texts: Sequence[str], long_texts: str) -> list[Reading]:
        return self.reader.read(questions, texts, long_texts=long_texts, batch_tokens=self.batch_tokens)

    @staticmethod
    def _result(asked: Sequence[tuple[Question, str]], readings: Sequence[Reading], cut: bool) -> QAGSResult:
        answered = tuple(
            AnsweredQuestion(
                question=question.text,
                log_likelihood=question.log_likelihood,
                answer=answer,
                source_answer=reading.answer,
                score=token_f1(reading.answer, answer),
            )
            for (question, answer), reading in zip(asked, readings, strict=True)
        )
        windows = max((reading.windows for reading in readings), default=1)
        return QAGSResult.of(answered, windows, any(reading.truncated for reading in readings), cut)


def _embedded(name: str) -> str:
    found = embedded_folder(__file__, "qags", name)
    if found is None:
        raise ValueError(
            f"There is no {name} in the metric's folder, as a clone of the repository has it: name a questioner and a "
            "reader, folders or models of the Hub, or make them by `quals train-qagen --answer-first` and "
            "`quals train-reader`."
        )
    return str(found)
