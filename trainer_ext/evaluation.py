"""QUALS and ROUGE of generated summaries, for ``compute_metrics`` and for the model card."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from accelerate import PartialState
from accelerate.utils import gather_object
from quals import QualsScorer
from quals.errors import DataError, OptionError
from quals.results import mean_score
from quals.rows import as_json

from trainer_ext.dataset import IGNORED
from trainer_ext.io.progress import inform
from trainer_ext.rouge import Words, rouge_scorer

if TYPE_CHECKING:
    from transformers import EvalPrediction, PreTrainedTokenizerBase, TrainingArguments

ROUGE_TYPES = ("rouge1", "rouge2", "rougeL")


def rouge(summaries: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """Mean F1 of ROUGE-1, ROUGE-2 and ROUGE-L with stemming, each from 0 to 1, higher is better.

    Example:
        >>> rouge(["the cat sat"], ["the cats sat"])
        {'rouge1': 1.0, 'rouge2': 1.0, 'rougeL': 1.0}

    Raises:
        ValueError: the package rouge-score is missing.
    """
    scorer = rouge_scorer(*ROUGE_TYPES, stem=True)
    scores = [scorer.score(reference, summary) for summary, reference in zip(summaries, references, strict=True)]
    return {kind: sum(score[kind].fmeasure for score in scores) / max(1, len(scores)) for kind in ROUGE_TYPES}


@dataclass(frozen=True)
class SummaryQuality:
    """The measured quality of a model's summaries.

    Attributes:
        documents: number of documents that were summarized.
        quals: mean QUALS, nats per token, higher is better; NaN where no summary has a score.
        coverage: share of the summaries that have a score, 0 to 1.
        rouge1, rouge2, rougeL: mean F1 against the references, 0 to 1, higher is better.
        length: mean length of a summary in words.
        signature: signature of the QUALS scores.
        longest_source: tokens of the longest source, where sources were decoded from the model's inputs, which a
            tokenizer may have cut; None where whole texts were scored against.
    """

    documents: int
    quals: float
    coverage: float
    rouge1: float
    rouge2: float
    rougeL: float  # noqa: N815  # the field's spelling
    length: float
    signature: str
    longest_source: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; NaN is None."""
        values: dict[str, Any] = as_json(asdict(self))
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SummaryQuality:
        """The inverse of :meth:`to_dict`."""
        known: dict[str, Any] = {
            name: math.nan if value is None and name != "longest_source" else value for name, value in values.items()
        }
        return cls(**known)


def measure_summaries(
    summaries: Sequence[str], sources: Sequence[str], references: Sequence[str], scorer: QualsScorer
) -> SummaryQuality:
    """QUALS, ROUGE and length of summaries."""
    results = scorer.score(sources, summaries)
    overlap: dict[str, Any] = dict(rouge(summaries, references))
    return SummaryQuality(
        documents=len(results),
        quals=mean_score([result.score for result in results]),
        coverage=sum(bool(result.pairs) for result in results) / len(results),
        **overlap,
        length=sum(len(summary.split()) for summary in summaries) / len(summaries),
        signature=scorer.signature,
    )


