"""QUALS as a metric of the evaluate library."""

from __future__ import annotations

from typing import Any

import evaluate

# evaluate copies the files that it finds named here, in lines of this form alone. It does not look into those files, so
# all are named, whether this one needs them or not.
from .attention import share_encoder_states as share_encoder_states
from .batching import token_budget_batches as token_budget_batches
from .calibration import Calibration as Calibration
from .checkpoint import load_qagen as load_qagen
from .decoding import DecodingSettings as DecodingSettings
from .doubts import Doubts as Doubts
from .errors import QualsError as QualsError
from .explanation_page import html_page as html_page
from .generated import Generated as Generated
from .groups import Choices as Choices
from .hooks import hook_once as hook_once
from .inputs import checked_texts as checked_texts
from .loading import load_checkpoint as load_checkpoint
from .log_sum_exp import LogSumExp as LogSumExp
from .markup import word_bars as word_bars
from .matmul import fast_products as fast_products
from .pairs import Pair as Pair
from .processes import processes_of as processes_of
from .projection import OutputProjection as OutputProjection
from .published import PUBLISHED as PUBLISHED
from .results import ScoredPair
from .row_cache import row_cache as row_cache
from .rows import read_rows as read_rows
from .scorer import QualsScorer
from .screen import Screen as Screen
from .selecting import selected as selected
from .source_metric import SourceMetric
from .source_scorer import SourceScorer as SourceScorer
from .special_tokens import spelled_as_text as spelled_as_text
from .tree import PrefixTree as PrefixTree
from .typography import plain as plain
from .words import scored_words as scored_words

_CITATION = """\
@inproceedings{nan-etal-2021-improving,
    title = "Improving Factual Consistency of Abstractive Summarization via Question Answering",
    author = "Nan, Feng and Nogueira dos Santos, Cicero and Zhu, Henghui and Ng, Patrick and McKeown, Kathleen and
      Nallapati, Ramesh and Zhang, Dejiao and Wang, Zhiguo and Arnold, Andrew O. and Xiang, Bing",
    booktitle = "Proceedings of the 59th Annual Meeting of the Association for Computational Linguistics and the 11th
      International Joint Conference on Natural Language Processing (Volume 1: Long Papers)",
    year = "2021",
    pages = "6881--6894",
    url = "https://arxiv.org/abs/2105.04623",
}
"""

