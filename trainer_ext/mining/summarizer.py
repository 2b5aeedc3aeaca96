"""The model that is sampled from: loading it, and whether it is a summarizer at all.

Samples of a model that was never fine-tuned are noise, and to unlearn noise teaches nothing.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Collection, Sequence
from typing import Any

import torch
from datasets import Dataset
from quals.loading import Kind, load_checkpoint, usable_device
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, PreTrainedModel, PreTrainedTokenizerBase

from trainer_ext.dataset import CANDIDATE_LABELS
from trainer_ext.mining.columns import LABELS, label_ids, values
from trainer_ext.mining.texts import candidate_texts, reference_texts
from trainer_ext.rouge import rouge_scorer

LEAST = 0.1  # mean ROUGE-L F1; fine-tuned summarizers reach 0.2 and more with samples too
_DOCUMENTS = 200
_KIND = Kind(
    "summarizer",
    "Give the folder or Hub name of an encoder-decoder, or of a decoder-only model, with its tokenizer, weights as "
    "safetensors.",
)
_DECODER_ONLY = ("ForCausalLM", "LMHeadModel")  # how transformers ends the names of classes that go on with a prompt


def load_summarizer(
    name: str, device: str | None = None, option: str = "device"
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The summarizer, in float32 and in evaluation mode, and its tokenizer.

    Args:
        name: folder or Hub name of an encoder-decoder, or of a decoder-only model.
        device: where it computes; None is the best there is.
        option: what messages call the device.

    Raises:
        ValueError: there is no such summarizer, or torch cannot use the device.
    """

    place, either = usable_device(device, option), _EitherKind(name)
    return load_checkpoint(either, name, _KIND, either.check, revision=None, device=place, dtype=torch.float32)


class _EitherKind:
    """Loads the class that a config asks for: an encoder-decoder or a decoder-only model."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._class: Any = AutoModelForSeq2SeqLM

    def check(self, config: Any) -> None:
        """Choose by the config, or refuse it."""
        if getattr(config, "is_encoder_decoder", False):
            return
        if not any(str(name).endswith(_DECODER_ONLY) for name in config.architectures or []):
            raise _KIND.refused(
                self._name, "its config.json does not name an encoder-decoder, nor a decoder-only model that generates"
            )
        self._class = AutoModelForCausalLM

    def from_pretrained(self, *arguments: Any, trust_remote_code: bool = False, **options: Any) -> Any:
        """As the class does, and never with a checkpoint's own code."""
        return self._class.from_pretrained(*arguments, trust_remote_code=False, **options)


def check_summarizer(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase | None = None,
    special_tokens: Collection[int] = (),
    reference_column: str | None = None,
    *,
    beyond_chance: bool = False,
) -> float | None:
    """Mean ROUGE-L F1 of sampled summaries against the references, from 0 to 1, over up to 200 documents.

    Args:
        dataset: has ``candidate_labels`` and ``labels``, or ``reference_column``; its documents are taken evenly.
        tokenizer: decodes them. Without one, tokens are compared; likewise for scripts other than Latin, whose letters
            are not words to ROUGE.
        special_tokens: ids that are not compared as tokens, since every summary has them.
        reference_column: column of reference texts, read instead of ``labels``.
        beyond_chance: refuse only if the mean is too low by twice its standard error: for few documents.

    Returns:
        The mean; None where there is nothing to compare with.

    Raises:
        ValueError: the mean is below 0.1, or the package rouge-score is not installed.
    """
    step = max(1, -(-len(dataset) // _DOCUMENTS))
    some = dataset.select(range(0, len(dataset), step))
    pairs = _texts(some, tokenizer, reference_column) or _tokens(some, special_tokens)
    if not pairs:
        return None
    scorer = rouge_scorer("rougeL", stem=False)
    scores = [scorer.score(reference, sample)["rougeL"].fmeasure for reference, sample in pairs]
    mean = statistics.fmean(scores)
    # A document's samples are alike: the error is that of as many scores as there are documents.
    doubt = 2 * statistics.pstdev(scores) / len(some) ** 0.5 if beyond_chance else 0.0
    if mean + doubt < LEAST:
        raise ValueError(
            f"The model is not a summarizer yet: its samples have a mean ROUGE-L F1 of {mean:.3f} against the "
            f"references of {len(some)} documents. Below {LEAST} they are noise, from which nothing can be learned. "
            "Fine-tune it on the references first (in the trainer: set mle_epochs)."
        )
    return mean


def _texts(
    dataset: Dataset, tokenizer: PreTrainedTokenizerBase | None, reference_column: str | None
) -> list[tuple[str, str]]:
    """(reference, sample) as texts; none without a tokenizer, or where ROUGE sees less than half of the letters."""
    references = reference_texts(dataset, tokenizer, reference_column) if tokenizer else None
    if references is None:
        return []
    letters = "".join(references)
    if 2 * len(re.findall(r"[a-zA-Z0-9]", letters)) < len(re.findall(r"\w", letters)):
        return []
    rows = zip(references, candidate_texts(dataset, tokenizer), strict=True)
    return [(reference, sample) for reference, samples in rows if reference.strip() for sample in samples]


def _tokens(dataset: Dataset, special_tokens: Collection[int]) -> list[tuple[str, str]]:
    """(reference, sample) as token ids joined by spaces."""
    if LABELS not in dataset.column_names:
        return []

    def joined(ids: Sequence[int]) -> str:
        return " ".join(str(token) for token in ids if token not in special_tokens)

    rows = zip(map(joined, label_ids(dataset)), values(dataset, CANDIDATE_LABELS), strict=True)
    return [(reference, joined(ids)) for reference, samples in rows if reference for ids in samples]