class QualsComputeMetrics:
    """A ``compute_metrics`` that scores generated summaries with QUALS, and with ROUGE where there are labels.

    It needs ``predict_with_generate=True`` and ``include_for_metrics=["inputs"]``: the inputs of the evaluation itself
    tell which documents were summarized, whichever set is evaluated. ContrastiveSeq2SeqTrainer includes them by itself.
    In a training with several processes each process scores its share.

    Args:
        tokenizer: decodes inputs, predictions and labels.
        sources: whole source texts: of one set in its order, or of several sets, ``{name: texts}``. The set that is
            evaluated is found by its inputs. None scores against the decoded inputs, which end where the tokenizer cut
            them: a fact behind the cut then counts as unsupported.
        scorer: the scorer; None is a :class:`~quals.QualsScorer` with the embedded QAGen, loaded at the first call.
        source_prefix: text that the model's inputs begin with, such as ``"summarize: "``.

    Returns, when called: ``quals`` (mean, nats per token, higher is better), ``quals_coverage`` (share of summaries
    with a score, 0 to 1), ``rouge1``, ``rouge2`` and ``rougeL`` (mean F1 from 0 to 1; many scripts show it times 100).

    Raises:
        DataError: when called, if no set of sources fits the evaluation's inputs.
        OptionError: when called, if there are no inputs or no generated summaries.

    Example::

        trainer = ContrastiveSeq2SeqTrainer(
            ..., compute_metrics=QualsComputeMetrics(tokenizer, raw["validation"]["document"])
        )  # with predict_with_generate=True
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        sources: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
        scorer: QualsScorer | None = None,
        source_prefix: str = "",
    ) -> None:
        self._tokenizer, self._scorer, self._prefix = tokenizer, scorer, source_prefix
        self._told = False  # which scales these are
        self._sets: dict[str, list[str]] | None = None
        if sources is not None:
            sets = sources if isinstance(sources, Mapping) else {"sources": sources}
            self._sets = {name: list(texts) for name, texts in sets.items()}

    def __call__(self, prediction: EvalPrediction) -> dict[str, float]:
        state = PartialState()
        ids = prediction.predictions[0] if isinstance(prediction.predictions, tuple) else prediction.predictions
        if not np.issubdtype(np.asarray(ids).dtype, np.integer):
            raise OptionError(
                "The predictions are logits and not summaries: set predict_with_generate=True for QualsComputeMetrics."
            )
        sources, summaries = self._sources(prediction), self._decode(ids)
        count = len(sources)  # rows behind them fill up the last batch of several processes
        summaries = summaries[:count]
        share = range(state.process_index, count, state.num_processes)
        if self._scorer is None:
            self._scorer = QualsScorer(device=str(state.device))
        results = self._scorer.score([sources[n] for n in share], [summaries[n] for n in share]) if share else []
        scores: list[float] = gather_object([result.score for result in results])
        metrics = {"quals": mean_score(scores), "quals_coverage": float(np.mean(~np.isnan(scores)))}
        if prediction.label_ids is not None:
            metrics |= rouge(summaries, self._decode(prediction.label_ids)[:count])
            if not self._told and state.is_main_process:
                inform(
                    "Evaluation: ROUGE is F1 from 0 to 1, which many scripts show times 100. QUALS is nats per token."
                )
                self._told = True
        return metrics

    def _sources(self, prediction: EvalPrediction) -> list[str]:
        """The texts of the documents that were summarized."""
        if prediction.inputs is None:
            raise OptionError(
                "Nothing tells which documents were summarized: set include_for_metrics=['inputs'] in the training "
                "arguments for QualsComputeMetrics."
            )
        inputs = [text.removeprefix(self._prefix.strip()).strip() for text in self._decode(prediction.inputs)]
        if self._sets is None:
            return inputs
        several = PartialState().num_processes > 1
        for texts in self._sets.values():
            if len(texts) == len(inputs) or (several and len(texts) < len(inputs)):
                own = [_has_words(text, read) for text, read in zip(texts, inputs, strict=False)]
                if sum(own) >= 0.9 * len(own):
                    return texts
        sizes = ", ".join(f"{name}: {len(texts)}" for name, texts in self._sets.items())
        raise DataError(
            f"The {len(inputs)} documents of this evaluation are not among the sources of QualsComputeMetrics "
            f"({sizes}): give the sources of every evaluated set, {{name: texts}}, in its order, or leave sources out."
        )

    def _decode(self, ids: Any) -> list[str]:
        ids = np.where(np.asarray(ids) == IGNORED, self._tokenizer.pad_token_id, ids)
        return [text.strip() for text in self._tokenizer.batch_decode(ids, skip_special_tokens=True)]


@contextmanager
def inputs_for(compute_metrics: Any, args: TrainingArguments) -> Iterator[None]:
    """Inside, evaluation gives its inputs to a :class:`QualsComputeMetrics`."""
    included = args.include_for_metrics
    if isinstance(compute_metrics, QualsComputeMetrics) and "inputs" not in included:
        args.include_for_metrics = [*included, "inputs"]
    try:
        yield
    finally:
        args.include_for_metrics = included


def _has_words(source: str, read: str) -> bool:
    """Whether what the model read can be the beginning of a source: nearly all of its words are in there.

    A tokenizer may change case and spaces, leave out unknown signs, and cut the text in the middle of a word.
    """
    words = set(Words(stem=False).tokenize(read))
    return len(words & set(Words(stem=False).tokenize(source))) >= 0.75 * len(words)


QualsMetrics = QualsComputeMetrics  # the earlier name
