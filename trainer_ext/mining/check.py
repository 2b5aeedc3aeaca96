"""Is the model a summarizer at all? Samples of one that was never fine-tuned are noise, and to unlearn noise teaches
nothing."""

from __future__ import annotations

import re
import statistics
from collections.abc import Collection, Sequence

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from trainer_ext.dataset import CANDIDATE_LABELS
from trainer_ext.mining.columns import LABELS, label_ids, values
from trainer_ext.mining.texts import candidate_texts, reference_texts
from trainer_ext.rouge import rouge_scorer

LEAST = 0.1  # mean ROUGE-L F1; fine-tuned summarizers reach 0.2 and more with samples too
_DOCUMENTS = 200


def check_summarizer(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase | None = None,
    special_tokens: Collection[int] = (),
    reference_column: str | None = None,
) -> float | None:
    """Mean ROUGE-L F1 of sampled summaries against the references, over up to 200 documents spread evenly.

    Args:
        dataset: has ``candidate_labels`` and ``labels``, or ``reference_column``.
        tokenizer: makes text of them. Without one, and for languages of other letters than a to z, which ROUGE's words
            leave out, tokens are compared.
        special_tokens: ids that are not compared as tokens, since every summary has them.
        reference_column: of texts, in the stead of ``labels``.

    Returns:
        The mean; None where there is nothing to compare with.

    Raises:
        ValueError: it is below 0.1, or the package rouge-score is not installed.
    """
    step = max(1, -(-len(dataset) // _DOCUMENTS))
    some = dataset.select(range(0, len(dataset), step))
    scorer = rouge_scorer("rougeL", stem=False)
    pairs = _texts(some, tokenizer, reference_column) or _tokens(some, special_tokens)
    if not pairs:
        return None
    mean = statistics.fmean(scorer.score(reference, sample)["rougeL"].fmeasure for reference, sample in pairs)
    if mean < LEAST:
        raise ValueError(
            f"The model is not a summarizer yet: its samples have a mean ROUGE-L F1 of {mean:.3f} against the "
            f"references, and below {LEAST} they are noise from which nothing can be learned. Fine-tune it on the "
            "references first (in the trainer: set mle_epochs)."
        )
    return mean


def _texts(
    dataset: Dataset, tokenizer: PreTrainedTokenizerBase | None, reference_column: str | None
) -> list[tuple[str, str]]:
    """(reference, sample) as texts; none where there is no tokenizer, or hardly a word that ROUGE sees."""
    references = reference_texts(dataset, tokenizer, reference_column) if tokenizer else None
    if references is None:
        return []
    letters = "".join(references)
    if 2 * len(re.findall(r"[a-zA-Z0-9]", letters)) < len(re.findall(r"\w", letters)):
        return []
    samples = candidate_texts(dataset, tokenizer)
    return [(a, b) for a, mine in zip(references, samples, strict=True) if a.strip() for b in mine]


def _tokens(dataset: Dataset, special_tokens: Collection[int]) -> list[tuple[str, str]]:
    """(reference, sample) as token ids joined by spaces."""
    if LABELS not in dataset.column_names:
        return []

    def joined(ids: Sequence[int]) -> str:
        return " ".join(str(token) for token in ids if token not in special_tokens)

    samples = values(dataset, CANDIDATE_LABELS)
    rows = zip(map(joined, label_ids(dataset)), samples, strict=True)
    return [(reference, joined(ids)) for reference, mine in rows if reference for ids in mine]
