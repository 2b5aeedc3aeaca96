"""QUALS, or another ranker, as a reward function for TRL: GRPOTrainer, RLOOTrainer and OnlineDPOTrainer."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from quals.errors import DataError, OptionError
from quals.inputs import whole_number
from quals.pairs import fold
from quals.rows import SOURCE_COLUMNS

from trainer_ext.mining.columns import is_number
from trainer_ext.mining.rankers import resolve_ranker

_RUN = 4  # words that are copied together
# What TRL passes beside the columns of the data set.
_NOT_COLUMNS = ("completion_ids", "trainer_state", "log_extra", "log_metric", "environments")


class SummaryReward:
    """A reward function in TRL's form; :func:`quals_reward` makes one and says what it computes.

    Attributes:
        signature: the ranker's, which changes when its scores do.
    """

    def __init__(
        self,
        ranker: Any,
        source_column: str | None,
        reference_column: str | None,
        max_characters: int | None,
        length_penalty: float,
        copy_penalty: float,
        no_score: float | None,
    ) -> None:
        whole_number("max_characters", 1 if max_characters is None else max_characters, 1)
        for name, value in (("length_penalty", length_penalty), ("copy_penalty", copy_penalty)):
            if not (is_number(value) and 0 <= value < math.inf):
                raise OptionError(f"{name} is {value!r}: give a number, 0 or more, which is taken off the score.")
        if no_score is not None and not (is_number(no_score) and math.isfinite(no_score)):
            raise OptionError(f"no_score is {no_score!r}: give a finite number, or None for no reward.")
        if ranker.needs_reference and reference_column is None:
            raise OptionError(
                f"The ranker {ranker.name} compares with reference summaries: name their column (reference_column)."
            )
        self.signature: str = ranker.signature
        self.__name__ = f"{ranker.name}_reward"  # TRL logs rewards/NAME/mean
        self._ranker = ranker
        self._columns = (source_column, reference_column)
        self._max_characters, self._length_penalty = max_characters, length_penalty
        self._copy_penalty, self._no_score = copy_penalty, no_score

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """One reward per completion; ``no_score``, so usually None, where the ranker has no score.

        Args:
            prompts: not read; TRL passes them.
            completions: texts, or conversations, each a list of messages.
            log_metric: TRL's; told the share of completions that have a score, as ``NAME/coverage``.
            columns: the data set's, each with one value per completion, and what else TRL passes.

        Raises:
            DataError: a column is missing or does not hold texts, or a completion is neither text nor conversation.
        """
        summaries = [completion_text(completion) for completion in completions]
        sources, references = self._texts(columns, len(summaries))
        read = [summary[: self._max_characters] for summary in summaries]
        rows = list(zip(sources, read, references or [""] * len(read), strict=True))
        different = list(dict.fromkeys(row for row in rows if row[1].strip()))
        against = None if references is None else [reference for _, _, reference in different]
        scores = self._ranker([source for source, _, _ in different], [text for _, text, _ in different], against)
        known = dict(zip(different, scores, strict=True))
        rewards = [
            self._reward(known.get(row, math.nan), row[0], summary)
            for row, summary in zip(rows, summaries, strict=True)
        ]
        if log_metric is not None and rows:
            scored = sum(not math.isnan(known.get(row, math.nan)) for row in rows)
            log_metric(f"{self.__name__}/coverage", scored / len(rows))
        return rewards

    def _reward(self, score: float, source: str, summary: str) -> float | None:
        if math.isnan(score):
            return self._no_score
        if self._max_characters is not None:
            score -= self._length_penalty * max(0.0, len(summary) / self._max_characters - 1)
        if self._copy_penalty:
            score -= self._copy_penalty * copied_share(source, summary)
        return score

    def _texts(self, columns: Mapping[str, Any], count: int) -> tuple[list[str], list[str] | None]:
        """Sources and references, one per completion."""
        source, reference = self._columns
        if source is None:
            source = next((name for name in SOURCE_COLUMNS if name in columns), SOURCE_COLUMNS[0])
        sources = _column(columns, source, "source_column", count)
        return sources, None if reference is None else _column(columns, reference, "reference_column", count)


def quals_reward(
    ranker: Any = "quals",
    *,
    source_column: str | None = None,
    reference_column: str | None = None,
    device: str | None = None,
    max_characters: int | None = 2000,
    length_penalty: float = 1.0,
    copy_penalty: float = 0.0,
    no_score: float | None = None,
    **options: Any,
) -> SummaryReward:
    """A reward function for TRL: a ranker's score of each completion against its source. Higher is better.

    The ranker sees each different completion once, in batches of its own. Completions are texts or conversations; of a
    conversation the last message counts, of a text with ``</think>`` what follows it.

    Args:
        ranker: ``"quals"`` (nats per token, usually at most 0), and what else
            :func:`trainer_ext.mining.resolve_ranker` takes: a scorer, a metric of evaluate, a function.
        source_column: column of the training data that holds the text that is summarized, without instructions; None
            takes the first of source, document, article, dialogue, context, text.
        reference_column: column of reference summaries, for rankers that compare with them.
        device: where QUALS computes; None is the best there is, in each process of a run its own GPU.
        max_characters: a completion is read up to here; None reads all.
        length_penalty: taken off the score for each ``max_characters`` that a completion is too long, in parts too.
        copy_penalty: taken off the score of a completion that is all copied, less where
            :func:`copied_share` is below 1. 0 allows copying.
        no_score: reward where there is no score, such as for an empty text. None is TRL's word for it; but
            OnlineDPOTrainer, and the others beside a second reward function, then count 0, which for QUALS is
            better than almost all scores: give there a number below the usual ones, such as -5.
        options: passed to :class:`quals.QualsScorer`.

    Raises:
        ValueError: an option is out of range, the ranker is none, or its checkpoint cannot be loaded.

    Example:
        >>> def shorter(sources, summaries, references):
        ...     return [-len(summary.split()) for summary in summaries]
        >>> reward = quals_reward(shorter, source_column="article", copy_penalty=10)
        >>> answer = [{"role": "assistant", "content": "Rain fell all day."}]
        >>> reward(["Sum up."] * 3, [answer, "It rained.", ""], article=["Rain fell all day. It was cold."] * 3)
        [-14.0, -2.0, None]
    """
    if ranker == "quals":
        options["device"] = _own_gpu() if device is None else device
    elif device is not None:
        options["device"] = device
    return SummaryReward(
        resolve_ranker(ranker, **options),
        source_column,
        reference_column,
        max_characters,
        length_penalty,
        copy_penalty,
        no_score,
    )


def completion_text(completion: Any) -> str:
    """The text of a completion in TRL's form, without what a model thought before it.

    Raises:
        DataError: it is neither a text nor a list of messages.

    Example:
        >>> completion_text([{"role": "assistant", "content": [{"type": "text", "text": "Rain."}]}])
        'Rain.'
        >>> completion_text("<think>Rain or snow?</think> Rain.")
        'Rain.'
        >>> completion_text("<think>Rain or")
        ''
    """
    text = completion
    if isinstance(completion, list) and all(isinstance(message, Mapping) for message in completion):
        text = completion[-1].get("content") or "" if completion else ""
        if isinstance(text, list):
            text = "".join(part.get("text") or "" for part in text if isinstance(part, Mapping))
    if not isinstance(text, str):
        raise DataError(f"A completion is {str(completion)[:60]!r}: give a text, or a list of messages with content.")
    if "</think>" in text:
        return text.rpartition("</think>")[2].strip()
    return text.partition("<think>")[0].strip()


def copied_share(source: str, summary: str) -> float:
    """Share of the summary's words that lie in a run of 4 or more which the source has too, from 0 to 1.

    Words are compared without case, accents and punctuation. A shorter summary is one run.

    Example:
        >>> copied_share("The old bridge fell into the river at noon.", "At noon the old bridge fell into the sea.")
        0.6666666666666666
    """
    words, known = ([word.folded for word in fold(text)] for text in (summary, source))
    length = min(_RUN, len(words))
    if not length:
        return 0.0
    runs = {tuple(known[at : at + length]) for at in range(len(known) - length + 1)}
    copied = set[int]()
    for at in range(len(words) - length + 1):
        if tuple(words[at : at + length]) in runs:
            copied.update(range(at, at + length))
    return len(copied) / len(words)


def _column(columns: Mapping[str, Any], name: str, option: str, count: int) -> list[str]:
    if name not in columns:
        there = ", ".join(repr(column) for column in columns if column not in _NOT_COLUMNS) or "none"
        raise DataError(
            f"The training data have no column {name!r} (columns that TRL passed beside prompt: {there}): name another "
            f"by {option}, and keep remove_unused_columns=False, TRL's default."
        )
    values = list(columns[name])
    if len(values) != count:
        raise DataError(f"The column {name!r} has {len(values)} values for {count} completions: give one for each.")
    wrong = next((value for value in values if not isinstance(value, str)), None)
    if wrong is not None or None in values:
        raise DataError(
            f"The column {name!r} holds {str(wrong)[:40]!r}, not text: give the text itself, in a column of its own."
        )
    return values


def _own_gpu() -> str | None:
    """This process's GPU where torchrun or accelerate started several; None leaves it to the scorer."""
    rank = os.environ.get("LOCAL_RANK", "")
    count = torch.cuda.device_count()
    return f"cuda:{int(rank) % count}" if rank.isdecimal() and count > 1 else None
