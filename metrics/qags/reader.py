"""Answer questions from texts of any length: an extractive reader over windows, which may find no answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from quals.batching import PairWindows, cut_texts, pair_windows, sliced, tokenize
from quals.loading import Kind, load_checkpoint, longest_input, model_fingerprint
from quals.matmul import fast_products
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForQuestionAnswering, BatchEncoding, PreTrainedModel, PreTrainedTokenizerBase

LONGEST_ANSWER = 30  # tokens, as is usual for SQuAD
OVERLAP = 128  # tokens that neighbouring windows of a text share
_READER = Kind("reader", "Give an extractive question-answering model, such as `quals train reader` makes.")


@dataclass(frozen=True)
class Reading:
    """A reader's answer to a question from a text.

    Attributes:
        answer: a stretch of the text; empty where the reader finds none.
        margin: logit of the answer minus that of finding none; at most 0 where there is none.
        windows: number of windows that the text was read in.
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
        model: in evaluation mode; the first token's start and end logits mean that there is no answer.
        tokenizer: its tokenizer, which can say where it cuts.
        max_tokens: most tokens of question and text, or window, together.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    max_tokens: int

    @cached_property
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
        slice_characters: int = 2**21,
    ) -> list[Reading]:
        """Answer each question from the text at its place.

        Args:
            questions, texts: as many questions as texts.
            long_texts: ``"windows"`` reads all of a text that is too long, in windows; ``"truncate"`` its beginning.
            overlap: tokens that neighbouring windows share.
            batch_tokens: most tokens, padding included, in one pass.
            slice_characters: most characters that are tokenized together, which bounds memory.
        """
        sizes = [len(question) + len(text) for question, text in zip(questions, texts, strict=True)]
        return [
            reading
            for part in sliced(sizes, slice_characters)
            for reading in self._read(questions[part], texts[part], long_texts, overlap, batch_tokens)
        ]

    def can_answer(self, answers: Sequence[str]) -> list[bool]:
        """Whether each is short enough for an answer that :meth:`read` finds."""
        if not answers:
            return []
        ids = tokenize(self.tokenizer, answers, add_special_tokens=False)["input_ids"]
        return [len(sequence) <= LONGEST_ANSWER for sequence in ids]

    def _read(
        self, questions: Sequence[str], texts: Sequence[str], long_texts: str, overlap: int, batch_tokens: int
    ) -> list[Reading]:
        windows = pair_windows(
            self.tokenizer,
            cut_questions(questions, self.tokenizer, self.max_tokens),
            texts,
            cut="second",
            limit=self.max_tokens,
            overlap=min(overlap, self.max_tokens // 3),
            long_texts=long_texts,
            offsets=True,
        )
        spans: list[tuple[float, int, int]] = [(float("-inf"), 0, 0)] * len(questions)
        nothing = [float("inf")] * len(questions)
        for rows, batch in windows.batches(self.tokenizer, batch_tokens):
            for row, (score, start, end, none) in zip(rows, self._best(windows, rows, batch), strict=True):
                owner = windows.owners[row]
                nothing[owner] = min(nothing[owner], none)  # as is usual: a window without the answer says nothing
                if score > spans[owner][0]:
                    spans[owner] = (score, start, end)
        return [
            self._reading(text, span, none, count, long_texts == "truncate")
            for text, span, none, count in zip(texts, spans, nothing, windows.counts, strict=True)
        ]

    def _best(
        self, windows: PairWindows, rows: Sequence[int], batch: BatchEncoding
    ) -> list[tuple[float, int, int, float]]:
        """For each row the best span's logit, its characters in the text, and the logit of finding none."""
        with fast_products(self.model), torch.inference_mode():
            output = self.model(**batch.to(self.model.device))
        starts, ends = output.start_logits.float(), output.end_logits.float()  # (B, T)
        none = (starts[:, 0] + ends[:, 0]).tolist()
        offsets = [windows.offsets[row] for row in rows]
        inside = [torch.tensor([span is not None for span in spans]) for spans in offsets]
        allowed = pad_sequence(inside, batch_first=True).to(starts.device)  # (B, T)
        best = []
        for spans, (score, first, last), nothing in zip(offsets, best_spans(starts, ends, allowed), none, strict=True):
            left, right = spans[first], spans[last]
            if first < 0 or left is None or right is None:  # the text has no tokens
                best.append((float("-inf"), 0, 0, nothing))
            else:
                best.append((score, left[0], right[1], nothing))
        return best

    @staticmethod
    def _reading(text: str, span: tuple[float, int, int], none: float, count: int, first_only: bool) -> Reading:
        score, start, end = span
        answer = text[start:end].strip() if score > none else ""
        return Reading(answer, score - none, 1 if first_only else count, count > 1 and first_only)


def cut_questions(questions: Sequence[str], tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> list[str]:
    """The questions, long ones cut to a quarter of ``max_tokens``, so that there is room for the text."""
    return cut_texts(tokenizer, questions, max_tokens // 4)[0]


def best_spans(
    starts: Tensor, ends: Tensor, allowed: Tensor, longest: int = LONGEST_ANSWER
) -> list[tuple[float, int, int]]:
    """The best span of each row: the sum of its logits, its first and its last token; -1 where none is allowed.

    Args:
        starts, ends: ``(B, T)`` float, logits.
        allowed: ``(B, T)`` bool, tokens that a span may begin and end at.
        longest: most tokens of a span.
    """
    low = torch.finfo(starts.dtype).min / 4
    starts, ends = starts.masked_fill(~allowed, low), ends.masked_fill(~allowed, low)
    width = min(longest, starts.shape[1])
    padded = torch.nn.functional.pad(ends, (0, width - 1), value=low)  # (B, T + width - 1)
    sums = starts[:, :, None] + padded.unfold(1, width, 1)  # (B, T, width): spans by first token and length
    best, flat = sums.flatten(1).max(1)  # (B,)
    spans = []
    for score, place in zip(best.tolist(), flat.tolist(), strict=True):
        first, length = divmod(place, width)
        spans.append((score, first, first + length) if score > low else (float("-inf"), -1, -1))
    return spans


def load_reader(
    checkpoint: str,
    revision: str | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Reader:
    """Load a reader from a folder or the Hub.

    Args:
        checkpoint: a folder or a Hub name.
        revision: branch, tag or commit of a Hub model.
        device: where it computes.
        dtype: the weights' dtype in memory.

    Raises:
        CheckpointError: there is no such checkpoint, or it is not an extractive question-answering model.
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
    tokenizer.padding_side = tokenizer.truncation_side = "right"  # places in a row are counted from the left
    if not tokenizer.is_fast:
        raise _READER.refused(checkpoint, f"its tokenizer, {type(tokenizer).__name__}, cannot say where it cuts a text")
    return Reader(model, tokenizer, longest_input(model, tokenizer))
