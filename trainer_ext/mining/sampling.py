"""Step 1 of mining: sample candidate summaries of every source from the model that is to be trained."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from quals.inputs import require, whole_number
from transformers import GenerationConfig

from trainer_ext.dataset import CANDIDATE_LABELS
from trainer_ext.mining.columns import LABELS, label_ids, with_columns
from trainer_ext.mining.fingerprint import data_fingerprint, summarizer_fingerprint
from trainer_ext.mining.generation import (
    evaluating,
    generate_labels,
    generating_with,
    kept_generation_settings,
    length_chunks,
    source_columns,
    source_lengths,
    sources_at,
)
from trainer_ext.mining.store import ALONE, Workers, open_store, run_chunks

VERSION = 1  # of the computation: changes when samples do


@dataclass(frozen=True)
class SamplingSettings:
    """How candidates are sampled; the defaults are the paper's.

    Args:
        num_candidates: summaries sampled of each source.
        top_k: a token is drawn from the so many likeliest; 0 is from all.
        top_p: and from the fewest that together have this probability.
        temperature: divides the logits; below 1 is more cautious.
        max_length: most tokens, the decoder's start counted as ``generate`` counts it; None takes the generation
            config's, or where it has none the longest reference's.
        batch_tokens: most tokens of the sources of a chunk, padding and candidates counted (a longer source is a chunk
            of its own). Part of what is repeatable: another value draws other samples.
        seed: of the samples.

    Raises:
        ValueError: a setting is out of range.
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
        require(
            _is_number(self.top_p) and 0 < self.top_p <= 1, f"top_p is {self.top_p!r}: give more than 0, 1 at most."
        )
        require(
            _is_number(self.temperature) and 0 < self.temperature < math.inf,
            f"temperature is {self.temperature!r}: give a number above 0.",
        )


def sample_candidates(
    model: torch.nn.Module,
    dataset: Dataset,
    settings: SamplingSettings,
    *,
    folder: Path | None = None,
    workers: Workers = ALONE,
    progress: bool | None = None,
) -> Dataset:
    """Add the column ``candidate_labels``: ``num_candidates`` sampled summaries of each source, as label lists.

    Lengths and forced tokens are those of the model's generation config; penalties, beams and all else about search
    are not. Samples depend on the model, the sources and the settings alone: not on the number of workers, and not on
    the global random state, which stays as it was.

    Args:
        model: an encoder-decoder, or a PEFT model around one; in evaluation mode meanwhile.
        dataset: has ``input_ids``, perhaps ``attention_mask``, perhaps ``labels``.
        settings: how to sample.
        folder: keeps finished chunks, so that a killed run goes on; None keeps them in memory.
        workers: the processes that share the work, and then ``folder``.
        progress: show a bar; None shows one on a terminal.

    Raises:
        ValueError: the model is no encoder-decoder, no maximum length is known, or there is nothing to summarize.
        OSError: a chunk could not be written, or not be read from another worker.
    """
    config = sampling_config(model, settings, dataset)
    lengths = source_lengths(dataset)
    chunks = length_chunks(lengths, settings.num_candidates, settings.batch_tokens)
    made_from: dict[str, Any] = {}
    if folder is not None:
        made_from = {
            "version": VERSION,
            "model": summarizer_fingerprint(model),
            "data": data_fingerprint(dataset, source_columns(dataset)),
            "settings": asdict(settings),
            "generation": {name: value for name, value in config.to_dict().items() if name != "transformers_version"},
        }
    store = open_store(folder, "samples", made_from, workers)

    def sample(number: int) -> list[list[list[int]]]:
        with evaluating(model), generating_with(model, config), _seeded(model, settings.seed, number):
            return generate_labels(model, sources_at(dataset, chunks[number]), config)

    finished = run_chunks(store, list(map(len, chunks)), sample, workers, "Sampling", progress)
    candidates: list[list[list[int]]] = [[] for _ in lengths]
    for chunk, samples in zip(chunks, finished, strict=True):
        for place, mine in zip(chunk, samples, strict=True):
            candidates[place] = mine
    return with_columns(dataset, {CANDIDATE_LABELS: candidates})


def sampling_config(model: torch.nn.Module, settings: SamplingSettings, dataset: Dataset) -> GenerationConfig:
    """The generation config of sampling: the model's lengths and tokens, our search.

    Raises:
        ValueError: the model is no encoder-decoder, or the maximum length is unknown, or below the model's minimum.
    """
    if not getattr(model.config, "is_encoder_decoder", False):
        raise ValueError(f"{type(model).__name__} is no encoder-decoder: give a seq2seq summarizer, e.g. BART or T5.")
    kept = kept_generation_settings(model)
    new_tokens, longest = kept.pop("max_new_tokens", None), kept.pop("max_length", None)
    if new_tokens is not None:
        longest = new_tokens + 1
    if settings.max_length is not None:
        longest = settings.max_length
    if longest is None:
        if LABELS not in dataset.column_names:
            raise ValueError(
                "How long a summary may be is not known: neither the model's generation config nor the data set's "
                "labels say it. Set max_length in SamplingSettings, or model.generation_config.max_length."
            )
        longest = max(map(len, label_ids(dataset)), default=0) + 1
    longest = max(longest, 2)
    least = max(kept.get("min_length", 0), kept.get("min_new_tokens", 0) + 1)
    if least > longest:
        raise ValueError(
            f"Summaries may have {longest} tokens at most, and the model's generation config asks for {least} at "
            "least: raise max_length in SamplingSettings, or lower min_length in the generation config."
        )
    return GenerationConfig(
        **kept,
        max_length=longest,
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
    """Random states that depend on ``(seed, chunk)`` alone in the block, and are as they were afterwards.

    Only generators of the CPU and of the model's devices are touched: to ask another GPU for its state would open it.
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


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
