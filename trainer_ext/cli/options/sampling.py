"""The options of the model and of sampling, for the commands that sample summaries."""

from __future__ import annotations

import argparse
from typing import Any

from trainer_ext.cli.options.field import add_fields
from trainer_ext.options import MiningOptions

# The trainer's fields that are options of these commands too, each with the option's earlier name.
_SAMPLING = {
    "num_candidates": None,
    "sampling_top_k": "--top-k",
    "sampling_top_p": "--top-p",
    "sampling_temperature": "--temperature",
    "sampling_batch_tokens": "--sampling-tokens",
}


def add_sampling_arguments(group: Any) -> None:
    """Add the options to a group of a parser."""
    add: Any = group.add_argument
    add("--model", help="folder or Hub name of the fine-tuned summarizer, or of a decoder-only model")
    text = "text that the model expects before a source, such as 'summarize: '; the instruction of a decoder-only model"
    add("--mining-source-prefix", default="", help=text)
    add("--source-prefix", dest="mining_source_prefix", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    add("--max-source-length", type=int, help="most tokens of a source; what the model reads if not given")
    text = "most tokens of a sample; the generation config's or the longest reference's if not given"
    add("--generation-max-length", type=int, help=text)
    add("--max-length", dest="generation_max_length", type=int, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    add_fields(group, MiningOptions, _SAMPLING)
