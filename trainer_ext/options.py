"""The options of mining, which the trainer's arguments and ``quals mine`` share, and the rankers that have a name.

Nothing here imports torch or transformers, so that ``quals mine --help`` is quick.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# Rankers that a name is enough for, each with its class, which takes no argument that it needs. `quals mine --ranker`,
# the trainer's arguments and trainer_ext.mining.resolve_ranker read this.
RANKERS = {
    "quals": "trainer_ext.mining.rankers:QualsRanker",
    "rouge": "trainer_ext.mining.rankers:RougeRanker",
    "word_pairs": "trainer_ext.mining.rankers:WordPairsRanker",
}
STEPS = ("sample", "score", "select")  # of mining
RULES = ("auto", "two_sided", "one_sided", "per_document", "all")  # see trainer_ext.mining.Selection


def option(default: Any, text: str, **metadata: Any) -> Any:
    """A field whose help says what it does, as transformers' HfArgumentParser reads it."""
    return field(default=default, metadata={"help": text, **metadata})


@dataclass
class MiningOptions:
    """What to sample, how to rank and what to select. Each field's help says what it does."""

    num_candidates: int = option(6, "number of summaries sampled per document")
    sampling_top_k: int = option(50, "number of likeliest tokens to sample from; 0 is all tokens")
    sampling_top_p: float = option(1.0, "probability that the likeliest tokens to sample from add up to, above 0 to 1")
    sampling_temperature: float = option(1.0, "temperature of the sampling; lower is more cautious")
    sampling_batch_tokens: int = option(8192, "source tokens times candidates per call of generate, at most")
    max_mined_documents: int | None = option(None, "number of documents to mine, drawn at random; all if not given")
    ranker: str = option(
        "quals",
        "name of the ranker: QUALS, ROUGE against the reference, or the share of word pairs that the source has; the "
        "trainer itself takes any other",
        choices=tuple(RANKERS),
    )
    ranker_checkpoint: str | None = option(None, "QAGen of QUALS: a folder or Hub name; None is the embedded one")
    selection: str | None = option(
        None,
        "rule that selects documents; if not given, two_sided (one_sided where the ranker compares with the "
        "reference), and all rows of a training set that brings its candidates",
        choices=RULES,
    )
    selection_fraction: float = option(0.3, "share of the documents that each side of the rule takes, above 0 to 1")
    selection_num_extremes: int = option(
        1, "number of best summaries used as targets and of worst as negatives, by the rule per_document"
    )
    selection_margin: float = option(
        0.0, "score by which targets must lead negatives, at least, by the rule per_document"
    )
    selection_references: bool = option(
        True, "let references be targets and negatives, like samples, by the rule per_document"
    )
    num_negatives: int | None = option(
        None, "number of worst candidates kept per document; None is 1, and all of them for the loss margin"
    )
    # Not called source_prefix: run_summarization.py has an option of that name for itself.
    mining_source_prefix: str | None = option(
        None,
        "prefix of the model's inputs that is not part of the source, such as 'summarize: '; None is the common "
        "beginning of the training set's inputs, or the prefix that the model's config names",
    )
    source_column: str | None = option(None, "column with the sources as text; None decodes input_ids")
    reference_column: str | None = option(None, "column with the references as text; None decodes labels")
    mining_folder: str | None = option(None, "folder for mined candidates; None is _mining/ in the output folder")
