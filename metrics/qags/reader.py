"""Answer questions from texts of any length: an extractive reader over windows, which may find no answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from quals.batching import sliced, token_budget_batches
from quals.loading import Kind, load_checkpoint, longest_input, model_fingerprint
from quals.products import fast_products
from torch import Tensor
from transformers import AutoModelForQuestionAnswering, PreTrainedModel, PreTrainedTokenizerBase

LONGEST_ANSWER = 30  # tokens, as is usual for SQuAD
OVERLAP = 128  # tokens that neighbouring windows of a text share
_READER = Kind("reader", "Give an extractive question-answering model that `quals train-reader` made, say.")


@dataclass(frozen=True)
class Reading:
    """What a reader makes of a question and a text.

    Attributes:
        answer: a stretch of the text; empty where the reader finds none.
        margin: how much better it is, in logits, than finding none; at most 0 where there is none.
        windows: texts that the text was read as.
        truncated: whether the end of the text was not read.
    """

    answer: str
    margin: float
    windows: int
    truncated: bool


@dataclass(frozen=True)
class Reader:
    """An extractive question-answering model (SQuAD 2.0).

    Attributes:
        model: in evaluation mode; of start and end logits, those of the first token mean: there is no answer.
        tokenizer: its tokenizer, which can say where it cuts.
        max_tokens: of question and text, or window, together.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    max_tokens: int

    @property
    def fingerprint(self) -> str:
        """Hash of weights, config and tokenizer."""
        return model_fingerprint(self.model, self.tokenizer)

    def read(
        self,
        questions: Sequence[str],
        texts: Sequence[str],
        *,
        long_texts: str = "windows",
        overlap: int = OVERLAP,
        batch_tokens: int = 4096,
    ) -> list[Reading]:
        """Answer each question from the text at its place.

        Args:
            questions, texts: as many of one as of the other.
            long_texts: ``"windows"`` reads all of a text that is too long, in windows; ``"truncate"`` its beginning.
            overlap: tokens that neighbouring windows share.
            batch_tokens: most tokens, padding included, in one pass.
        """
        slices = sliced([len(question) + len(text) for question, text in zip(questions, texts, strict=True)])
        return [
            reading
            for some in slices
            for reading in self._read(questions[some], texts[some], long_texts, overlap, batch_tokens)
        ]

    def can_answer(self, answers: Sequence[str]) -> list[bool]:
        """Whether each is short enough for an answer that :meth:`read` finds."""
        if not answers:
            return []
        ids = self.tokenizer(list(answers), add_special_tokens=False, split_special_tokens=True, verbose=False)[
            "input_ids"
        ]
        return [len(mine) <= LONGEST_ANSWER for mine in ids]

    def _read(
        self, questions: Sequence[str], texts: Sequence[str], long_texts: str, overlap: int, batch_tokens: int
    ) -> list[Reading]:
        rows = self._rows(questions, texts, overlap)
        owners = list(rows.pop("overflow_to_sample_mapping"))
        counts = [0] * len(questions)
        for owner in owners:
            counts[owner] += 1
        places = list(range(len(owners)))
        if long_texts == "truncate":
            places = [place for place in places if place == 0 or owners[place] != owners[place - 1]]
        offsets = rows.pop("offset_mapping")
        spans: list[tuple[float, int, int] | None] = [None] * len(questions)
        nothing = [float("inf")] * len(questions)
        lengths = [len(rows["input_ids"][place]) for place in places]
        for batch in token_budget_batches(lengths, [0] * len(lengths), [0] * len(lengths), batch_tokens):
            chosen = [places[at] for at in batch]
            for place, (score, start, end, none) in zip(chosen, self._best(rows, offsets, chosen), strict=True):
                owner = owners[place]
                nothing[owner] = min(nothing[owner], none)  # as is usual: a window without the answer says nothing
                known = spans[owner]
                if known is None or score > known[0]:
                    spans[owner] = (score, start, end)
        return [
            self._reading(text, span, none, count, long_texts == "truncate")
            for text, span, none, count in zip(texts, spans, nothing, counts, strict=True)
        ]

    def _rows(self, questions: Sequence[str], texts: Sequence[str], overlap: int) -> dict[str, Any]:
        """Question and window a row; offsets are None but for the text's own tokens."""
        encoded = self.tokenizer(
            cut_questions(questions, self.tokenizer, self.max_tokens),
            list(texts),
            truncation="only_second",
            max_length=self.max_tokens,
            stride=min(overlap, self.max_tokens // 3),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            split_special_tokens=True,
            verbose=False,
        )
        rows = dict(encoded)
        rows["offset_mapping"] = [
            [span if kind == 1 else None for span, kind in zip(mine, encoded.sequence_ids(place), strict=True)]
            for place, mine in enumerate(encoded["offset_mapping"])
        ]
        return rows

    def _best(
        self, rows: dict[str, Any], offsets: Sequence[Sequence[Any]], places: Sequence[int]
    ) -> list[tuple[float, int, int, float]]:
        """Of each row: the best span's logit, its characters in the text, and the logit of finding none."""
        batch = self.tokenizer.pad(
            {name: [values[place] for place in places] for name, values in rows.items()}, return_tensors="pt"
        ).to(self.model.device)
        with fast_products(self.model), torch.inference_mode():
            output = self.model(**batch)
        starts, ends = output.start_logits.float(), output.end_logits.float()  # (B, T)
        none = (starts[:, 0] + ends[:, 0]).tolist()
        longest = starts.shape[1]
        inside = [[span is not None for span in offsets[place]] for place in places]
        allowed = torch.tensor(
            [mine + [False] * (longest - len(mine)) for mine in inside], device=starts.device
        )  # (B, T)
        found = best_spans(starts, ends, allowed)
        results = []
        for place, (score, first, last), nothing in zip(places, found, none, strict=True):
            if first < 0:  # the text has no tokens
                results.append((float("-inf"), 0, 0, nothing))
            else:
                results.append((score, offsets[place][first][0], offsets[place][last][1], nothing))
        return results

    @staticmethod
    def _reading(text: str, span: tuple[float, int, int] | None, none: float, count: int, first_only: bool) -> Reading:
        score, start, end = span or (float("-inf"), 0, 0)
        answer = text[start:end].strip() if score > none else ""
        return Reading(answer, score - none, 1 if first_only else count, count > 1 and first_only)


def cut_questions(questions: Sequence[str], tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> list[str]:
    """The questions, long ones cut to a quarter of ``max_tokens``, so that there is room for the text."""
    longest = max_tokens // 4
    spans = tokenizer(
        list(questions), add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=True, verbose=False
    )["offset_mapping"]
    return [
        question[: mine[longest - 1][1]] if len(mine) > longest else question
        for question, mine in zip(questions, spans, strict=True)
    ]


def best_spans(
    starts: Tensor, ends: Tensor, allowed: Tensor, longest: int = LONGEST_ANSWER
) -> list[tuple[float, int, int]]:
    """The best span of each row: the sum of its logits, its first and its last token; -1 where none is allowed.

    Args:
        starts, ends: ``(B, T)`` float, logits.
        allowed: ``(B, T)`` bool, tokens that a span may begin and end at.
        longest: tokens of a span.
    """
    low = torch.finfo(starts.dtype).min / 4
    starts, ends = starts.masked_fill(~allowed, low), ends.masked_fill(~allowed, low)
    width = min(longest, starts.shape[1])
    padded = torch.nn.functional.pad(ends, (0, width - 1), value=low)  # (B, T + width - 1)
    sums = starts[:, :, None] + padded.unfold(1, width, 1)  # (B, T, width): spans by first token and length
    best, flat = sums.flatten(1).max(1)  # (B,)
    found = []
    for score, place in zip(best.tolist(), flat.tolist(), strict=True):
        first, length = divmod(place, width)
        found.append((score, first, first + length) if score > low else (float("-inf"), -1, -1))
    return found


def load_reader(
    checkpoint: str,
    revision: str | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Reader:
    """Load a reader from a folder or the Hub.

    Raises:
        ValueError: it is not to be found, or is no extractive question-answering model.
    """
    model, tokenizer = load_checkpoint(
        AutoModelForQuestionAnswering,
        checkpoint,
        _READER,
        lambda config: None,
        revision=revision,
        device=device,
        dtype=dtype,
    )
    tokenizer.padding_side = tokenizer.truncation_side = "right"  # as places in a row are counted
    if not tokenizer.is_fast:
        raise _READER.refused(checkpoint, f"its tokenizer, {type(tokenizer).__name__}, cannot say where it cuts a text")
    return Reader(model, tokenizer, longest_input(model, tokenizer))
