"""FactCC as a plain class: texts in, scores and the sentences behind them out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import torch
from quals.batching import PairWindows, cut_texts, pair_windows, sliced
from quals.errors import OptionError
from quals.inputs import whole_number
from quals.matmul import fast_products
from quals.source_scorer import SourceScorer
from quals.typography import given_span
from transformers import BatchEncoding, PreTrainedTokenizerBase

from .classifier import Classifier, load_classifier
from .results import FactCCResult, JudgedSentence
from .sentences import sentence_spans


class FactCCScorer(SourceScorer[FactCCResult]):
    """Scores how far a classifier finds the sentences of summaries supported by their sources (Kryscinski et al. 2020).

    The score is the mean, over a summary's sentences, of the probability that the source supports the sentence: from 0
    to 1, higher is better.

    Args:
        checkpoint: folder or Hub name of a classifier; None is the embedded one. A loaded
            :class:`~factcc.classifier.Classifier` is used as it is.
        revision: branch, tag or commit of a Hub model.
        device: ``"cuda"``, ``"mps"``, ``"cpu"``, ...; None takes the first of these that is there.
        dtype: dtype of the computation, ``"float32"`` or ``"bfloat16"`` for example, or torch's own of that name.
        batch_tokens: most tokens, padding included, in one pass of the model; None is 4,096 on a CPU, else 32,768.
        chunk: number of summaries that are read, scored and given out together.
        processes: number of processes that score on a CPU, a chunk each at a time; 1 is this process alone. See
            :meth:`~quals.source_scorer.SourceScorer.score`.
        slice_characters: most characters that are tokenized together, which bounds memory.
        long_sources: ``"windows"`` reads all of a long source in overlapping windows, and each sentence counts with the
            window that supports it best; a maximum over windows can only raise a score. ``"truncate"`` reads the
            source's beginning, as the paper does.
        max_tokens: most tokens of source, or window, and sentence together; None is the model's limit.
        window_overlap: tokens that neighbouring windows share; None is a quarter of ``max_tokens``, or less where that
            leaves a window too little.

    Raises:
        OptionError: an option is out of range.
        CheckpointError: the checkpoint cannot be loaded, or is not a classifier of claims.

    Example:
        >>> source = "The bridge closes on Monday. Its repair costs four million pounds."
        >>> result, = FactCCScorer().score([source], ["The bridge closes on Monday. It is repaired."])
        >>> [sentence.text for sentence in result.sentences]
        ['The bridge closes on Monday.', 'It is repaired.']
        >>> 0 <= result.score <= 1
        True
    """

    NAME = "FactCC"
    VERSION = "2"
    CHUNK = 64

    def __init__(
        self,
        checkpoint: str | Classifier | None = None,
        *,
        revision: str | None = None,
        device: str | None = None,
        dtype: str | torch.dtype = "float32",
        batch_tokens: int | None = None,
        chunk: int | None = None,
        processes: int = 1,
        slice_characters: int = 2**21,
        long_sources: str = "windows",
        max_tokens: int | None = None,
        window_overlap: int | None = None,
    ) -> None:
        super().__init__(
            device=device,
            dtype=dtype,
            batch_tokens=batch_tokens,
            long_sources=long_sources,
            chunk=chunk,
            processes=processes,
        )
        whole_number("slice_characters", slice_characters, 1)
        self.classifier = self._loaded(checkpoint, Classifier, partial(load_classifier, revision=revision))
        limit = self.classifier.max_tokens
        self.max_tokens = limit if max_tokens is None else max_tokens
        whole_number("max_tokens", self.max_tokens, 16)
        whole_number("window_overlap", 0 if window_overlap is None else window_overlap, 0)
        if self.max_tokens > limit:
            raise OptionError(f"max_tokens is {max_tokens}: this checkpoint takes 16 to {limit}.")
        # What is left of a window beside the longest claim; windows must move on.
        room = self.max_tokens - self.max_tokens // 2 - self.classifier.tokenizer.num_special_tokens_to_add(pair=True)
        self.window_overlap = min(self.max_tokens // 4, room - 1) if window_overlap is None else window_overlap
        if self.window_overlap >= room:
            raise OptionError(
                f"window_overlap is {window_overlap}: give less than {room}, which a claim of half max_tokens leaves."
            )
        self.slice_characters = slice_characters

    @property
    def models(self) -> dict[str, Any]:
        """The loaded classifier."""
        return {"checkpoint": self.classifier}

    @property
    def tokenizers(self) -> Sequence[PreTrainedTokenizerBase]:
        """The classifier's tokenizer."""
        return (self.classifier.tokenizer,)

    @property
    def settings(self) -> dict[str, Any]:
        """All that changes scores, as values for JSON: model and tokenizer by a hash, and the options."""
        return {
            **super().settings,
            "classifier": self.classifier.fingerprint,
            "max_tokens": self.max_tokens,
            "window_overlap": self.window_overlap if self.long_sources == "windows" else None,
        }

    def _score_chunk(self, rows: list[tuple[str, str]], advance: Callable[[int], Any]) -> Iterator[FactCCResult]:
        spans = sentence_spans(summary for _, summary in rows)
        claims = [
            (source, summary[start:end])
            for (source, summary), sentences in zip(rows, spans, strict=True)
            for start, end in sentences
        ]
        slices = sliced([len(source) + len(claim) for source, claim in claims], self.slice_characters)
        judged = (claim for part in slices for claim in self._judge(claims[part]))
        for (_, summary), sentences in zip(rows, spans, strict=True):
            own_claims = list(islice(judged, len(sentences)))
            advance(1)
            yield FactCCResult.of(
                tuple(
                    JudgedSentence(summary[start:end], start, end, claim.score)
                    for (start, end), claim in zip(sentences, own_claims, strict=True)
                ),
                max((claim.windows for claim in own_claims), default=1),
                any(claim.source_cut for claim in own_claims),
                any(claim.claim_cut for claim in own_claims),
            )

    def _of_given(self, result: FactCCResult, source: str, summary: str) -> FactCCResult:
        span = given_span(summary)
        spans = [span(sentence.start, sentence.end) for sentence in result.sentences]
        sentences = (
            JudgedSentence(summary[start:end], start, end, sentence.score)
            for sentence, (start, end) in zip(result.sentences, spans, strict=True)
        )
        return replace(result, sentences=tuple(sentences))

    def _judge(self, claims: list[tuple[str, str]]) -> list[_Judged]:
        """Each claim, (source, sentence), by the window of the source that supports it best."""
        windows, claim_cut = self._windows(claims)
        best = [float("-inf")] * len(claims)
        for rows, batch in windows.batches(self.classifier.tokenizer, self.batch_tokens):
            for row, probability in zip(rows, self._probabilities(batch), strict=True):
                owner = windows.owners[row]
                if probability > best[owner] or math.isnan(probability):  # NaN stays, whatever other windows say
                    best[owner] = probability
        windowed = self.long_sources == "windows"
        return [
            _Judged(score, count if windowed else 1, count > 1 and not windowed, cut)
            for score, count, cut in zip(best, windows.counts, claim_cut, strict=True)
        ]

    def _windows(self, claims: list[tuple[str, str]]) -> tuple[PairWindows, list[bool]]:
        """Rows for the model, and which claims were cut: to half of ``max_tokens``, the rest is for the source."""
        tokenizer = self.classifier.tokenizer
        texts, cut = cut_texts(tokenizer, [claim for _, claim in claims], self.max_tokens // 2)
        windows = pair_windows(
            tokenizer,
            [source for source, _ in claims],
            texts,
            cut="first",
            limit=self.max_tokens,
            overlap=self.window_overlap,
            long_texts=self.long_sources,
        )
        return windows, cut

    def _probabilities(self, batch: BatchEncoding) -> list[float]:
        """Probability of being supported, for each row."""
        with fast_products(self.classifier.model), torch.inference_mode():
            logits = self.classifier.model(**batch.to(self.device)).logits  # (B, classes)
        probabilities: list[float] = logits.float().softmax(-1)[:, self.classifier.supported].tolist()
        return probabilities


@dataclass(frozen=True)
class _Judged:
    """A claim's score, and how its source and the claim itself were read."""

    score: float
    windows: int
    source_cut: bool
    claim_cut: bool
