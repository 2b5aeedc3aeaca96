"""Step 1 of mining: sample candidate summaries of every source from the model that is to be trained."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from quals.errors import OptionError
from quals.inputs import whole_number
from transformers import GenerationConfig

from trainer_ext.dataset import CANDIDATE_LABELS
from trainer_ext.io.chunks import ALONE, Workers, WorkFolder, run_chunks
from trainer_ext.io.progress import without_noise
from trainer_ext.mining.columns import LABELS, is_number, label_ids, with_columns
from trainer_ext.mining.fingerprint import data_fingerprint, summarizer_fingerprint
from trainer_ext.mining.generation import (
    evaluating,
    generate_labels,
    generating_with,
    is_decoder_only,
    kept_generation_settings,
    length_chunks,
    pad_token,
    source_columns,
    source_lengths,
    sources_at,
)

VERSION = 1  # of the computation: changes when samples do


_FIRST = 20  # documents that say whether the samples are summaries at all


@dataclass(frozen=True)
class SamplingSettings:
    """How candidates are sampled; the defaults are the paper's.

    Args:
        num_candidates: number of summaries sampled per source.
        top_k: number of likeliest tokens that a token is drawn from; 0 draws from all.
        top_p: probability that the tokens drawn from, the fewest possible, have together.
        temperature: divisor of the logits; below 1 is more cautious.
        max_length: most tokens of a sample, the decoder's start counted as ``generate`` counts it; of a decoder-only
            model, the prompt not counted. None takes the generation config's (its ``max_new_tokens`` if decoder-only),
            or if it has none the longest reference's.
        batch_tokens: most source tokens in a chunk, padding and candidates counted; a longer source is a chunk of its
            own. Part of what is repeatable: another value draws other samples.
        seed: random seed of the samples.

    Raises:
        OptionError: a setting is out of range.
    """

    num_candidates: int = 6
    top_k: int = 50
    top_p: float = 1.0
    temperature: float = 1.0
    max_length: int | None = None
    batch_tokens: int = 8192
    seed: int = 42

    def __post_init__(self) -> None:
        for name, least in (("num_candidates", 1), ("top_k", 0), ("batch_tokens", 1), ("seed", 0)):
            whole_number(name, getattr(self, name), least)
        whole_number("max_length", 2 if self.max_length is None else self.max_length, 2)
        if not (is_number(self.top_p) and 0 < self.top_p <= 1):
            raise OptionError(f"top_p is {self.top_p!r}: give more than 0, 1 at most.")
        if not (is_number(self.temperature) and 0 < self.temperature < math.inf):
            raise OptionError(f"temperature is {self.temperature!r}: give a number above 0.")


PAPER = SamplingSettings()


def sample_candidates(
    model: torch.nn.Module,
    dataset: Dataset,
    settings: SamplingSettings = PAPER,
    *,
    folder: Path | WorkFolder | None = None,
    workers: Workers = ALONE,
    progress: bool | None = None,
    check: Callable[[Dataset], None] | None = None,
    fingerprint: str | None = None,
) -> Dataset:
    """Add the column ``candidate_labels``: ``num_candidates`` sampled summaries of each source, as label lists.

    Lengths and forced tokens are those of the model's generation config; its penalties, beams and other settings of
    search do not count. Samples depend on the model, the sources and the settings alone: not on the number of workers,
    and not on the global random state, which stays as it was.

    Args:
        model: an encoder-decoder, a decoder-only model, or a PEFT model around one; in evaluation mode meanwhile.
        dataset: has ``input_ids``, which for a decoder-only model are prompts; perhaps ``attention_mask`` and what else
            the model reads, perhaps ``labels``.
        settings: how to sample.
        folder: keeps finished chunks, so that a killed run goes on; None keeps them in memory.
        workers: the processes that share the work, and then ``folder``.
        progress: show a bar; None shows one on a terminal.
        check: is given the first 20 documents or so with their candidates, before the others are sampled, in every
            process the same. What it raises ends the work. It is not asked where there are no others.
        fingerprint: the model's, where it is known; None computes it.

    Raises:
        ValueError: the model cannot generate, no maximum length is known, or there is nothing to summarize.
        OSError: a chunk could not be written, or another worker's cannot be read.
    """
    config = sampling_config(model, settings, dataset)
    lengths, columns = source_lengths(dataset), source_columns(dataset, model)
    chunks = length_chunks(lengths, settings.num_candidates, settings.batch_tokens)
    work, made_from = WorkFolder.at(folder), dict[str, Any]()
    if work.path is not None:
        made_from = {
            "version": VERSION,
            "model": fingerprint or summarizer_fingerprint(model),
            "data": data_fingerprint(dataset, columns),
            "settings": asdict(settings),
            "generation": {name: value for name, value in config.to_dict().items() if name != "transformers_version"},
        }
    store = work.open("samples", made_from, workers)

    def inputs(number: int) -> tuple[int, dict[str, list[list[int]]]]:
        return number, sources_at(dataset, chunks[number], columns)

    def check_first(samples: list[list[list[list[int]]]]) -> None:
        places = [place for chunk in chunks[: len(samples)] for place in chunk]
        candidates = [candidates for chunk in samples for candidates in chunk]
        if check is not None:
            check(with_columns(dataset.select(places), {CANDIDATE_LABELS: candidates}))

    sizes = list(map(len, chunks))
    first = next((n for n in range(1, len(sizes)) if sum(sizes[:n]) >= _FIRST), 0) if check is not None else 0
    sample = _Sample(model, config, settings.seed)
    finished = run_chunks(store, sizes, sample, workers, "Sampling", progress, first, check_first, inputs=inputs)
    candidates: list[list[list[int]]] = [[] for _ in lengths]
    for chunk, samples in zip(chunks, finished, strict=True):
        for place, labels in zip(chunk, samples, strict=True):
            candidates[place] = labels
    return with_columns(dataset, {CANDIDATE_LABELS: candidates})


@dataclass(frozen=True)
class _Sample:
    """Samples the candidates of a chunk, from its number and its sources. A pool sends it to its workers whole."""

    model: torch.nn.Module
    config: GenerationConfig
    seed: int

    def to(self, device: str) -> None:
        self.model.to(device)

    def __call__(self, chunk: tuple[int, dict[str, list[list[int]]]]) -> list[list[list[int]]]:
        number, sources = chunk
        model, config = self.model, self.config
        with evaluating(model), generating_with(model, config), _seeded(model, self.seed, number), without_noise():
            return generate_labels(model, sources, config)


def sampling_config(model: torch.nn.Module, settings: SamplingSettings, dataset: Dataset) -> GenerationConfig:
    """The generation config for sampling: the model's lengths and tokens, and our search.

    Raises:
        ValueError: the model cannot generate, or the maximum length is unknown or below the model's minimum.
    """
    can_generate = getattr(model, "can_generate", None)
    if can_generate is None or not can_generate():
        raise ValueError(
            f"{type(model).__name__} is not an encoder-decoder, nor a decoder-only model that can generate: give a "
            "summarizer such as BART, T5 or Llama."
        )
    kept = kept_generation_settings(model)
    new_tokens, longest = kept.pop("max_new_tokens", None), kept.pop("max_length", None)
    start = 0 if is_decoder_only(model) else 1
    if not start:  # these two count the prompt
        kept.pop("min_length", None)
        longest = None
        kept.setdefault("pad_token_id", pad_token(kept))
    if new_tokens is not None:
        longest = new_tokens + start
    if settings.max_length is not None:
        longest = settings.max_length
    if longest is None:
        if LABELS not in dataset.column_names:
            raise ValueError(
                "The greatest length of a summary is not known: neither the model's generation config nor labels in "
                "the data set tell. Set max_length in SamplingSettings, or model.generation_config.max_length."
            )
        longest = max(map(len, label_ids(dataset)), default=0) + start
    longest = max(longest, 2)
    least = max(kept.get("min_length", 0), kept.get("min_new_tokens", 0) + start)
    if least > longest:
        raise ValueError(
            f"Summaries may have at most {longest} tokens, but the model's generation config asks for at least "
            f"{least}: raise max_length in SamplingSettings, or lower min_length in the generation config."
        )
    return GenerationConfig(
        **kept,
        **({"max_length": longest} if start else {"max_new_tokens": longest}),
        do_sample=True,
        num_beams=1,
        num_return_sequences=settings.num_candidates,
        top_k=settings.top_k,
        top_p=settings.top_p,
        temperature=settings.temperature,
        use_cache=True,
    )


@contextmanager
def _seeded(model: torch.nn.Module, seed: int, chunk: int) -> Iterator[None]:
    """Random states in the block depend on ``(seed, chunk)`` alone; afterwards they are as they were.

    Only the generators of the CPU and of the model's devices are touched: asking another GPU for its state opens it.
    """
    number = int.from_bytes(hashlib.sha256(f"{seed} {chunk}".encode()).digest()[:7], "big")
    devices = {parameter.device for parameter in model.parameters()}
    cuda = sorted(device.index for device in devices if device.type == "cuda")
    with torch.random.fork_rng(devices=cuda, device_type="cuda"):
        torch.default_generator.manual_seed(number)
        for index in cuda:
            with torch.cuda.device(index):
                torch.cuda.manual_seed(number)
        if any(device.type == "mps" for device in devices):
            torch.mps.manual_seed(number)
        yield
