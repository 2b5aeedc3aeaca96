"""Reranking: the best of several samples by a ranker. It needs no training, and is what training must beat."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, Value
from quals.errors import DataError, OptionError
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainer_ext.dataset import CANDIDATE_SCORES
from trainer_ext.mining import SamplingSettings, WorkFolder, mine
from trainer_ext.mining.columns import CANDIDATES, candidate_scores, values
from trainer_ext.mining.sampling import PAPER
from trainer_ext.mining.summarizer import load_summarizer
from trainer_ext.mining.table import REFERENCE, ROW, SOURCE, with_tokens
from trainer_ext.mining.texts import folded


@dataclass(frozen=True)
class Best:
    """The samples of one source, and which is the best.

    Attributes:
        candidates: the sampled summaries, in the order in which they were drawn.
        scores: the ranker's, one per candidate, higher is better; NaN where there is no score.
        place: place of the best among them: the highest score, of equals the first. Where none has a score, the first
            with a letter or digit. None where the source has no letter or digit, so that nothing was sampled.
    """

    candidates: list[str]
    scores: list[float]
    place: int | None

    @property
    def summary(self) -> str | None:
        """The best candidate; None where nothing was sampled."""
        return None if self.place is None else self.candidates[self.place]

    @property
    def score(self) -> float:
        """Its score; NaN where it has none."""
        return math.nan if self.place is None else self.scores[self.place]


def best_of(
    model: str | Path | PreTrainedModel,
    sources: Sequence[str],
    n: int = 6,
    ranker: Any = "quals",
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    references: Sequence[str] | None = None,
    sampling: SamplingSettings = PAPER,
    source_prefix: str = "",
    max_source_length: int | None = None,
    device: str | None = None,
    folder: Path | WorkFolder | None = None,
    progress: bool | None = None,
) -> list[Best]:
    """Sample ``n`` summaries of each source and find the best by a ranker.

    The samples are those of mining: they depend on model, sources and settings alone, and a killed run goes on.

    Args:
        model: folder or Hub name of a summarizer or of a decoder-only model, or the model itself with its
            ``tokenizer``.
        sources: texts, without instructions.
        n: number of summaries sampled per source.
        ranker: ``"quals"`` and what else :func:`trainer_ext.mining.resolve_ranker` takes.
        tokenizer: of a model that is given itself.
        references: one per source, for a ranker that compares with them. Its choice is then no fair summary, but the
            most that reranking could reach.
        sampling: how to sample; its ``num_candidates`` gives way to ``n``.
        source_prefix: text that the model expects before a source, such as ``"summarize: "``; for a decoder-only model
            the instruction, see :data:`trainer_ext.mining.prompts.INSTRUCTION`.
        max_source_length: most tokens of a source; None is what the model reads.
        device: where a named model computes; None is the best there is.
        folder: keeps finished work, so that a run killed at any moment goes on.
        progress: show bars; None shows them on a terminal.

    Returns:
        One :class:`Best` per source, in order.

    Raises:
        ValueError: a source is not a text, the model is not a summarizer, or an option is wrong.
        OSError: work could not be written, or another run works in the folder.

    Example:
        >>> best_of("my-summarizer", ["The bridge fell at noon."])[0].summary  # doctest: +SKIP
        'A bridge fell at noon.'
    """
    dataset = _dataset(sources, references)
    sampling = replace(sampling, num_candidates=n)
    if not len(dataset):
        return []
    if isinstance(model, (str, Path)):
        model, tokenizer = load_summarizer(str(model), device)
    elif tokenizer is None:
        raise OptionError("The model is given without its tokenizer: give both, or the model's folder or name.")
    ranked, _ = mine(
        model,
        with_tokens(dataset, model, tokenizer, source_prefix, max_source_length, max_length=sampling.max_length),
        tokenizer=tokenizer,
        ranker=ranker,
        sampling=sampling,
        steps=("sample", "score"),
        source_column=SOURCE,
        reference_column=None if references is None else REFERENCE,
        candidate_column=CANDIDATES,
        folder=folder,
        progress=progress,
    )
    result = [Best([], [], None)] * len(dataset)
    rows = zip(values(ranked, ROW), values(ranked, CANDIDATES), candidate_scores(ranked), strict=True)
    for row, candidates, scores in rows:
        result[row] = Best(candidates, scores, _best(candidates, scores))
    return result


def columns_of(best: Sequence[Best]) -> tuple[dict[str, list[Any]], Features]:
    """Columns for a table, ``best_candidate``, ``best_score``, ``candidates`` and ``candidate_scores``, and types.

    A missing score is None.
    """

    def plain(score: float) -> float | None:
        return None if math.isnan(score) else score

    columns: dict[str, list[Any]] = {
        "best_candidate": [one.summary for one in best],
        "best_score": [plain(one.score) for one in best],
        CANDIDATES: [one.candidates for one in best],
        CANDIDATE_SCORES: [[plain(score) for score in one.scores] for one in best],
    }
    types = (Value("string"), Value("float64"), [Value("string")], [Value("float64")])
    return columns, Features(dict(zip(columns, types, strict=True)))


def _best(candidates: Sequence[str], scores: Sequence[float]) -> int:
    scored = [place for place, score in enumerate(scores) if not math.isnan(score)]
    if scored:
        return max(scored, key=lambda place: scores[place])
    return next((place for place, text in enumerate(candidates) if folded(text)), 0)


def _dataset(sources: Sequence[str], references: Sequence[str] | None) -> Dataset:
    given = {SOURCE: sources} if references is None else {SOURCE: sources, REFERENCE: references}
    columns: dict[str, list[Any]] = {ROW: list(range(len(sources)))}
    for name, texts in given.items():
        if isinstance(texts, str) or len(texts) != len(sources):
            raise DataError(f"{name}s must be a list with one text per source: there are {len(texts)}.")
        wrong = next((row for row, text in enumerate(texts) if not isinstance(text, str)), None)
        if wrong is not None:
            raise DataError(f"The {name} {wrong} is {type(texts[wrong]).__name__}, not text: give a string.")
        columns[name] = list(texts)
    types = {ROW: Value("int64"), SOURCE: Value("string"), REFERENCE: Value("string")}
    return Dataset.from_dict(columns, features=Features({name: types[name] for name in columns}))
