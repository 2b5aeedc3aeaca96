"""FactCC as a plain class: texts in, scores and the sentences behind them out."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from quals.batching import LONG_SOURCES, sliced, token_budget_batches
from quals.chunks import score_in_chunks
from quals.inputs import require, whole_number
from quals.loading import DTYPES, require_loaded_as, usable_device
from quals.products import fast_products

from .classifier import Classifier, load_classifier
from .results import FactCCResult, JudgedSentence
from .sentences import sentence_spans

VERSION = "1"  # of the computation: changes when scores do
_CHUNK = 64  # summaries sorted and batched together


class FactCCScorer:
    """Scores how far a classifier finds the sentences of summaries supported by their sources (Kryscinski et al. 2020).

    The score is the mean, over a summary's sentences, of the probability that the source supports the sentence: from 0
    to 1, higher is better.

    Args:
        checkpoint: folder or Hub name of a classifier; None is the embedded one. A loaded
            :class:`~factcc.classifier.Classifier` is used as it is.
        revision: of a Hub model.
        device: ``"cuda"``, ``"mps"``, ``"cpu"``, ...; None takes the first of these that is there.
        dtype: of the computation, e.g. ``"float32"`` (default) or ``"bfloat16"``.
        batch_tokens: most tokens, padding included, in one pass of the model; None is 4,096 on a CPU, else 32,768.
        long_sources: ``"windows"`` reads all of a long source in overlapping windows, and a sentence counts with the
            window that supports it best; a maximum over windows can only raise a score. ``"truncate"`` reads the
            source's beginning, as the paper does.
        max_tokens: of source, or window, and sentence together; None is the model's limit.
        window_overlap: tokens that neighbouring windows share; None is a quarter of ``max_tokens``, or
            less where that leaves a window too little.

    Raises:
        ValueError: an option is out of range, or the checkpoint is no classifier of claims.
    """

    def __init__(
        self,
        checkpoint: str | Classifier | None = None,
        *,
        revision: str | None = None,
        device: str | None = None,
        dtype: str = "float32",
        batch_tokens: int | None = None,
        long_sources: str = "windows",
        max_tokens: int | None = None,
        window_overlap: int | None = None,
    ) -> None:
        whole_number("batch_tokens", 1 if batch_tokens is None else batch_tokens, 1)
        require(long_sources in LONG_SOURCES, f"long_sources is {long_sources!r}: give one of {LONG_SOURCES}.")
        require(dtype in DTYPES, f"dtype is {dtype!r}: give one of {tuple(DTYPES)}.")
        if isinstance(checkpoint, Classifier):
            require_loaded_as("classifier", checkpoint.model, device, dtype)
            self.classifier = checkpoint
        else:
            self.classifier = load_classifier(checkpoint, revision, usable_device(device), DTYPES[dtype])
        self.device = self.classifier.model.device
        limit = self.classifier.max_tokens
        whole_number("max_tokens", limit if max_tokens is None else max_tokens, 16)
        whole_number("window_overlap", 0 if window_overlap is None else window_overlap, 0)
        self.max_tokens = limit if max_tokens is None else max_tokens
        require(self.max_tokens <= limit, f"max_tokens is {max_tokens}: this checkpoint takes 16 to {limit}.")
        # What is left of a window beside the longest claim; windows must move on.
        room = self.max_tokens - self.max_tokens // 2 - self.classifier.tokenizer.num_special_tokens_to_add(pair=True)
        self.window_overlap = min(self.max_tokens // 4, room - 1) if window_overlap is None else window_overlap
        require(
            self.window_overlap < room,
            f"window_overlap is {window_overlap}: give less than {room}, which a claim of half of max_tokens leaves.",
        )
        self.long_sources = long_sources
        self.dtype = dtype
        self.batch_tokens = batch_tokens or (4096 if self.device.type == "cpu" else 32768)

    @property
    def signature(self) -> str:
        """Hash over model, tokenizer, settings and version: scores with one signature are comparable."""
        settings = {
            "classifier": self.classifier.fingerprint,
            "long_sources": self.long_sources,
            "max_tokens": self.max_tokens,
            "window_overlap": self.window_overlap if self.long_sources == "windows" else None,
            "dtype": self.dtype,
        }
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
        return f"factcc-v{VERSION}-{digest[:12]}"

    def score(
        self, sources: Iterable[str], summaries: Iterable[str], *, progress: bool | None = None
    ) -> list[FactCCResult]:
        """Score every summary against the source at the same place.

        Args:
            sources, summaries: texts; any iterables of the same length, one text at least.
            progress: show a progress bar; None shows one on a terminal.

        Raises:
            ValueError: something is no text, there are none, or more of one than of the other.
        """
        return list(
            score_in_chunks(sources, summaries, self._score_chunk, size=_CHUNK, name="FactCC", progress=progress)
        )

    def _score_chunk(self, chunk: list[tuple[str, str]], bar: Any) -> Iterator[FactCCResult]:
        spans = list(sentence_spans(summary for _, summary in chunk))
        claims = [
            (source, summary[start:end])
            for (source, summary), mine in zip(chunk, spans, strict=True)
            for start, end in mine
        ]
        slices = sliced([len(source) + len(text) for source, text in claims])
        judged = (one for some in slices for one in self._judge(claims[some]))
        for (_, summary), mine in zip(chunk, spans, strict=True):
            found = list(islice(judged, len(mine)))
            sentences = tuple(
                JudgedSentence(summary[start:end], start, end, one.score)
                for (start, end), one in zip(mine, found, strict=True)
            )
            yield FactCCResult.of(
                sentences,
                max((one.windows for one in found), default=1),
                any(one.source_cut for one in found),
                any(one.claim_cut for one in found),
            )
        bar.update(len(chunk))

    def _judge(self, claims: list[tuple[str, str]]) -> list[_Judged]:
        """Each claim, (source, sentence), by the window of the source that supports it best."""
        rows, claim_cut = self._windows(claims)
        owners = rows.pop("overflow_to_sample_mapping")
        counts = [0] * len(claims)
        for owner in owners:
            counts[owner] += 1
        places = list(range(len(owners)))
        if self.long_sources == "truncate":  # the first window of each
            places = [place for place in places if place == 0 or owners[place] != owners[place - 1]]
        lengths = [len(rows["input_ids"][place]) for place in places]
        best = [float("-inf")] * len(claims)
        for batch in token_budget_batches(lengths, [0] * len(lengths), [0] * len(lengths), self.batch_tokens):
            chosen = [places[at] for at in batch]
            for place, probability in zip(chosen, self._probabilities(rows, chosen), strict=True):
                known = best[owners[place]]
                if probability > known or math.isnan(probability):  # an overflow stays one, whatever other windows say
                    best[owners[place]] = probability
        windows = self.long_sources == "windows"
        return [
            _Judged(score, count if windows else 1, count > 1 and not windows, cut)
            for score, count, cut in zip(best, counts, claim_cut, strict=True)
        ]

    def _windows(self, claims: list[tuple[str, str]]) -> tuple[dict[str, Any], list[bool]]:
        """Rows for the model, the windows of a claim's source one after another, and which claims were cut."""
        tokenizer = self.classifier.tokenizer
        longest = self.max_tokens // 2  # of a claim; the rest is for the source
        texts = [text for _, text in claims]
        offsets = tokenizer(
            texts, add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=True, verbose=False
        )["offset_mapping"]
        cut = [len(spans) > longest for spans in offsets]
        texts = [
            text[: spans[longest - 1][1]] if long else text
            for text, spans, long in zip(texts, offsets, cut, strict=True)
        ]
        rows = tokenizer(
            [source for source, _ in claims],
            texts,
            truncation="only_first",
            max_length=self.max_tokens,
            stride=self.window_overlap,
            return_overflowing_tokens=True,
            split_special_tokens=True,
            verbose=False,
        )
        return dict(rows), cut

    def _probabilities(self, rows: dict[str, Any], places: list[int]) -> list[float]:
        """Of being supported, for each row."""
        tokenizer = self.classifier.tokenizer
        batch = tokenizer.pad(
            {name: [values[place] for place in places] for name, values in rows.items()}, return_tensors="pt"
        ).to(self.device)
        with fast_products(self.classifier.model), torch.inference_mode():
            logits = self.classifier.model(**batch).logits  # (B, classes)
        found: list[float] = logits.float().softmax(-1)[:, self.classifier.supported].tolist()
        return found


@dataclass(frozen=True)
class _Judged:
    """A claim's score, and how its source and itself were read."""

    score: float
    windows: int
    source_cut: bool
    claim_cut: bool
