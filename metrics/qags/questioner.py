"""Questions about a passage that given answers answer, by beam search."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from quals.batching import decode, encode_texts, token_budget_batches, tokenize
from quals.errors import OptionError
from quals.loading import Kind, load_checkpoint, longest_input, model_fingerprint
from quals.matmul import fast_products
from transformers import AutoModelForSeq2SeqLM, GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

_QUESTIONER = Kind(
    "question generator",
    "Give a checkpoint made by `quals train qagen --answer-first`, or another one with the template of its input.",
)
LONGEST_QUESTION = 40  # tokens
_FIELDS = ("{answer}", "{passage}")


@dataclass(frozen=True)
class Question:
    """A question as generated.

    Attributes:
        text: the question, without special tokens.
        log_likelihood: its log-likelihood given passage and answer, in nats per token; at most 0.
    """

    text: str
    log_likelihood: float


@dataclass(frozen=True)
class Questioner:
    """A sequence-to-sequence model that asks for given answers.

    Attributes:
        model: in evaluation mode.
        tokenizer: its tokenizer.
        separator_id: the separator of a model made by ``quals train qagen --answer-first``, whose decoder begins with
            answer and separator. None: answer and passage are written into the encoder's input by ``template``.
        template: how they are written, such as ``"answer: {answer}  context: {passage}"``.
        max_tokens: most tokens of the encoder's input.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    separator_id: int | None
    template: str
    max_tokens: int

    @cached_property
    def fingerprint(self) -> str:
        """Hash of weights, config, tokenizer and template."""
        return f"{model_fingerprint(self.model, self.tokenizer)} {self.template}"

    def ask(
        self,
        passages: Sequence[str],
        answers: Sequence[str],
        *,
        beams: int = 10,
        max_question_tokens: int = LONGEST_QUESTION,
        batch_tokens: int = 4096,
    ) -> list[list[Question]]:
        """``beams`` questions for each passage with the answer at its place, likely ones first.

        Args:
            passages, answers: as many passages as answers.
            beams: width of the search, 2 or more; all beams are given out.
            max_question_tokens: longest question.
            batch_tokens: most tokens, padding and beams included, that encoder or decoder take in one pass.
        """
        inputs, prefixes = self.inputs(passages, answers)
        shapes = list(map(len, prefixes))  # equal ones need no padding on the decoder's side
        batches = token_budget_batches(
            [beams * len(ids) for ids in inputs],
            batch_tokens,
            rows=[beams] * len(inputs),
            widths=[shape + max_question_tokens for shape in shapes],
            kinds=shapes,
        )
        questions: list[list[Question]] = [[] for _ in inputs]
        for batch in batches:
            generated = self._generate(
                [inputs[place] for place in batch], [prefixes[place] for place in batch], beams, max_question_tokens
            )
            for place, asked in zip(batch, generated, strict=True):
                questions[place] = asked
        return questions

    def truncated(self, passages: Sequence[str]) -> list[bool]:
        """Whether the end of each passage is not read, even with an empty answer."""
        if not passages:
            return []
        ids = tokenize(self.tokenizer, [self._filled(passage, "") for passage in passages])["input_ids"]
        return [len(sequence) > self.max_tokens for sequence in ids]

    def inputs(self, passages: Sequence[str], answers: Sequence[str]) -> tuple[list[list[int]], list[list[int]]]:
        """Token ids for the encoder, and for the beginning of the decoder's, of each passage and its answer."""
        start = self.model.config.decoder_start_token_id
        texts = [self._filled(passage, answer) for passage, answer in zip(passages, answers, strict=True)]
        if not texts:
            return [], []
        unique = list(dict.fromkeys(texts))
        ids = tokenize(self.tokenizer, unique, truncation=True, max_length=self.max_tokens)["input_ids"]
        known = dict(zip(unique, ids, strict=True))
        inputs = [list(known[text]) for text in texts]
        if self.separator_id is None:
            return inputs, [[start]] * len(texts)
        beginnings = tokenize(self.tokenizer, answers, add_special_tokens=False)["input_ids"]
        return inputs, [[start, *answer, self.separator_id] for answer in beginnings]

    def _filled(self, passage: str, answer: str) -> str:
        """What the encoder reads."""
        if self.separator_id is not None:
            return passage
        parts = re.split(r"(\{answer\}|\{passage\})", self.template)
        return "".join({"{answer}": answer, "{passage}": passage}.get(part, part) for part in parts)

    def search(self, beams: int, longest: int) -> GenerationConfig:
        """How questions of at most ``longest`` tokens are searched for; all beams are given out."""
        config = self.model.config
        return GenerationConfig(
            num_beams=beams,
            num_return_sequences=beams,
            max_new_tokens=longest,
            do_sample=False,
            length_penalty=1.0,
            early_stopping=True,
            eos_token_id=config.eos_token_id,
            pad_token_id=config.pad_token_id,
            decoder_start_token_id=config.decoder_start_token_id,
            return_dict_in_generate=True,
            output_scores=True,
        )

    def _generate(
        self, inputs: Sequence[Sequence[int]], prefixes: Sequence[Sequence[int]], beams: int, longest: int
    ) -> list[list[Question]]:
        config, device = self.model.config, self.model.device
        ids, mask = encode_texts(inputs, config.pad_token_id, device)  # (B, S)
        start = torch.tensor([list(prefix) for prefix in prefixes], device=device)  # (B, P)
        settings = self.search(beams, longest)
        with fast_products(self.model), torch.inference_mode():
            output = self.model.generate(  # type: ignore[operator]
                input_ids=ids, attention_mask=mask, decoder_input_ids=start, generation_config=settings
            )
        texts = decode(self.tokenizer, output.sequences[:, start.shape[1] :].tolist())
        scores = output.sequences_scores.tolist()
        questions = [Question(text, score) for text, score in zip(texts, scores, strict=True)]
        return [questions[first : first + beams] for first in range(0, len(questions), beams)]


