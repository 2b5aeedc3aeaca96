"""QAGS as a plain class: texts in, scores and the questions behind them out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import Any

import torch
from quals.errors import CheckpointError, OptionError
from quals.inputs import whole_number
from quals.loading import embedded_folder
from quals.pairs import fold
from quals.source_scorer import SourceScorer
from transformers import PreTrainedTokenizerBase

from .answers import answer_spans, squad_words, token_f1
from .pipeline import PIPELINE, load_pipeline
from .questioner import Question, Questioner, load_questioner
from .reader import Reader, Reading, load_reader
from .results import AnsweredQuestion, QAGSResult

QUESTIONER, READER = "questioner-mini", "reader-mini"  # the embedded pair
LEAST_WORDS = 3  # of a question


class QAGSScorer(SourceScorer[QAGSResult]):
    """Scores whether questions about a summary get the same answers from its source (Wang, Cho and Lewis 2020).

    Questions are generated for the summary's entities and noun chunks; those stay whose answer a reader finds in the
    summary. It then answers them from the source. The score is the mean token F1 of both answers, from 0 to 1, higher
    is better. Nothing is drawn at random, other than in the authors' version.

    Args:
        questioner: folder or Hub name of a question generator; None is the embedded one. A loaded
            :class:`~qags.questioner.Questioner` is used as it is.
        reader: folder or Hub name of an extractive question-answering model; None is the embedded one. A loaded
            :class:`~qags.reader.Reader` is used as it is.
        revision, reader_revision: branch, tag or commit of the questioner and of the reader on the Hub.
        question_template: how a question generator from elsewhere wants its input, with ``{answer}`` and ``{passage}``.
        pipeline: name of the spaCy pipeline that finds answers, or a loaded one.
        device: ``"cuda"``, ``"mps"``, ``"cpu"``, ...; None takes the first of these that is there.
        dtype: dtype of the computation, ``"float32"`` or ``"bfloat16"`` for example, or torch's own of that name.
        batch_tokens: most tokens, padding and beams included, in one pass of a model; None is 4,096 on a CPU, else
            32,768.
        chunk: number of summaries that are read, scored and given out together.
        processes: number of processes that score on a CPU, a chunk each at a time; 1 is this process alone. See
            :meth:`~quals.source_scorer.SourceScorer.score`.
        max_answers: most answers of a summary that are asked for.
        beams: questions generated per answer.
        max_questions: most questions that a summary is scored by, likely ones first.
        long_sources: ``"windows"`` reads all of a long source in overlapping windows, ``"truncate"`` its beginning.

    Raises:
        OptionError: an option is out of range.
        CheckpointError: a model cannot be loaded, or is not what it should be.
        MissingExtraError: spaCy is not installed.

    Example:
        >>> import spacy
        >>> names = spacy.blank("en")  # rules for the example; leave pipeline out for a trained one
        >>> names.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": "Helen Marsh"}])
        >>> source = "The old bridge closes on Monday. Helen Marsh runs the bakery beside the bridge."
        >>> result, = QAGSScorer(pipeline=names).score([source], ["Helen Marsh runs the bakery."])
        >>> result.questions[0].source_answer, result.score
        ('Helen Marsh', 1.0)
    """

    NAME = "QAGS"
    VERSION = "4"
    CHUNK = 32

    def __init__(
        self,
        questioner: str | Questioner | None = None,
        reader: str | Reader | None = None,
        *,
        revision: str | None = None,
        reader_revision: str | None = None,
        question_template: str | None = None,
        pipeline: Any = PIPELINE,
        device: str | None = None,
        dtype: str | torch.dtype = "float32",
        batch_tokens: int | None = None,
        chunk: int | None = None,
        processes: int = 1,
        max_answers: int = 10,
        beams: int = 10,
        max_questions: int = 20,
        long_sources: str = "windows",
    ) -> None:
        super().__init__(
            device=device,
            dtype=dtype,
            batch_tokens=batch_tokens,
            long_sources=long_sources,
            chunk=chunk,
            processes=processes,
        )
        whole_number("max_answers", max_answers, 1)
        whole_number("max_questions", max_questions, 1)
        whole_number("beams", beams, 2)
        self.pipeline = load_pipeline(pipeline) if isinstance(pipeline, str) else pipeline
        if question_template is not None and not isinstance(questioner, str):
            raise OptionError(
                "question_template says how a questioner that is given by its name wants its input: give a name, or "
                "leave the template out."
            )
        self.questioner = self._loaded(
            questioner or _embedded(QUESTIONER),
            Questioner,
            partial(load_questioner, template=question_template, revision=revision),
        )
        self.reader = self._loaded(reader or _embedded(READER), Reader, partial(load_reader, revision=reader_revision))
        self.max_answers, self.beams, self.max_questions = max_answers, beams, max_questions

    @property
    def models(self) -> dict[str, Any]:
        """The loaded question generator, reader and pipeline."""
        return {"questioner": self.questioner, "reader": self.reader, "pipeline": self.pipeline}

    @property
    def tokenizers(self) -> Sequence[PreTrainedTokenizerBase]:
        """Those of question generator and reader."""
        return (self.questioner.tokenizer, self.reader.tokenizer)

    @property
    def settings(self) -> dict[str, Any]:
        """All that changes scores, as values for JSON: models and tokenizers by a hash, and the options."""
        meta = self.pipeline.meta
        return {
            **super().settings,
            "questioner": [self.questioner.fingerprint, self.questioner.max_tokens],
            "reader": [self.reader.fingerprint, self.reader.max_tokens],
            "pipeline": [meta.get("lang"), meta.get("name"), meta.get("version")],
            "max_answers": self.max_answers,
            "beams": self.beams,
            "max_questions": self.max_questions,
        }

    def _score_chunk(self, rows: list[tuple[str, str]], advance: Callable[[int], Any]) -> list[QAGSResult]:
        summaries = list(dict.fromkeys(summary for _, summary in rows))
        asked = dict(zip(summaries, self.questions(summaries), strict=True))
        questions = [question.text for _, summary in rows for question, _ in asked[summary]]
        sources = [source for source, summary in rows for _ in asked[summary]]
        readings = iter(self._read(questions, sources, self.long_sources))
        truncated = dict(zip(summaries, self.questioner.truncated(summaries), strict=True))
        return [
            self._result(asked[summary], list(islice(readings, len(asked[summary]))), truncated[summary])
            for _, summary in rows
        ]

    def questions(self, summaries: Sequence[str]) -> list[list[tuple[Question, str]]]:
        """Each summary's surviving questions, with what the reader answers from the summary itself."""
        spans = answer_spans(summaries, self.pipeline, self.max_answers)
        wanted = [
            (summary, summary[start:end])
            for summary, answers in zip(summaries, spans, strict=True)
            for start, end in answers
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
        """The questions that a summary is scored by: different ones, likely ones first."""
        different: dict[tuple[str, ...], tuple[Question, str]] = {}
        for question, answer in sorted(questions, key=lambda row: -row[0].log_likelihood):  # stable
            different.setdefault(tuple(word.folded for word in fold(question.text)), (question, answer))
        return list(different.values())[: self.max_questions]

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
    folder = embedded_folder(__file__, "qags", name)
    if folder is None:
        raise CheckpointError(
            f"There is no {name} in the metric's folder: a clone of the repository has it, an installed package lacks "
            "it. Name a questioner and a reader (folders or models of the Hub), or train them with `quals train qagen "
            "--answer-first` and `quals train reader`."
        )
    return str(folder)
