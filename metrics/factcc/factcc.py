"""FactCC as a metric of the evaluate library."""

from __future__ import annotations

from typing import Any

import evaluate
from quals.source_metric import SourceMetric

# evaluate copies those files beside this one that it finds named in lines of this form; it looks no further.
from .classifier import load_classifier as load_classifier
from .results import JudgedSentence
from .scorer import FactCCScorer
from .sentences import sentence_spans as sentence_spans

_CITATION = """\
@inproceedings{kryscinski-etal-2020-evaluating,
    title = "Evaluating the Factual Consistency of Abstractive Text Summarization",
    author = "Kryscinski, Wojciech and McCann, Bryan and Xiong, Caiming and Socher, Richard",
    booktitle = "Proceedings of the 2020 Conference on Empirical Methods in Natural Language Processing (EMNLP)",
    year = "2020",
    pages = "9332--9346",
    url = "https://arxiv.org/abs/1910.12840",
}
"""

_DESCRIPTION = """\
FactCC judges whether the sentences of a summary are consistent with the text that it summarizes. It needs no reference
summary.

A classifier reads the source and one sentence of the summary at a time. It was trained on sentences of documents, as
they were or with a fact changed (Kryscinski et al. 2020). The embedded one also saw statements that people judged
against a text. The score is the mean, over the summary's sentences, of the probability that the source supports the
sentence, from 0 to 1. Higher is better. Only scores with the same signature can be compared.
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions (list of str, or list of list of str): a summary for each source, or several candidates for each.
    sources (list of str): the texts that were summarized.
    explain (bool): return the sentences and their scores too. Defaults to False.
    long_sources (str): "windows" reads all of a long source in overlapping windows and takes for each sentence the
        window that supports it best, which can only raise a score; "truncate" reads its beginning, as the paper does.
        Defaults to "windows".
    max_tokens (int): most tokens of source, or window, and sentence together. Defaults to the classifier's limit.
    window_overlap (int): tokens that neighbouring windows share. Defaults to a quarter of max_tokens, or less where
        that leaves a window too little.
    batch_tokens (int): most tokens that the classifier takes in one pass, which bounds memory and changes scores by
        rounding alone. Defaults to 4,096 on a CPU, else 32,768.
    device (str): "cuda", "mps", "cpu", ... By default the model stays where it is; it is first loaded on the first of
        these that is there.
    dtype (str): dtype of the computation: "float32", "bfloat16" or "float16". Defaults to "float32".
    progress (bool): whether to show a progress bar. By default one is shown on a terminal.

The second argument of evaluate.load, config_name, is the classifier: a folder or a model of the Hub, one class of which
is called "correct", "consistent", "supported", "entailment" or "factual". By default it is factcc-mini in the metric's
own folder, which the repository has and the installed package has not.

Returns:
    factcc (float): mean of the scores that are not NaN; NaN if all are. From 0 to 1, higher is better.
    scores (list of float): the score of each summary; NaN where it has no sentence.
    num_sentences (list of int): the sentences behind each score.
    coverage (float): share of the summaries that have a score, from 0 to 1.
    truncated_sources, windowed_sources (int): sources whose end was not read; sources that were read in windows.
    truncated_summaries (int): summaries with a sentence whose end was not read.
    signature (str): hash over model, tokenizer, settings and version.
    sentences (list of list of dict): with explain, the sentences behind each score: sentence, start and end (its
        characters in the summary), and score.
    With several candidates for each source, scores, num_sentences and sentences have one list more around each
    source's own.

Raises:
    ValueError: a value is not text, a list is empty, lists differ in length, an option is out of range, or a model
        cannot be loaded.

Examples:

    >>> import evaluate
    >>> factcc = evaluate.load("./metrics/factcc")
    >>> source = "The bridge closes on Monday. Its repair costs four million pounds, of which the council pays half."
    >>> results = factcc.compute(predictions=["The bridge closes on Monday."], sources=[source], explain=True)
    >>> 0 <= results["factcc"] <= 1
    True
    >>> [sentence["sentence"] for sentence in results["sentences"][0]]
    ['The bridge closes on Monday.']
"""


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS_DESCRIPTION)
class FactCC(SourceMetric):
    """The metric that ``evaluate.load`` finds; :class:`~factcc.scorer.FactCCScorer` does the work."""

    _scorer_class = FactCCScorer

    def _info(self) -> evaluate.MetricInfo:
        return self._described(_DESCRIPTION, _CITATION, _KWARGS_DESCRIPTION, "https://arxiv.org/abs/1910.12840")

    def _compute(
        self,
        predictions: list[str] | list[list[str]],
        sources: list[str],
        explain: bool = False,
        long_sources: str = "windows",
        max_tokens: int | None = None,
        window_overlap: int | None = None,
        batch_tokens: int | None = None,
        device: str | None = None,
        dtype: str = "float32",
        progress: bool | None = None,
    ) -> dict[str, Any]:
        scorer = self._scorer(
            device=device,
            dtype=dtype,
            long_sources=long_sources,
            max_tokens=max_tokens,
            window_overlap=window_overlap,
            batch_tokens=batch_tokens,
        )
        explained = JudgedSentence.to_dict if explain else None
        return self._scored(scorer, predictions, sources, progress, "factcc", "sentences", explained)
