"""Step 2 of mining: a ranker's score for every candidate, and for the reference."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from trainer_ext.dataset import CANDIDATE_SCORES, REFERENCE_SCORE
from trainer_ext.io.hashing import hash_json
from trainer_ext.mining.columns import with_columns
from trainer_ext.mining.rankers import Ranker
from trainer_ext.mining.store import ALONE, Workers, open_store, run_chunks
from trainer_ext.mining.texts import candidate_texts, reference_texts, source_texts

VERSION = 1  # of the computation: changes when scores do
CHUNK = 64  # documents; a ranker's batches lie within


def score_candidates(
    dataset: Dataset,
    ranker: Ranker,
    tokenizer: PreTrainedTokenizerBase | None = None,
    *,
    source_prefix: str = "",
    source_column: str | None = None,
    reference_column: str | None = None,
    candidate_column: str | None = None,
    folder: Path | None = None,
    workers: Workers = ALONE,
    progress: bool | None = None,
) -> Dataset:
    """Add the columns ``candidate_scores`` (a float for each candidate) and ``reference_score``; NaN is no score.

    Args:
        dataset: has ``input_ids``, ``candidate_labels`` and perhaps ``labels``, or columns of text for them.
        ranker: see :func:`trainer_ext.mining.rankers.resolve_ranker`.
        tokenizer: makes texts of tokens; not needed where all texts have columns.
        source_prefix: what was put before each source, and is no part of it.
        source_column, reference_column, candidate_column: of texts (lists of them for candidates), read instead.
        folder: keeps finished chunks, so that a killed run goes on; None keeps them in memory.
        workers: the processes that share the work, and then ``folder``.
        progress: show a bar; None shows one on a terminal.

    Raises:
        ValueError: a column is missing, the ranker needs references that are not there, or gave no scores.
        OSError: a chunk could not be written, or not be read from another worker.
    """
    sources = source_texts(dataset, tokenizer, source_prefix, source_column)
    references = reference_texts(dataset, tokenizer, reference_column)
    candidates = candidate_texts(dataset, tokenizer, candidate_column)
    if references is None:
        ranker.require_no_reference()
    made_from: dict[str, Any] = {}
    if folder is not None:
        texts = hash_json(sources=sources, references=references, candidates=candidates)
        made_from = {"version": VERSION, "ranker": ranker.name, "signature": ranker.signature, "texts": texts}
        made_from["documents_in_a_chunk"] = CHUNK
    store = open_store(folder, "scores", made_from, workers)

    def score(number: int) -> list[list[float | None]]:
        """For each document of a chunk the scores of its candidates and, last, of its reference."""
        rows: list[list[tuple[str, str, str]]] = []
        for place in range(number * CHUNK, min((number + 1) * CHUNK, len(sources))):
            reference = "" if references is None else references[place]
            summaries = candidates[place] if references is None else [*candidates[place], reference]
            rows.append([(sources[place], summary, reference) for summary in summaries])
        different = list(dict.fromkeys(row for mine in rows for row in mine))
        against = None if references is None else [reference for _, _, reference in different]
        scores = ranker([source for source, _, _ in different], [summary for _, summary, _ in different], against)
        known: dict[tuple[str, str, str], float | None]
        known = {row: None if math.isnan(x) else x for row, x in zip(different, scores, strict=True)}
        return [[known[row] for row in mine] + [None] * (references is None) for mine in rows]

    sizes = [min(CHUNK, len(sources) - first) for first in range(0, len(sources), CHUNK)]
    finished = run_chunks(store, sizes, score, workers, f"Scoring with {ranker.name}", progress)
    scored = [[math.nan if x is None else x for x in mine] for chunk in finished for mine in chunk]
    ours, theirs = [mine[:-1] for mine in scored], [mine[-1] for mine in scored]
    return with_columns(dataset, {CANDIDATE_SCORES: ours, REFERENCE_SCORE: theirs})
