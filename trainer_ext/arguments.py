"""Options of contrastive training: what to mine, how to rank and select, which loss."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from transformers import Seq2SeqTrainingArguments, TrainingArguments

from trainer_ext.losses import LOSSES, ContrastiveLoss, Objective, make_loss
from trainer_ext.mining import SamplingSettings, Selection
from trainer_ext.mining.selection import RULES


def _option(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass
class ContrastiveOptions:
    """What :class:`ContrastiveSeq2SeqTrainer` adds to training; see each option's help.

    Raises:
        ValueError: an option is out of range.
    """

    mine_candidates: bool = _option(
        True,
        "sample summaries from the model before training, rank them, and train away from the worst; not where the "
        "training set brings candidate_labels",
    )
    num_candidates: int = _option(6, "summaries sampled for each document")
    sampling_top_k: int = _option(50, "sample from this many likeliest tokens; 0 is all")
    sampling_top_p: float = _option(1.0, "sample from the likeliest tokens that make up this much probability")
    sampling_temperature: float = _option(1.0, "of the sampling")
    sampling_batch_tokens: int = _option(8192, "most source tokens, times candidates, in one call of generate")
    max_mined_documents: int | None = _option(None, "mine a random subset of this many documents; None is all")
    ranker: str = _option("quals", "quals or rouge; other rankers are given to the trainer itself")
    ranker_checkpoint: str | None = _option(None, "QAGen for QUALS: folder or Hub name; None is the embedded one")
    selection: str | None = _option(
        None,
        f"which documents to keep: {', '.join(RULES)}. None is two_sided for mined candidates (one_sided where the "
        "ranker compares with the reference), and all rows of a training set that brings candidates",
    )
    selection_fraction: float = _option(0.3, "share of the documents that each side of the rule takes")
    selection_num_extremes: int = _option(
        1, "per_document: number of best summaries to use as targets, and of worst ones"
    )
    selection_margin: float = _option(0.0, "per_document: least score between the targets and the negatives")
    num_negatives: int | None = _option(
        None, "worst candidates kept for each document; None is 1, and all of them for the loss margin"
    )
    contrastive_loss: str = _option("unlikelihood", f"one of {', '.join(LOSSES)}")
    contrastive_weight: float = _option(1.0, "weight of the contrastive loss")
    mle_weight: float = _option(1.0, "weight of the target summaries' likelihood")
    contrastive_margin: float | None = _option(None, "option margin of margin and hinge; None is the loss's own")
    contrastive_beta: float | None = _option(None, "option beta of preference; None is the loss's own")
    contrastive_gamma: float | None = _option(None, "option gamma of preference; None is the loss's own")
    contrastive_length_penalty: float | None = _option(None, "of margin, hinge and preference; None is the loss's own")
    mle_epochs: float = _option(0.0, "first train by likelihood alone for so many epochs: for a model not fine-tuned")
    mle_learning_rate: float = _option(3e-5, "learning rate of those epochs")
    # Not called source_prefix: run_summarization.py has an option of that name for itself.
    mining_source_prefix: str | None = _option(
        None, "prefix of the inputs that the ranker must not see; None is the model's own ('summarize: ' of T5), if any"
    )
    source_column: str | None = _option(None, "column with the sources' texts; None decodes input_ids")
    reference_column: str | None = _option(None, "column with the references' texts; None decodes labels")
    mining_folder: str | None = _option(None, "where mined candidates are kept; None is _mining/ in the output folder")
    card_documents: int = _option(
        50, "evaluation documents summarized before and after, for QUALS and ROUGE in the model card; 0 is none"
    )

    def check(self) -> None:
        """Refuse what would fail after hours."""
        self.objective(0.0)
        self.sampling(0, None)
        self.selecting()
        if self.max_mined_documents is not None and self.max_mined_documents < 1:
            raise ValueError(f"max_mined_documents is {self.max_mined_documents}: give 1 or more, or None for all.")
        for name in ("mle_epochs", "card_documents"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}: give 0 or more.")
        for name in ("contrastive_weight", "mle_weight"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}: give 0 or more.")

    def loss(self) -> ContrastiveLoss:
        """The contrastive loss, with its options."""
        names = ("margin", "beta", "gamma", "length_penalty")
        given = {name: getattr(self, f"contrastive_{name}") for name in names}
        return make_loss(self.contrastive_loss, **{name: value for name, value in given.items() if value is not None})

    def objective(self, label_smoothing: float, loss: ContrastiveLoss | None = None) -> Objective:
        """The objective, of the given loss or the one named."""
        return Objective(loss or self.loss(), self.contrastive_weight, self.mle_weight, label_smoothing)

    def sampling(self, seed: int, max_length: int | None) -> SamplingSettings:
        """Settings of the sampling."""
        return SamplingSettings(
            num_candidates=self.num_candidates,
            top_k=self.sampling_top_k,
            top_p=self.sampling_top_p,
            temperature=self.sampling_temperature,
            max_length=max_length,
            batch_tokens=self.sampling_batch_tokens,
            seed=seed,
        )

    def selecting(self) -> Selection:
        """Which documents and candidates to keep."""
        every = self.num_negatives is None and self.contrastive_loss == "margin"
        return Selection(
            rule=self.selection or "auto",
            fraction=self.selection_fraction,
            num_negatives=None if every else self.num_negatives or 1,
            margin=self.selection_margin,
            num_extremes=self.selection_num_extremes,
        )


@dataclass
class ContrastiveSeq2SeqTrainingArguments(ContrastiveOptions, Seq2SeqTrainingArguments):
    """Seq2SeqTrainingArguments with the options of contrastive training.

    Defaults of learning rate, epochs and label smoothing are those of Nan et al. 2021: a tenth of what fine-tuned the
    model (for BART-large), two epochs, 0.1. Plain Seq2SeqTrainingArguments do as well: then the options
    have their defaults, and nothing that was set in them changes.
    """

    learning_rate: float = _option(3e-6, "a tenth of what fine-tuned the model is the paper's choice")
    num_train_epochs: float = _option(2.0, "epochs of contrastive training")
    label_smoothing_factor: float = _option(0.1, "of the target summaries' likelihood")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check()


def contrastive_options(args: TrainingArguments) -> ContrastiveOptions:
    """The options in ``args``; their defaults where it is a plain Seq2SeqTrainingArguments."""
    given = {item.name: getattr(args, item.name) for item in fields(ContrastiveOptions) if hasattr(args, item.name)}
    options = ContrastiveOptions(**given)
    options.check()
    return options