def load_questioner(
    checkpoint: str,
    template: str | None = None,
    revision: str | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Questioner:
    """Load a question generator from a folder or the Hub.

    Args:
        checkpoint: one made by ``quals train qagen --answer-first``, or any other whose input ``template`` describes.
        template: how answer and passage are written for the encoder, with ``{answer}`` and ``{passage}``.
        revision: branch, tag or commit of a Hub model.
        device: where it computes.
        dtype: the weights' dtype in memory.

    Raises:
        CheckpointError: there is no such checkpoint, it is not an encoder-decoder, it needs a template, or it takes
            none because it writes the answer first.
        OptionError: the template lacks a field, or holds a special token.
    """
    if template is not None and not all(field in template for field in _FIELDS):
        raise OptionError(f"question_template is {template!r}: it must have {' and '.join(_FIELDS)} in it.")

    def check(config: Any) -> None:
        if not getattr(config, "is_encoder_decoder", False):
            reason = f"it is a {config.model_type} model, and a question generator is an encoder-decoder"
            raise _QUESTIONER.refused(checkpoint, reason)
        answer_first = isinstance(getattr(config, "questioner_separator", None), str)
        if template is not None and answer_first:
            reason = (
                "it was trained to write the answer first, and reads the passage alone: leave question_template out"
            )
            raise _QUESTIONER.refused(checkpoint, reason)
        if template is None and not answer_first:
            reason = "its config names no 'questioner_separator', and no question_template was given"
            raise _QUESTIONER.refused(checkpoint, reason)

    model, tokenizer = load_checkpoint(
        AutoModelForSeq2SeqLM, checkpoint, _QUESTIONER, check, revision=revision, device=device, dtype=dtype
    )
    # generate() fills in from here what it is not told, and a base that was a summarizer asks for long texts.
    model.generation_config = GenerationConfig()
    separator_id = None
    if template is None:
        separator = model.config.questioner_separator
        separator_id = tokenizer.get_vocab().get(separator)
        if separator_id is None:
            raise _QUESTIONER.refused(checkpoint, f"its separator {separator!r} is not one token of its tokenizer")
    elif marks := [mark for mark in tokenizer.all_special_tokens if mark in template]:
        raise OptionError(
            f"question_template is {template!r}: {', '.join(marks)} would be read as text there; take a generator "
            "whose input needs no special tokens."
        )
    return Questioner(model, tokenizer, separator_id, template or "", longest_input(model, tokenizer))
