"""Questions about a passage that given answers answer, by beam search."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from quals.batching import encode_texts
from quals.loading import Kind, load_checkpoint, longest_input, model_fingerprint
from quals.products import fast_products
from transformers import AutoModelForSeq2SeqLM, GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

_QUESTIONER = Kind(
    "question generator",
    "Give a checkpoint made by `quals train-qagen --answer-first`, or another one with the template of its input.",
)
LONGEST_QUESTION = 40  # tokens
_FIELDS = ("{answer}", "{passage}")


@dataclass(frozen=True)
class Question:
    """A question as generated.

    Attributes:
        text: without special tokens.
        log_likelihood: given passage and answer, in nats a token.
    """

    text: str
    log_likelihood: float


@dataclass(frozen=True)
class Questioner:
    """A sequence-to-sequence model that asks for given answers.

    Attributes:
        model: in evaluation mode.
        tokenizer: its tokenizer.
        separator_id: of a model made by ``quals train-qagen --answer-first``: its decoder is made to begin with answer
            and separator. None: answer and passage are written into the encoder's input by ``template``.
        template: such as ``"answer: {answer}  context: {passage}"``.
        max_tokens: of the encoder's input.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    separator_id: int | None
    template: str
    max_tokens: int

    @property
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
            passages, answers: as many of one as of the other.
            beams: of the search, 2 or more, all of which are given out.
            max_question_tokens: longest question.
            batch_tokens: most tokens, padding and beams included, that encoder or decoder take in one pass.
        """
        inputs, prefixes = self.inputs(passages, answers)
        by_shape: dict[int, list[int]] = defaultdict(list)  # equal prefixes need no padding on the decoder's side
        for place in sorted(range(len(inputs)), key=lambda place: -len(inputs[place])):
            by_shape[len(prefixes[place])].append(place)
        found: list[list[Question]] = [[] for _ in inputs]
        for same in by_shape.values():
            for batch in _batches(same, inputs, beams, len(prefixes[same[0]]) + max_question_tokens, batch_tokens):
                rows = self._generate(
                    [inputs[i] for i in batch], [prefixes[i] for i in batch], beams, max_question_tokens
                )
                for place, questions in zip(batch, rows, strict=True):
                    found[place] = questions
        return found

    def truncated(self, passages: Sequence[str]) -> list[bool]:
        """Whether the end of each passage is not read, were the answer empty."""
        filled = [self._filled(passage, "") for passage in passages]
        ids = self.tokenizer(filled, split_special_tokens=True, verbose=False)["input_ids"]
        return [len(mine) > self.max_tokens for mine in ids]

    def inputs(self, passages: Sequence[str], answers: Sequence[str]) -> tuple[list[list[int]], list[list[int]]]:
        """Token ids for the encoder, and for the beginning of the decoder's, of each passage and its answer."""
        start = self.model.config.decoder_start_token_id
        texts = [self._filled(passage, answer) for passage, answer in zip(passages, answers, strict=True)]
        if not texts:
            return [], []
        inputs = self.tokenizer(
            texts, truncation=True, max_length=self.max_tokens, split_special_tokens=True, verbose=False
        )["input_ids"]
        if self.separator_id is None:
            return list(inputs), [[start]] * len(texts)
        ids = self.tokenizer(list(answers), add_special_tokens=False, split_special_tokens=True, verbose=False)[
            "input_ids"
        ]
        return list(inputs), [[start, *mine, self.separator_id] for mine in ids]

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
        texts = self.tokenizer.batch_decode(output.sequences[:, start.shape[1] :], skip_special_tokens=True)
        scores = output.sequences_scores.tolist()
        questions = [Question(text.strip(), score) for text, score in zip(texts, scores, strict=True)]
        return [questions[first : first + beams] for first in range(0, len(questions), beams)]


def _batches(
    places: Sequence[int], inputs: Sequence[Sequence[int]], beams: int, width: int, budget: int
) -> list[list[int]]:
    """Places, longest inputs first, in batches whose tokens on either side stay within the budget."""
    batches: list[list[int]] = []
    for place in places:
        longest = len(inputs[batches[-1][0]]) if batches else 0
        rows = (len(batches[-1]) + 1) * beams if batches else 0
        if not batches or rows * max(longest, width) > max(budget, beams * max(longest, width)):
            batches.append([])
        batches[-1].append(place)
    return batches


def load_questioner(
    checkpoint: str,
    template: str | None = None,
    revision: str | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Questioner:
    """Load a question generator from a folder or the Hub.

    Args:
        checkpoint: made by ``quals train-qagen --answer-first``, or any other whose input ``template`` describes.
        template: how answer and passage are written for the encoder, with ``{answer}`` and ``{passage}``.
        revision: of a Hub model.
        device: where it computes.
        dtype: the weights' dtype in memory.

    Raises:
        ValueError: it is not to be found, is no encoder-decoder, or the template is missing, lacks a field, or is
            given for a model that writes the answer first.
    """
    if template is not None and not all(field in template for field in _FIELDS):
        raise ValueError(f"question_template is {template!r}: it must have {' and '.join(_FIELDS)} in it.")

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
    # generate() fills in from here what it is not told, and a summarizer that was the base asks for long texts.
    model.generation_config = GenerationConfig()
    separator_id = None
    if template is None:
        separator = model.config.questioner_separator
        separator_id = tokenizer.get_vocab().get(separator)
        if separator_id is None:
            raise _QUESTIONER.refused(checkpoint, f"its separator {separator!r} is not one token of its tokenizer")
    elif marks := [mark for mark in tokenizer.all_special_tokens if mark in template]:
        raise ValueError(
            f"question_template is {template!r}: {', '.join(marks)} would be read as text there; take a generator "
            "whose input needs no special tokens."
        )
    return Questioner(model, tokenizer, separator_id, template or "", longest_input(model, tokenizer))
