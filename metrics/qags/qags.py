"""QAGS as a metric of the evaluate library."""

from __future__ import annotations

from typing import Any

import evaluate
from quals.source_metric import SourceMetric

# evaluate copies those files beside this one that it finds named in lines of this form; it looks no further.
from .answers import answer_spans as answer_spans
from .pipeline import PIPELINE
from .questioner import load_questioner as load_questioner
from .reader import load_reader as load_reader
from .results import AnsweredQuestion
from .scorer import QAGSScorer

_CITATION = """\
@inproceedings{wang-etal-2020-asking,
    title = "Asking and Answering Questions to Evaluate the Factual Consistency of Summaries",
    author = "Wang, Alex and Cho, Kyunghyun and Lewis, Mike",
    booktitle = "Proceedings of the 58th Annual Meeting of the Association for Computational Linguistics",
    year = "2020",
    pages = "5008--5020",
    url = "https://arxiv.org/abs/2004.04228",
}
"""

_DESCRIPTION = """\
QAGS asks whether questions about a summary get the same answers from the text that it summarizes. It needs no reference
summary.

A model asks questions whose answers are names and noun phrases of the summary. A reader answers each from the summary,
to drop bad questions, and from the source. The score is the mean token F1 of the two answers, from 0 to 1 (Wang, Cho
and Lewis 2020). Higher is better. The same texts always get the same score; the authors draw answers at random. Only
scores with the same signature can be compared.
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions (list of str, or list of list of str): a summary for each source, or several candidates for each.
    sources (list of str): the texts that were summarized.
    explain (bool): return the questions and their answers too. Defaults to False.
    reader (str): folder or Hub name of an extractive question-answering model (SQuAD 2.0). Defaults to reader-mini in
        the metric's own folder, which a clone of the repository has.
    question_template (str): how a question generator from elsewhere wants its input, with {answer} and {passage} in it.
    pipeline (str): the spaCy pipeline that finds answers. Defaults to "en_core_web_sm".
    max_answers (int): most answers of a summary that are asked for. Defaults to 10.
    beams (int): questions generated per answer. Defaults to 10.
    max_questions (int): most questions that a summary is scored by, likely ones first. Defaults to 20.
    long_sources (str): "windows" reads all of a long source in overlapping windows; "truncate" its beginning. Defaults
        to "windows".
    batch_tokens (int): most tokens that a model takes in one pass, which bounds memory and changes scores by rounding
        alone. Defaults to 4,096 on a CPU, else 32,768.
    device (str): "cuda", "mps", "cpu", ... By default the models stay where they are; they are first loaded on the
        first of these that is there.
    dtype (str): dtype of the computation: "float32", "bfloat16" or "float16". Defaults to "float32".
    progress (bool): whether to show a progress bar. By default one is shown on a terminal.

The second argument of evaluate.load, config_name, is the question generator: a folder or a model of the Hub. By default
it is questioner-mini in the metric's own folder, which a clone of the repository has.

Returns:
    qags (float): mean of the scores that are not NaN; NaN if all are. From 0 to 1, higher is better.
    scores (list of float): the score of each summary; NaN where no question survives.
    num_questions (list of int): the questions behind each score.
    coverage (float): share of the summaries that have a score, from 0 to 1.
    truncated_sources, windowed_sources (int): sources whose end was not read; sources that were read in windows.
    truncated_summaries (int): summaries whose end the question generator did not read.
    signature (str): hash over models, settings and version.
    questions (list of list of dict): with explain, the questions behind each score: question, answer (of the summary),
        source_answer (empty where the reader finds none), score, and log_likelihood (nats per token, at most 0).
    With several candidates for each source, scores, num_questions and questions have one list more around each
    source's own.

Raises:
    ValueError: a value is not text, a list is empty, lists differ in length, an option is out of range, or a model
        cannot be loaded.

Examples:

    >>> import evaluate
    >>> qags = evaluate.load("./metrics/qags")
    >>> source = "The old bridge closes on Monday. Helen Marsh runs the bakery beside the bridge."
    >>> results = qags.compute(predictions=["Helen Marsh runs the bakery."], sources=[source], explain=True)
    >>> results["qags"] > 0.5
    True
    >>> "Helen Marsh" in {question["source_answer"] for question in results["questions"][0]}
    True
"""


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS_DESCRIPTION)
class QAGS(SourceMetric):
    """The metric that ``evaluate.load`` finds; :class:`~qags.scorer.QAGSScorer` does the work."""

    _scorer_class = QAGSScorer
    _model_options = ("reader", "question_template", "pipeline")

    def _info(self) -> evaluate.MetricInfo:
        return self._described(_DESCRIPTION, _CITATION, _KWARGS_DESCRIPTION, "https://arxiv.org/abs/2004.04228")

    def _download_and_prepare(self, dl_manager: Any) -> None:
        """Load nothing: which reader and which pipeline are wanted is known when something is computed."""

    def _compute(
        self,
        predictions: list[str] | list[list[str]],
        sources: list[str],
        explain: bool = False,
        reader: str | None = None,
        question_template: str | None = None,
        pipeline: str = PIPELINE,
        max_answers: int = 10,
        beams: int = 10,
        max_questions: int = 20,
        long_sources: str = "windows",
        batch_tokens: int | None = None,
        device: str | None = None,
        dtype: str = "float32",
        progress: bool | None = None,
    ) -> dict[str, Any]:
        scorer = self._scorer(
            device=device,
            dtype=dtype,
            reader=reader,
            question_template=question_template,
            pipeline=pipeline,
            max_answers=max_answers,
            beams=beams,
            max_questions=max_questions,
            long_sources=long_sources,
            batch_tokens=batch_tokens,
        )
        explained = AnsweredQuestion.to_dict if explain else None
        return self._scored(scorer, predictions, sources, progress, "qags", "questions", explained)
