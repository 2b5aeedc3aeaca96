"""QUALS and ROUGE of generated summaries, for ``compute_metrics`` and for the model card."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from quals import QualsScorer
from quals.results import mean_score

from trainer_ext.dataset import IGNORED
from trainer_ext.rouge import rouge_scorer

if TYPE_CHECKING:
    from transformers import EvalPrediction, PreTrainedTokenizerBase

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
    """

    documents: int
    quals: float
    coverage: float
    rouge1: float
    rouge2: float
    rougeL: float  # noqa: N815  # the field's spelling
    length: float
    signature: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; NaN is None."""
        return {name: None if value != value else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SummaryQuality:
        """The inverse of :meth:`to_dict`."""
        known: dict[str, Any] = {name: math.nan if value is None else value for name, value in values.items()}
        return cls(**known)


def measure_summaries(
    summaries: Sequence[str], sources: Sequence[str], references: Sequence[str], scorer: QualsScorer
) -> SummaryQuality:
    """QUALS, ROUGE and length of summaries."""
    results = scorer.score(sources, summaries)
    return SummaryQuality(
        documents=len(results),
        quals=mean_score([result.score for result in results]),
        coverage=sum(bool(result.pairs) for result in results) / len(results),
        **rouge(summaries, references),
        length=sum(len(summary.split()) for summary in summaries) / len(summaries),
        signature=scorer.signature,
    )


class QualsComputeMetrics:
    """A ``compute_metrics`` that scores generated summaries with QUALS, and with ROUGE where there are labels.

    In a training with several processes, every process calls ``compute_metrics`` with all summaries. Here each
    process scores its share, and the scores are gathered.

    Args:
        tokenizer: decodes predictions and labels.
        sources: the evaluation set's texts, in its order. Seq2SeqTrainer leaves that order with
            ``train_sampling_strategy="group_by_length"``; ContrastiveSeq2SeqTrainer keeps it.
        scorer: the scorer; None is a :class:`~quals.QualsScorer` with the embedded QAGen, loaded at the first call.

    Returns, when called: ``quals`` (mean, nats per token, higher is better), ``quals_coverage`` (share of summaries
    with a score, 0 to 1), ``rouge1``, ``rouge2`` and ``rougeL`` (mean F1, 0 to 1).

    Raises:
        ValueError: when called, if the numbers of predictions and sources differ.

    Example::

        trainer = ContrastiveSeq2SeqTrainer(
            ..., compute_metrics=QualsComputeMetrics(tokenizer, raw["validation"]["document"])
        )  # with predict_with_generate=True
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, sources: Sequence[str], scorer: QualsScorer | None = None
    ) -> None:
        self._tokenizer, self._sources, self._scorer = tokenizer, list(sources), scorer

    def __call__(self, prediction: EvalPrediction) -> dict[str, float]:
        from accelerate import PartialState
        from accelerate.utils import gather_object

        state, count = PartialState(), len(self._sources)
        ids = prediction.predictions[0] if isinstance(prediction.predictions, tuple) else prediction.predictions
        if state.num_processes > 1:
            ids = ids[:count]  # Seq2SeqTrainer keeps the repeated rows that filled up the last batch
        summaries = self._decode(ids)
        if len(summaries) != count:
            raise ValueError(
                f"There are {len(summaries)} predictions and {len(self._sources)} sources: give "
                "QualsComputeMetrics the sources of the set that is evaluated."
            )
        share = range(state.process_index, len(summaries), state.num_processes)
        if self._scorer is None:
            self._scorer = QualsScorer(device=str(state.device))
        results = self._scorer.score([self._sources[n] for n in share], [summaries[n] for n in share]) if share else []
        scores: list[float] = gather_object([result.score for result in results])
        metrics = {"quals": mean_score(scores), "quals_coverage": float(np.mean(~np.isnan(scores)))}
        if prediction.label_ids is not None:
            metrics |= rouge(summaries, self._decode(prediction.label_ids[:count]))
        return metrics

    def _decode(self, ids: Any) -> list[str]:
        ids = np.where(np.asarray(ids) == IGNORED, self._tokenizer.pad_token_id, ids)
        return [text.strip() for text in self._tokenizer.batch_decode(ids, skip_special_tokens=True)]


QualsMetrics = QualsComputeMetrics  # the earlier name
