"""QUALS as a plain class: texts in, scores and the pairs behind them out. The one public way in."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from .batching import Windows, all_windows, decode, encode_texts, first_window, sliced, token_budget_batches
from .calibration import Calibration, calibration_for
from .checkpoint import QAGen, load_qagen
from .decoding import DecodingSettings, EncodedTexts, cache_width, diverse_greedy, encode, teacher_forced
from .errors import OptionError
from .inputs import one_of, whole_number
from .pairs import Pair, find_answer, fold, of_given
from .results import WEIGHTINGS, QualsResult, ScoredPair, mean_score, relative_loss, weighted_mean
from .selecting import selected
from .source_scorer import SourceScorer
from .typography import plain

_CACHE = 2304  # numbers that the embedded QAGen's decoder keeps per row and step
_NOTHING = "."  # a text without content
_TREE = 1024  # tokens of the pairs in a tree at most, because each of its nodes is compared with all others


class QualsScorer(SourceScorer[QualsResult]):
    """Scores how well the facts of summaries hold in their sources (Nan et al. 2021, QUALS).

    A QAGen generates question-answer pairs from a summary. QUALS is the mean over the pairs of their log-likelihood
    under the source minus that under the summary, in nats per token. Higher is better; it is usually at most 0.

    Args:
        checkpoint: folder or Hub name of a QAGen; None is the embedded one, "small" the larger one of a clone. A loaded
            :class:`~quals.checkpoint.QAGen` is used as it is, and no weights are read again.
        revision: branch, tag or commit of a Hub model.
        device: ``"cuda"``, ``"mps"``, ``"cpu"``, ...; None takes the first of these that is there.
        dtype: dtype of the computation, ``"float32"`` or ``"bfloat16"`` for example, or torch's own of that name.
        batch_tokens: most tokens, padding included, that the encoder or the decoder takes in one pass (a longer text is
            a pass of its own); None is 1,024 on a CPU, else 32,768.
        chunk: number of summaries that are read, sorted by length, scored and given out together.
        processes: number of processes that score on a CPU, a chunk each at a time; 1 is this process alone. See
            :meth:`~quals.source_scorer.SourceScorer.score`.
        num_groups: sequences generated per summary.
        diversity: penalty in nats for a token that an earlier group chose at the same step.
        max_pairs: most pairs that a summary is scored by.
        min_tokens, max_tokens: bounds of a generated sequence's length, its end not counted.
        long_sources: ``"windows"`` reads all of a long source in overlapping windows, and each pair counts with the
            window that supports it best; a maximum over windows can only raise a score. ``"truncate"`` reads the
            source's first ``max_source_tokens`` tokens, as the paper does.
        max_source_tokens: most tokens of a text, or of a window, that are read; None is the model's limit.
        window_overlap: tokens that neighbouring windows share; None is a quarter of ``max_source_tokens``.
        weighting: ``"tokens"`` (the paper), ``"answer"`` or ``"balanced"``, see :func:`quals.results.weighted_mean`;
            or ``"information"``, the share of what the summary tells that the source lacks, see
            :func:`quals.results.relative_loss`.
        calibration: file that ``quals calibrate`` made, or a :class:`~quals.calibration.Calibration`; results have a
            ``probability`` then. Scores and signature stay as they are.

    Raises:
        OptionError: an option is out of range.
        CheckpointError: the checkpoint cannot be loaded, or is not a QAGen; the calibration is of other scores.

    Example:
        >>> scorer = QualsScorer()
        >>> result, = scorer.score(["The cat sat on the mat."], ["The cat sat on the mat."])
        >>> abs(result.score) < 1e-4
        True
    """

    NAME = "QUALS"
    VERSION = "2"
    CHUNK = 256
    BATCH_TOKENS = 1024

    def __init__(
        self,
        checkpoint: str | QAGen | None = None,
        *,
        revision: str | None = None,
        device: str | None = None,
        dtype: str | torch.dtype = "float32",
        batch_tokens: int | None = None,
        chunk: int | None = None,
        processes: int = 1,
        num_groups: int = 60,
        diversity: float = 0.5,
        max_pairs: int = 10,
        min_tokens: int = 8,
        max_tokens: int = 60,
        long_sources: str = "windows",
        max_source_tokens: int | None = None,
        window_overlap: int | None = None,
        weighting: str = "tokens",
        calibration: str | os.PathLike[str] | Calibration | None = None,
    ) -> None:
        super().__init__(
            device=device,
            dtype=dtype,
            batch_tokens=batch_tokens,
            long_sources=long_sources,
            chunk=chunk,
            processes=processes,
        )
        whole_number("num_groups", num_groups, 1)
        if not isinstance(diversity, int | float) or not math.isfinite(diversity) or diversity < 0:
            raise OptionError(f"diversity is {diversity!r}: give 0 or more nats.")
        whole_number("max_pairs", max_pairs, 1)
        whole_number("min_tokens", min_tokens, 0)
        whole_number("max_tokens", max_tokens, 0)
        if min_tokens > max_tokens:
            raise OptionError(f"min_tokens is {min_tokens}: give max_tokens, {max_tokens}, or less.")
        one_of("weighting", weighting, WEIGHTINGS)
        self.qagen = self._loaded(checkpoint, QAGen, partial(load_qagen, revision=revision))
        positions = getattr(self.qagen.model.config, "max_position_embeddings", None)
        if positions is not None and max_tokens >= positions:
            raise OptionError(
                f"max_tokens is {max_tokens}: this checkpoint's decoder has {positions} positions, so give less."
            )
        limit = self.qagen.max_source_tokens
        self.max_source_tokens = limit if max_source_tokens is None else max_source_tokens
        whole_number("max_source_tokens", self.max_source_tokens, 8)
        if self.max_source_tokens > limit:
            raise OptionError(f"max_source_tokens is {max_source_tokens}: this checkpoint takes 8 to {limit}.")
        self.window_overlap = self.max_source_tokens // 4 if window_overlap is None else window_overlap
        whole_number("window_overlap", self.window_overlap, 0)
        if self.window_overlap >= self.max_source_tokens - 2:
            raise OptionError(
                f"window_overlap is {window_overlap}: give much less than the {self.max_source_tokens} tokens of a "
                "window."
            )
        self.decoding = DecodingSettings(num_groups, diversity, min_tokens, max_tokens)
        self.max_pairs = max_pairs
        self.weighting = weighting
        self.calibration = calibration_for(self.signature, calibration)

    @property
    def models(self) -> dict[str, Any]:
        """The loaded QAGen."""
        return {"checkpoint": self.qagen}

    @property
    def tokenizers(self) -> Sequence[PreTrainedTokenizerBase]:
        """The QAGen's tokenizer."""
        return (self.qagen.tokenizer,)

    @property
    def settings(self) -> dict[str, Any]:
        """All that changes scores, as values for JSON: model and tokenizer by a hash, and the options."""
        return {
            **super().settings,
            **asdict(self.decoding),
            "qagen": self.qagen.fingerprint,
            "max_pairs": self.max_pairs,
            "max_source_tokens": self.max_source_tokens,
            "window_overlap": self.window_overlap if self.long_sources == "windows" else None,
            "weighting": self.weighting,
        }

    def _score_chunk(self, rows: list[tuple[str, str]], advance: Callable[[int], Any]) -> list[QualsResult]:
        summaries = list(dict.fromkeys(summary for _, summary in rows))
        read = self._first_window(summaries)
        surviving = self._surviving_pairs(summaries, read.input_ids, self.max_pairs, advance)
        pairs = dict(zip(summaries, surviving, strict=True))
        truncated = dict(zip(summaries, read.truncated, strict=True))
        results = self.score_pairs([source for source, _ in rows], [pairs[summary] for _, summary in rows])
        signature = self.signature
        return [
            replace(result, summary_truncated=truncated[summary], signature=signature)
            for (_, summary), result in zip(rows, results, strict=True)
        ]

    def _of_given(self, result: QualsResult, source: str, summary: str) -> QualsResult:
        pairs = tuple(of_given(result.pairs, summary))
        probability = None if self.calibration is None else self.calibration.probability(result.score)
        return replace(result, pairs=pairs, source=source, summary=summary, probability=probability)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text in plain typography, special tokens included, cut at ``max_source_tokens``."""
        return self._first_window(list(map(plain, texts))).input_ids

    def _first_window(self, texts: Sequence[str]) -> Windows:
        return first_window(self.qagen.tokenizer, texts, self.max_source_tokens)

    def generate_pairs(self, summaries: Sequence[str]) -> list[list[Pair]]:
        """All question-answer pairs that each summary backs, of ``num_groups`` generated, in the order generated."""
        texts = list(map(plain, summaries))
        pairs = self._surviving_pairs(texts, self.tokenize(texts), None, lambda count: None)
        return [of_given(own_pairs, summary) for own_pairs, summary in zip(pairs, summaries, strict=True)]

    def _surviving_pairs(
        self,
        summaries: Sequence[str],
        input_ids: Sequence[Sequence[int]],
        most: int | None,
        advance: Callable[[int], Any],
    ) -> list[list[Pair]]:
        """Steps 1 to 3 of the method for every summary and its token ids; without ``most``, no pair is left out."""
        pairs: list[list[Pair]] = [[] for _ in summaries]
        lengths, groups = list(map(len, input_ids)), [self.decoding.num_groups] * len(summaries)
        # A decoder of many layers keeps more per row, and takes fewer rows instead of more memory.
        width = max(1, round(cache_width(self.qagen.model) / _CACHE))
        for batch in token_budget_batches(lengths, self.batch_tokens, rows=groups, widths=[width] * len(summaries)):
            texts = self._encode([input_ids[index] for index in batch])
            generated = diverse_greedy(self.qagen.model, texts, self.decoding)
            backed = [self.parse(summaries[i], own) for i, own in zip(batch, generated.token_ids, strict=True)]
            for index, own in zip(batch, selected(backed, generated, most), strict=True):
                pairs[index] = own
            advance(len(batch))
        return pairs

    def parse(self, summary: str, sequences: Iterable[tuple[int, ...]]) -> dict[int, Pair]:
        """The sequences that are question-answer pairs which the summary backs, by place; without log-probabilities."""
        separator, unknown = self.qagen.separator_id, self.qagen.tokenizer.unk_token_id
        whole = {
            place: ids
            for place, ids in enumerate(sequences)
            if ids.count(separator) == 1 and (unknown is None or unknown not in ids)
        }
        questions = [ids[: ids.index(separator)] for ids in whole.values()]
        answers = [ids[ids.index(separator) + 1 :] for ids in whole.values()]
        texts = decode(self.qagen.tokenizer, [*questions, *answers])
        words = fold(summary)
        pairs = {}
        for place, question, answer in zip(whole, texts[: len(whole)], texts[len(whole) :], strict=True):
            span = find_answer(answer, words) if question and answer else None
            if span is not None:
                pairs[place] = Pair(question, answer, *span, whole[place], ())
        return pairs

    def score_pairs(self, sources: Sequence[str], pairs: Sequence[Sequence[Pair]]) -> list[QualsResult]:
        """Score given pairs, such as those of :meth:`generate_pairs`, on the source at the same place: step 4.

        Each different source is encoded once for all its pairs, or for as many as one pass takes.
        """
        sources = list(map(plain, sources))
        unique = list(dict.fromkeys(sources))
        place = {source: index for index, source in enumerate(unique)}
        queues: list[list[Pair]] = [[] for _ in unique]
        spans = []
        for source, own_pairs in zip(sources, pairs, strict=True):
            queue = queues[place[source]]
            spans.append((place[source], len(queue), len(queue) + len(own_pairs)))
            queue.extend(own_pairs)
        if self.long_sources == "windows":
            windows = all_windows(self.qagen.tokenizer, unique, self.max_source_tokens, self.window_overlap)
        else:
            windows = self._first_window(unique)
        counts = Counter(windows.owners)
        scored = self._score_windows(windows, queues)
        nothing = self._under_nothing(pairs) if self.weighting == "information" else {}
        return [
            self._result(own_pairs, scored[source][first:last], nothing, counts[source], windows.truncated[source])
            for own_pairs, (source, first, last) in zip(pairs, spans, strict=True)
        ]

    def _under_nothing(self, pairs: Iterable[Iterable[Pair]]) -> dict[tuple[int, ...], tuple[float, ...]]:
        """Log-probabilities of each different pair, by its token ids, under a text without content."""
        different = list({pair.token_ids: pair for own_pairs in pairs for pair in own_pairs}.values())
        scored = self._score_windows(self._first_window([_NOTHING]), [different])[0]
        return {pair.token_ids: log_probs for pair, log_probs in zip(different, scored, strict=True)}

    def _score_windows(self, windows: Windows, queues: list[list[Pair]]) -> list[list[tuple[float, ...]]]:
        """Log-probabilities of each source's pairs, those of the window in which the pair is most likely."""
        best: list[list[tuple[float, ...]]] = [[()] * len(queue) for queue in queues]
        jobs: list[tuple[int, Sequence[int], range]] = []  # a source, a window of it, and which of its pairs
        for source, ids in zip(windows.owners, windows.input_ids, strict=True):
            sizes = [len(pair.token_ids) for pair in queues[source]]
            jobs += [(source, ids, range(len(sizes))[few]) for few in sliced(sizes, min(self.batch_tokens, _TREE))]
        batches = token_budget_batches(
            [len(ids) for _, ids, _ in jobs],
            self.batch_tokens,
            rows=[1] * len(jobs),
            widths=[sum(len(queues[source][place].token_ids) for place in places) for source, _, places in jobs],
        )
        for batch in batches:
            rows = [(at, jobs[job][0], i) for at, job in enumerate(batch) for i in jobs[job][2]]
            scores = self.teacher_forced(
                [jobs[job][1] for job in batch], [(at, queues[source][i].token_ids) for at, source, i in rows]
            )
            for (_, source, i), log_probs in zip(rows, scores, strict=True):
                known, pair = best[source][i], queues[source][i]
                if not known or self._likelihood(pair, log_probs) > self._likelihood(pair, known):
                    best[source][i] = log_probs
        return best

    def _likelihood(self, pair: Pair, log_probs: Sequence[float]) -> float:
        return weighted_mean(log_probs, self._answer_tokens(pair), self.weighting)

    def _answer_tokens(self, pair: Pair) -> int:
        return pair.token_ids.index(self.qagen.separator_id) + 1

    def _result(
        self,
        pairs: Sequence[Pair],
        log_probs: list[tuple[float, ...]],
        nothing: Mapping[tuple[int, ...], tuple[float, ...]],
        windows: int,
        truncated: bool,
    ) -> QualsResult:
        scored = tuple(
            ScoredPair(
                question=pair.question,
                answer=pair.answer,
                start=pair.start,
                end=pair.end,
                log_likelihood_summary=self._likelihood(pair, pair.log_probs),
                log_likelihood_source=self._likelihood(pair, source),
                tokens=tuple(self.qagen.tokenizer.convert_ids_to_tokens(list(pair.token_ids))),
                token_log_probs_summary=pair.log_probs,
                token_log_probs_source=source,
                answer_tokens=self._answer_tokens(pair),
                token_log_probs_nothing=nothing.get(pair.token_ids, ()),
            )
            for pair, source in zip(pairs, log_probs, strict=True)
        )
        if self.weighting == "information":
            texts = ((p.token_log_probs_source, p.token_log_probs_summary, p.token_log_probs_nothing) for p in scored)
            score = relative_loss(texts)
        else:
            score = mean_score([pair.score for pair in scored])
        return QualsResult(score, scored, windows, truncated)

    def teacher_forced(
        self, texts: Sequence[Sequence[int]], rows: Sequence[tuple[int, Sequence[int]]]
    ) -> list[tuple[float, ...]]:
        """Natural log-probabilities of each target's tokens given its text, in one pass of the model.

        Args:
            texts: token ids of the texts, as :meth:`tokenize` gives them.
            rows: (place in ``texts``, target token ids); places ascend, and each text has one row at least.
        """
        places = torch.tensor([place for place, _ in rows], device=self.device)
        return teacher_forced(self.qagen.model, self._encode(texts), places, [target for _, target in rows])

    def _encode(self, sequences: Sequence[Sequence[int]]) -> EncodedTexts:
        ids, mask = encode_texts(
            sequences, self.qagen.model.config.pad_token_id, self.device, most=self.max_source_tokens
        )
        with torch.inference_mode():
            return encode(self.qagen.model, ids, mask)
