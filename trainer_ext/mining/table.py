"""Rows of a file as a data set to mine, and a mined data set as rows of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
from datasets import Dataset
from quals.errors import DataError
from quals.inputs import whole_number
from quals.loading import longest_input
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainer_ext.dataset import CANDIDATE_LABELS, CANDIDATE_SCORES, REFERENCE_SCORE
from trainer_ext.io.tables import Rows, column_names, text_column, write_table
from trainer_ext.mining.columns import CANDIDATES, LABELS, TYPES, fits, values
from trainer_ext.mining.generation import is_decoder_only
from trainer_ext.mining.prompts import with_prompts

# Columns of the data set, beside those with names of their own in trainer_ext.dataset.
ROW, SOURCE, REFERENCE = "row", "source", "reference"
_ADDED = {"sample": (CANDIDATES, CANDIDATE_LABELS), "score": (CANDIDATE_SCORES, REFERENCE_SCORE), "select": ()}
_NEEDED = {"sample": (), "score": (CANDIDATES,), "select": (CANDIDATES, CANDIDATE_SCORES)}
_FORMS = {
    CANDIDATES: "a list of texts",
    CANDIDATE_LABELS: "a list of lists of token ids",
    CANDIDATE_SCORES: "a list of numbers, null where there is none",
    REFERENCE_SCORE: "a number or null",
}


@dataclass(frozen=True)
class MiningTable:
    """A file of documents, one per row, that some steps of mining work on.

    Args:
        path: the file, for messages.
        rows: what it holds, see :func:`trainer_ext.io.tables.read_table`.
        steps: steps of mining to do, see :func:`trainer_ext.mining.mine`.
        source_column: column of the source texts.
        reference_column: column of the reference summaries; None where there are none.

    Raises:
        DataError: the file has a column that a step adds.
    """

    path: Path
    rows: Rows
    steps: Sequence[str]
    source_column: str
    reference_column: str | None

    def __post_init__(self) -> None:
        added = [name for step in self.steps for name in _ADDED[step]]
        taken = [name for name in column_names(self.rows) if name in added]
        if taken:
            raise DataError(
                f"{self.path} has a column {taken[0]!r} already, which the output adds: rename it in the input."
            )

    def dataset(self) -> Dataset:
        """The rows with the columns ``row``, ``source``, perhaps ``reference``, and what earlier steps added.

        Raises:
            DataError: a column is missing, or holds something else than it should.
        """
        columns: dict[str, Any] = {ROW: list(range(len(self.rows)))}
        columns[SOURCE] = text_column(self.rows, self.source_column, "--source-column", self.path)
        if self.reference_column is not None:
            option = "--reference-column (or say --no-reference)"
            columns[REFERENCE] = text_column(self.rows, self.reference_column, option, self.path)
        names = column_names(self.rows)
        for name in _NEEDED[self.steps[0]]:
            if name not in names:
                raise DataError(
                    f"{self.path} has no column {name!r}, which the step {self.steps[0]!r} goes on from: give an "
                    "output of the step before it, or do that step too."
                )
        for name in TYPES if self.steps[0] != "sample" else ():
            if name in names:
                columns[name] = self._values(name)
        text = datasets.Value("string")
        types = {ROW: datasets.Value("int64"), SOURCE: text, REFERENCE: text, **TYPES}
        features = datasets.Features({name: types[name] for name in columns})
        return Dataset.from_dict(columns, features=features)

    def write(self, path: Path, mined: Dataset, new_targets: bool) -> None:
        """Write the rows that are left, with what the steps added, to ``path``.

        Args:
            path: JSON lines or parquet, see :func:`trainer_ext.io.tables.write_table`.
            mined: :meth:`dataset` after the steps.
            new_targets: whether a selection chose the references, from references and candidates.

        Raises:
            OSError: the file could not be written.
        """
        places = values(mined, ROW)
        added = {name: values(mined, name) for name in TYPES if name in mined.column_names}
        features = {name: TYPES[name] for name in added}
        if self.reference_column is not None and new_targets:
            added[self.reference_column] = values(mined, REFERENCE)
            features[self.reference_column] = mined.features[REFERENCE]
        kept = [name for name in column_names(self.rows) if name not in added]
        if isinstance(self.rows, Dataset):
            rows: Rows = self.rows.select(places).select_columns(kept)
        else:
            rows = [{name: value for name, value in self.rows[at].items() if name in kept} for at in places]
        write_table(path, rows, added, features)

    def _values(self, name: str) -> list[Any]:
        column = [row.get(name) for row in self.rows]
        for number, value in enumerate(column, start=1):
            if not fits(name, value):
                raise DataError(
                    f"{self.path}, row {number}: {name!r} is {str(value)[:40]!r}, and should be {_FORMS[name]}."
                )
        return column


def with_tokens(
    dataset: Dataset,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    source_prefix: str = "",
    max_source_length: int | None = None,
    max_target_length: int | None = None,
    max_length: int | None = None,
) -> Dataset:
    """With ``input_ids`` and, if there are references, ``labels``. What looks like a special token is text.

    For a decoder-only model see :func:`trainer_ext.mining.prompts.with_prompts`.

    Args:
        dataset: see :meth:`MiningTable.dataset`.
        model, tokenizer: what will read the tokens.
        source_prefix: text that the model expects before a source.
        max_source_length, max_target_length: most tokens, special tokens included; None is what the model reads.
        max_length: most tokens of a sample, for which a decoder-only model's prompt leaves room.

    Raises:
        OptionError: a length has no room for a word.
    """
    least = tokenizer.num_special_tokens_to_add() + 1
    for name, length in (("max_source_length", max_source_length), ("max_target_length", max_target_length)):
        whole_number(name, least if length is None else length, least)
    if is_decoder_only(model):
        reference = REFERENCE if REFERENCE in dataset.column_names else None
        return with_prompts(dataset, model, tokenizer, SOURCE, reference, source_prefix, max_source_length, max_length)
    limit = longest_input(model, tokenizer)
    options: dict[str, Any] = {"truncation": True, "split_special_tokens": True, "return_attention_mask": False}
    sources = [source_prefix + text for text in dataset[SOURCE]]
    columns = {"input_ids": tokenizer(sources, max_length=max_source_length or limit, **options)["input_ids"]}
    if REFERENCE in dataset.column_names:
        length = max_target_length or min(limit, getattr(model.config, "max_decoder_position_embeddings", limit))
        targets = tokenizer(text_target=list(dataset[REFERENCE]), max_length=length, **options)
        columns[LABELS] = targets["input_ids"]
    return datasets.concatenate_datasets([dataset, Dataset.from_dict(columns)], axis=1)