_DESCRIPTION = """\
QUALS measures how well the facts of a summary hold in the text that it summarizes. It needs no reference summary.

A question-answer generator (QAGen) makes question-answer pairs from the summary. Each pair is as likely as the QAGen
finds it, in nats a token, given the summary, and again given the source. QUALS is the mean over the pairs of the
second less the first. Higher is better. It is usually at most 0, has no lower bound, and is 0 for a summary that is
its own source; a pair that the source does not support pulls it down. The scale depends on the QAGen, so only scores
with the same signature can be compared.
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions (list of str, or list of list of str): a summary for each source, or several candidates for each.
    sources (list of str): the texts that were summarized.
    explain (bool): return the question-answer pairs too. Defaults to False.
    token_log_probs (bool): and in each pair the log-probability of every token; takes in explain. Defaults to False.
    num_groups (int): sequences generated from each summary, before those that are no pair are dropped. Defaults to 60.
    diversity (float): penalty in nats for a token that an earlier sequence chose at the same step. Defaults to 0.5.
    max_pairs (int): most pairs that a summary is scored by. Defaults to 10.
    min_tokens, max_tokens (int): bounds of a generated sequence's length. Default to 8 and 60.
    long_sources (str): "windows" reads all of a long source in overlapping windows and takes for each pair the window
        that supports it best, which can only raise a score; "truncate" reads the first max_source_tokens tokens of it,
        as the paper does. Defaults to "windows".
    max_source_tokens (int): tokens of a text, or of a window, that are read. Defaults to the QAGen's limit.
    window_overlap (int): tokens that neighbouring windows share. Defaults to a quarter of max_source_tokens.
    weighting (str): "tokens" is the paper's mean over all tokens of a pair; "answer" leaves out the question;
        "balanced" gives question and answer equal weight; "information" is the share of what the summary tells that the
        source lacks, as a negative number without a unit. Defaults to "tokens".
    calibration (str): a file that `quals calibrate` made: return probabilities too. Defaults to none.
    batch_tokens (int): most tokens that the encoder or the decoder takes in one pass, which bounds memory and changes
        scores by rounding alone. Defaults to 1,024 on a CPU, else 32,768.
    processes (int): processes that score on a CPU, 256 summaries each at a time; they start anew with each compute. In
        a script, that must stand under if __name__ == "__main__". Defaults to 1, this process alone.
    device (str): "cuda", "mps", "cpu", ... By default the model stays where it is; it is first loaded on the first of
        these that is there.
    dtype (str): "float32", "bfloat16" or "float16", of the computation. Defaults to "float32".
    progress (bool): show a progress bar. By default on a terminal only.

The second argument of evaluate.load, config_name, is the QAGen: a folder or a model of the Hub. By default it is the
embedded one. "small" is a larger one, which a clone of the repository has beside it.

Returns:
    quals (float): mean of the scores that are not NaN; NaN if all are. In nats a token, usually at most 0, higher is
        better. All candidates count alike.
    scores (list of float): the score of each summary; NaN where no question-answer pair could be made from it.
    num_pairs (list of int): the pairs behind each score.
    probabilities (list of float): with calibration, the probability of each summary to be consistent, 0 to 1; None
        where it has no score.
    coverage (float): share of the summaries that have a score, from 0 to 1.
    truncated_sources, windowed_sources (int): sources whose end was not read; sources that were read in windows.
    truncated_summaries (int): summaries whose end was not read.
    signature (str): hash over model, tokenizer, settings and version.
    pairs (list of list of dict): with explain, the pairs behind each score: question, answer, start and end (the
        characters of the answer in the summary), score, log_likelihood_summary, log_likelihood_source (nats a token,
        at most 0), and with token_log_probs also tokens, token_log_probs_summary, token_log_probs_source and
        answer_tokens (the place of the answer's first token in these three).
    With several candidates for each source, scores, num_pairs, probabilities and pairs have one list more around each
    source's own.

Raises:
    ValueError: something is not text, a list is empty, lists differ in length, or an option is out of range.

Examples:

    >>> import evaluate
    >>> quals = evaluate.load("quals")
    >>> source = "Anthony Joshua says that Wladimir Klitschko has a chink in his armour before their fight at Wembley."
    >>> right = "Anthony Joshua says that Wladimir Klitschko has a chink in his armour."
    >>> wrong = "Wladimir Klitschko says that Anthony Joshua has a chink in his armour."
    >>> results = quals.compute(predictions=[right, wrong], sources=[source, source])
    >>> results["scores"][0] > results["scores"][1]
    True
    >>> results["coverage"]
    1.0

    A summary that is its own source has the score 0, but for rounding:

    >>> results = quals.compute(predictions=[source], sources=[source])
    >>> abs(results["quals"]) < 0.001
    True

    Several candidates for each source, and the pairs behind the scores:

    >>> results = quals.compute(predictions=[[right, wrong]], sources=[source], explain=True)
    >>> [len(candidates) for candidates in results["scores"]]
    [2]
    >>> pair = results["pairs"][0][0][0]
    >>> list(pair)[:5]
    ['question', 'answer', 'start', 'end', 'score']
"""


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS_DESCRIPTION)
class Quals(SourceMetric):
    """The metric that ``evaluate.load`` finds; :class:`~quals.scorer.QualsScorer` does the work."""

    _scorer_class = QualsScorer
    _call_options = ("explain", "token_log_probs", "progress")

    def _info(self) -> evaluate.MetricInfo:
        return self._described(_DESCRIPTION, _CITATION, _KWARGS_DESCRIPTION, "https://arxiv.org/abs/2105.04623")

    def _compute(
        self,
        predictions: list[str] | list[list[str]],
        sources: list[str],
        explain: bool = False,
        token_log_probs: bool = False,
        progress: bool | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        scorer = self._scorer(**self._scorer_options(options))

        def explained(pair: ScoredPair) -> dict[str, Any]:
            return pair.to_dict(token_log_probs)

        wanted = explained if explain or token_log_probs else None
        output = self._scored(scorer, predictions, sources, progress, "quals", "pairs", wanted)
        if scorer.calibration is not None:
            output["probabilities"] = [_probabilities(scorer.calibration, scores) for scores in output["scores"]]
        return output


def _probabilities(calibration: Calibration, scores: Any) -> Any:
    """The probability of a score, or those of several candidates' scores."""
    return list(map(calibration.probability, scores)) if isinstance(scores, list) else calibration.probability(scores)
