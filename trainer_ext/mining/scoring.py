"""Step 2 of mining: a ranker's score for every candidate, and for the reference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from trainer_ext.dataset import CANDIDATE_SCORES, REFERENCE_SCORE
from trainer_ext.io.ahead import ahead
from trainer_ext.io.chunks import ALONE, Workers, WorkFolder, run_chunks
from trainer_ext.io.hashing import hash_json
from trainer_ext.mining.columns import with_columns
from trainer_ext.mining.ranker import Ranker
from trainer_ext.mining.rankers import resolve_ranker
from trainer_ext.mining.texts import candidate_texts, reference_texts, source_texts

VERSION = 1  # of the computation: changes when scores do
CHUNK = 8  # documents; a ranker's batches lie within, and a killed run loses no more


def score_candidates(
    dataset: Dataset,
    ranker: Any = "quals",
    tokenizer: PreTrainedTokenizerBase | None = None,
    *,
    source_prefix: str = "",
    source_column: str | None = None,
    reference_column: str | None = None,
    candidate_column: str | None = None,
    folder: Path | WorkFolder | None = None,
    workers: Workers = ALONE,
    progress: bool | None = None,
    chunk: int = CHUNK,
) -> Dataset:
    """Add the columns ``candidate_scores`` (a float per candidate) and ``reference_score``; NaN means no score.

    Args:
        dataset: has ``input_ids``, ``candidate_labels`` and perhaps ``labels``, or columns of texts instead.
        ranker: ``"quals"``, ``"rouge"``, ``"word_pairs"`` and what else :func:`resolve_ranker` takes.
        tokenizer: decodes tokens; not needed where all texts have columns.
        source_prefix: text before each source that the ranker must not see.
        source_column, reference_column, candidate_column: columns of texts (lists of texts for candidates), read
            instead of tokens.
        folder: keeps finished chunks, so that a killed run goes on; None keeps them in memory.
        workers: the processes that share the work, and then ``folder``.
        progress: show a bar; None shows one on a terminal.
        chunk: number of documents that are scored together and kept at once.

    Raises:
        ValueError: a column is missing, the ranker needs references that are not there, or gave something other than
            scores.
        OSError: a chunk could not be written, or another worker's cannot be read.
    """
    ranker = resolve_ranker(ranker)
    sources = source_texts(dataset, tokenizer, source_prefix, source_column)
    references = reference_texts(dataset, tokenizer, reference_column)
    candidates = candidate_texts(dataset, tokenizer, candidate_column)
    if references is None:
        ranker.require_no_reference()
    work, made_from = WorkFolder.at(folder), dict[str, Any]()
    if work.path is not None:
        texts = hash_json(sources=sources, references=references, candidates=candidates)
        made_from = {"version": VERSION, "ranker": ranker.name, "signature": ranker.signature, "texts": texts}
        made_from["documents_in_a_chunk"] = chunk
    store = work.open("scores", made_from, workers)

    def inputs(number: int) -> list[list[tuple[str, str, str]]]:
        """For each document of a chunk (source, summary, reference) of its candidates and, last, of its reference."""
        documents: list[list[tuple[str, str, str]]] = []
        for place in range(number * chunk, min((number + 1) * chunk, len(sources))):
            reference = "" if references is None else references[place]
            summaries = candidates[place] if references is None else [*candidates[place], reference]
            documents.append([(sources[place], summary, reference) for summary in summaries])
        return documents

    sizes = [min(chunk, len(sources) - first) for first in range(0, len(sources), chunk)]
    score = _Score(ranker, references is not None)
    workers = ahead(workers, ranker.processes)
    finished = run_chunks(store, sizes, score, workers, f"Scoring with {ranker.name}", progress, inputs=inputs)
    scores = [[math.nan if x is None else x for x in document] for documents in finished for document in documents]
    columns: dict[str, list[Any]]
    columns = {CANDIDATE_SCORES: [row[:-1] for row in scores], REFERENCE_SCORE: [row[-1] for row in scores]}
    return with_columns(dataset, columns)


@dataclass(frozen=True)
class _Score:
    """Scores the candidates of some documents, and their references. A pool sends it to its workers whole."""

    ranker: Ranker
    has_references: bool

    def to(self, device: str) -> None:
        self.ranker.to(device)

    def __call__(self, documents: list[list[tuple[str, str, str]]]) -> list[list[float | None]]:
        """For each document the scores of its candidates and, last, of its reference."""
        different = list(dict.fromkeys(row for rows in documents for row in rows))
        against = [reference for _, _, reference in different] if self.has_references else None
        scores = self.ranker([source for source, _, _ in different], [summary for _, summary, _ in different], against)
        known: dict[tuple[str, str, str], float | None]
        known = {row: None if math.isnan(x) else x for row, x in zip(different, scores, strict=True)}
        return [[known[row] for row in rows] + [None] * (not self.has_references) for rows in documents]
