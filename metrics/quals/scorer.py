"""QUALS as a plain class: texts in, scores and the pairs behind them out. The one public way in."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from tqdm.auto import tqdm

from .batching import LONG_SOURCES, Windows, all_windows, encode_texts, first_window, token_budget_batches
from .checkpoint import QAGen, load_qagen
from .chunks import score_in_chunks
from .decoding import DecodingSettings, EncodedTexts, Hypothesis, diverse_greedy, encode, teacher_forced
from .inputs import require, whole_number
from .loading import DTYPES, require_loaded_as, usable_device
from .pairs import Pair, Word, find_answer, fold, select
from .products import fast_products
from .results import WEIGHTINGS, QualsResult, ScoredPair, weighted_mean

VERSION = "1"  # of the computation: changes when scores do
_CHUNK = 256  # summaries sorted and batched together


class QualsScorer:
    """Scores how well the facts of summaries hold in their sources (Nan et al. 2021, QUALS).

    A QAGen generates question-answer pairs from a summary; QUALS is the mean over the pairs of their log-likelihood
    under the source less that under the summary, in nats a token. Higher is better; it is usually at most 0.

    Args:
        checkpoint: folder or Hub name of a QAGen; None is the embedded one. A loaded :class:`~quals.checkpoint.QAGen`
            is used as it is, with no weights read again.
        revision: of a Hub model.
        device: ``"cuda"``, ``"mps"``, ``"cpu"``, ...; None takes the first of these that is there.
        dtype: of the computation, e.g. ``"float32"`` (default) or ``"bfloat16"``.
        batch_tokens: most tokens, padding included, that the encoder or the decoder takes in one pass (a longer text is
            a pass of its own); None is 4,096 on a CPU, else 32,768.
        num_groups: sequences generated from each summary.
        diversity: penalty in nats for a token that an earlier group chose at the same step.
        max_pairs: most pairs a summary is scored by.
        min_tokens, max_tokens: bounds of a generated sequence's length, its end not counted.
        long_sources: ``"windows"`` reads all of a long source in overlapping windows, and a pair counts with the window
            that supports it best; a maximum over windows can only raise a score. ``"truncate"`` reads the source's
            first ``max_source_tokens`` tokens, as the paper does.
        max_source_tokens: None is the model's limit.
        window_overlap: tokens that neighbouring windows share; None is a quarter of ``max_source_tokens``.
        weighting: ``"tokens"`` (the paper), ``"answer"`` or ``"balanced"``, see :func:`quals.results.weighted_mean`.

    Raises:
        ValueError: an option is out of range, or the checkpoint is no QAGen.

    Example:
        >>> scorer = QualsScorer()
        >>> result, = scorer.score(["The cat sat on the mat."], ["The cat sat on the mat."])
        >>> abs(result.score) < 1e-4
        True
    """

    def __init__(
        self,
        checkpoint: str | QAGen | None = None,
        *,
        revision: str | None = None,
        device: str | None = None,
        dtype: str = "float32",
        batch_tokens: int | None = None,
        num_groups: int = 60,
        diversity: float = 0.5,
        max_pairs: int = 10,
        min_tokens: int = 8,
        max_tokens: int = 60,
        long_sources: str = "windows",
        max_source_tokens: int | None = None,
        window_overlap: int | None = None,
        weighting: str = "tokens",
    ) -> None:
        whole_number("num_groups", num_groups, 1)
        require(
            isinstance(diversity, int | float) and math.isfinite(diversity) and diversity >= 0,
            f"diversity is {diversity!r}: give 0 or more nats.",
        )
        whole_number("max_pairs", max_pairs, 1)
        whole_number("min_tokens", min_tokens, 0)
        whole_number("max_tokens", max_tokens, 0)
        require(min_tokens <= max_tokens, f"min_tokens {min_tokens} must lie between 0 and max_tokens {max_tokens}.")
        whole_number("batch_tokens", 1 if batch_tokens is None else batch_tokens, 1)
        require(long_sources in LONG_SOURCES, f"long_sources is {long_sources!r}: give one of {LONG_SOURCES}.")
        require(weighting in WEIGHTINGS, f"weighting is {weighting!r}: give one of {WEIGHTINGS}.")
        require(dtype in DTYPES, f"dtype is {dtype!r}: give one of {tuple(DTYPES)}.")
        if isinstance(checkpoint, QAGen):
            self.qagen, self.device = checkpoint, checkpoint.model.device
            require_loaded_as("QAGen", checkpoint.model, device, dtype)
        else:
            self.device = usable_device(device)
            self.qagen = load_qagen(checkpoint, revision, self.device, DTYPES[dtype])
        positions = getattr(self.qagen.model.config, "max_position_embeddings", None)
        require(
            positions is None or max_tokens < positions,
            f"max_tokens is {max_tokens}: this checkpoint's decoder has {positions} positions, so give less.",
        )
        limit = self.qagen.max_source_tokens
        whole_number("max_source_tokens", limit if max_source_tokens is None else max_source_tokens, 8)
        whole_number("window_overlap", 0 if window_overlap is None else window_overlap, 0)
        self.max_source_tokens = limit if max_source_tokens is None else max_source_tokens
        require(
            self.max_source_tokens <= limit,
            f"max_source_tokens is {max_source_tokens}: this checkpoint takes 8 to {limit}.",
        )
        self.window_overlap = self.max_source_tokens // 4 if window_overlap is None else window_overlap
        require(
            0 <= self.window_overlap < self.max_source_tokens - 2,
            f"window_overlap is {window_overlap}: give 0 or more, well below the {self.max_source_tokens} of a window.",
        )
        self.decoding = DecodingSettings(num_groups, diversity, min_tokens, max_tokens)
        self.max_pairs = max_pairs
        self.long_sources = long_sources
        self.weighting = weighting
        self.dtype = dtype
        self.batch_tokens = batch_tokens or (4096 if self.device.type == "cpu" else 32768)

    @property
    def signature(self) -> str:
        """Hash over model, tokenizer, settings and version: scores with one signature are comparable."""
        settings = {
            **asdict(self.decoding),
            "qagen": self.qagen.fingerprint,
            "max_pairs": self.max_pairs,
            "long_sources": self.long_sources,
            "max_source_tokens": self.max_source_tokens,
            "window_overlap": self.window_overlap if self.long_sources == "windows" else None,
            "weighting": self.weighting,
            "dtype": self.dtype,
        }
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
        return f"quals-v{VERSION}-{digest[:12]}"

    def score(
        self, sources: Iterable[str], summaries: Iterable[str], *, progress: bool | None = None
    ) -> list[QualsResult]:
        """Score every summary against the source at the same place.

        Args:
            sources, summaries: texts; any iterables of the same length, one text at least.
            progress: show a progress bar; None shows one on a terminal.

        Returns:
            One result a summary, in order. A result depends on its own two texts alone, to rounding: where two tokens
            are as good as equally likely, other company in a batch can tip the choice.

        Raises:
            ValueError: something is no text, there are none, or more of one than of the other. In lists this is found
                before anything is scored.
        """
        return list(self.iter_score(sources, summaries, progress=progress))

    def iter_score(
        self, sources: Iterable[str], summaries: Iterable[str], *, progress: bool | None = None
    ) -> Iterator[QualsResult]:
        """As :meth:`score`, but lazily: a few hundred texts are read, scored and given out at a time."""
        return score_in_chunks(sources, summaries, self._score_chunk, size=_CHUNK, name="QUALS", progress=progress)

    def _score_chunk(self, chunk: list[tuple[str, str]], bar: Any) -> list[QualsResult]:
        rows = list(dict.fromkeys(chunk))
        summaries = list(dict.fromkeys(summary for _, summary in rows))
        surviving = self._surviving_pairs(summaries, bar)
        pairs = {s: select(found, self.max_pairs) for s, found in zip(summaries, surviving, strict=True)}
        scores = self.score_pairs([source for source, _ in rows], [pairs[summary] for _, summary in rows])
        cut = dict(zip(summaries, self._first_window(summaries).truncated, strict=True))
        signature = self.signature
        results = {
            (source, summary): replace(
                score, summary_truncated=cut[summary], source=source, summary=summary, signature=signature
            )
            for (source, summary), score in zip(rows, scores, strict=True)
        }
        bar.update(len(chunk) - len(summaries))
        return [results[row] for row in chunk]

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, special tokens included, cut at ``max_source_tokens``."""
        return self._first_window(texts).input_ids

    def _first_window(self, texts: Sequence[str]) -> Windows:
        return first_window(self.qagen.tokenizer, texts, self.max_source_tokens)

    def generate_pairs(self, summaries: Sequence[str]) -> list[list[Pair]]:
        """All question-answer pairs that each summary backs, of ``num_groups`` generated, in the order generated."""
        with tqdm(disable=True) as bar:
            return self._surviving_pairs(summaries, bar)

    def _surviving_pairs(self, summaries: Sequence[str], bar: Any) -> list[list[Pair]]:
        """Steps 1 and 2 of the method for every summary."""
        ids = self.tokenize(summaries)
        found: list[list[Pair]] = [[] for _ in summaries]
        lengths, rows = [len(sequence) for sequence in ids], [self.decoding.num_groups] * len(ids)
        for batch in token_budget_batches(lengths, rows, [1] * len(ids), self.batch_tokens):
            texts = self._encode([ids[index] for index in batch])
            with fast_products(self.qagen.model):
                generated = diverse_greedy(self.qagen.model, texts, self.decoding)
            for index, hypotheses in zip(batch, generated, strict=True):
                found[index] = self.parse(summaries[index], hypotheses)
            bar.update(len(batch))
        return found

    def parse(self, summary: str, hypotheses: Iterable[Hypothesis]) -> list[Pair]:
        """The hypotheses that are question-answer pairs which the summary backs."""
        words = fold(summary)
        return [pair for hypothesis in hypotheses if (pair := self._parse(hypothesis, words))]

    def _parse(self, hypothesis: Hypothesis, summary_words: Sequence[Word]) -> Pair | None:
        tokenizer, separator = self.qagen.tokenizer, self.qagen.separator_id
        ids = list(hypothesis.token_ids)
        if ids.count(separator) != 1 or (tokenizer.unk_token_id is not None and tokenizer.unk_token_id in ids):
            return None
        middle = ids.index(separator)
        question = str(tokenizer.decode(ids[:middle], skip_special_tokens=True)).strip()
        answer = str(tokenizer.decode(ids[middle + 1 :], skip_special_tokens=True)).strip()
        span = find_answer(answer, summary_words) if question and answer else None
        if span is None:
            return None
        return Pair(question, answer, *span, hypothesis.token_ids, hypothesis.log_probs)

    def score_pairs(self, sources: Sequence[str], pairs: Sequence[Sequence[Pair]]) -> list[QualsResult]:
        """Score given pairs (of :meth:`generate_pairs`, say) on the source at the same place; step 4 of the method.

        Each different source is encoded once for all its pairs, or for as many as one pass takes.
        """
        unique = list(dict.fromkeys(sources))
        place = {source: index for index, source in enumerate(unique)}
        queues: list[list[Pair]] = [[] for _ in unique]
        spans = []
        for source, mine in zip(sources, pairs, strict=True):
            queue = queues[place[source]]
            spans.append((place[source], len(queue), len(queue) + len(mine)))
            queue.extend(mine)
        if self.long_sources == "windows":
            windows = all_windows(self.qagen.tokenizer, unique, self.max_source_tokens, self.window_overlap)
        else:
            windows = self._first_window(unique)
        counts = Counter(windows.owners)
        scored = self._score_windows(windows, queues)
        return [
            self._result(mine, scored[source][first:last], counts[source], windows.truncated[source])
            for mine, (source, first, last) in zip(pairs, spans, strict=True)
        ]

    def _score_windows(self, windows: Windows, queues: list[list[Pair]]) -> list[list[tuple[float, ...]]]:
        """Log-probabilities of each source's pairs, each pair's from the window in which it is most likely."""
        best: list[list[tuple[float, ...]]] = [[()] * len(queue) for queue in queues]
        widths = [max((len(pair.token_ids) for pair in queue), default=0) for queue in queues]
        jobs: list[tuple[int, Sequence[int], range]] = []  # a source, a window of it, and which of its pairs
        for source, ids in zip(windows.owners, windows.input_ids, strict=True):
            count = len(queues[source])
            most = max(1, self.batch_tokens // max(1, widths[source]))
            jobs += [(source, ids, range(i, min(i + most, count))) for i in range(0, count, most)]
        batches = token_budget_batches(
            [len(ids) for _, ids, _ in jobs],
            [len(mine) for _, _, mine in jobs],
            [widths[source] for source, _, _ in jobs],
            self.batch_tokens,
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
        self, pairs: Sequence[Pair], log_probs: list[tuple[float, ...]], windows: int, truncated: bool
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
            )
            for pair, source in zip(pairs, log_probs, strict=True)
        )
        score = sum(pair.score for pair in scored) / len(scored) if scored else float("nan")
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
        with fast_products(self.qagen.model):
            return teacher_forced(self.qagen.model, self._encode(texts), places, [target for _, target in rows])

    def _encode(self, sequences: Sequence[Sequence[int]]) -> EncodedTexts:
        ids, mask = encode_texts(sequences, self.qagen.model.config.pad_token_id, self.device)
        with fast_products(self.qagen.model), torch.inference_mode():
            return encode(self.qagen.model, ids, mask)
