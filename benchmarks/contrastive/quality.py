"""What is measured of a summarizer's summaries, document by document."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from datasets import Dataset
from quals import QualsScorer
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from benchmarks.agreement.floors import ngram_share
from benchmarks.contrastive.data import Example
from trainer_ext.bootstrap import Floats
from trainer_ext.evaluation import rouge
from trainer_ext.mining import generate_summaries

MEASURES = {
    "quals": "QUALS, nats a token",
    "rouge1": "ROUGE-1 F1",
    "rouge2": "ROUGE-2 F1",
    "rougeL": "ROUGE-L F1",
    "bigrams": "word pairs that the document has (floor)",
    "words": "words in a summary",
}


def summaries_of(model: PreTrainedModel, dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """A summary of each document, by the model's own generation config."""
    ids = generate_summaries(model, dataset, model.generation_config)
    return [text.strip() for text in tokenizer.batch_decode(ids, skip_special_tokens=True)]


def measured(summaries: Sequence[str], examples: Sequence[Example], scorer: QualsScorer) -> dict[str, Floats]:
    """Each of :data:`MEASURES` for each document, shape (n,); NaN where a summary has none."""
    results = scorer.score([example.document for example in examples], summaries)
    alone = [rouge([summary], [example.summary]) for summary, example in zip(summaries, examples, strict=True)]
    values: dict[str, list[float]] = {
        "quals": [result.score for result in results],
        **{kind: [scores[kind] for scores in alone] for kind in ("rouge1", "rouge2", "rougeL")},
        "bigrams": [ngram_share(e.document, s, 2) for s, e in zip(summaries, examples, strict=True)],
        "words": [float(len(summary.split())) for summary in summaries],
    }
    return {name: np.array(numbers) for name, numbers in values.items()}
