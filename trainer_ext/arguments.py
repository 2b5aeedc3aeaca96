"""Options of contrastive training: what to mine, how to rank and select, which loss."""

from __future__ import annotations

from dataclasses import dataclass, fields

from quals.errors import OptionError
from transformers import Seq2SeqTrainingArguments, TrainingArguments

from trainer_ext.losses import LOSSES, ContrastiveLoss, make_loss
from trainer_ext.mining import SamplingSettings, Selection
from trainer_ext.objective import Objective
from trainer_ext.options import RANKERS, MiningOptions, option


@dataclass
class ContrastiveOptions(MiningOptions):
    """What :class:`~trainer_ext.ContrastiveSeq2SeqTrainer` adds to the training arguments.

    Each field's help says what it does. The fields hold values only: the functions below turn them into the loss, the
    sampling settings and the selection.
    """

    mine_candidates: bool = option(
        True,
        "mine before training: sample summaries from the model, rank them, and keep the worst as negatives. A training "
        "set that has the column candidate_labels is never mined",
    )
    contrastive_loss: str = option("unlikelihood", f"name of the contrastive loss: {', '.join(LOSSES)}")
    contrastive_weight: float = option(1.0, "weight of the contrastive loss, 0 or more")
    mle_weight: float = option(1.0, "weight of the targets' likelihood, 0 or more")
    contrastive_margin: float | None = option(None, "margin of the losses margin and hinge; None is the loss's own")
    contrastive_beta: float | None = option(None, "beta of the loss preference; None is the loss's own")
    contrastive_gamma: float | None = option(None, "gamma of the loss preference; None is the loss's own")
    contrastive_length_penalty: float | None = option(
        None, "length penalty of the losses margin, hinge and preference; None is the loss's own"
    )
    mle_epochs: float = option(0.0, "epochs of training by likelihood before the mining, for a model not fine-tuned")
    mle_learning_rate: float = option(3e-5, "learning rate of these epochs")
    card_documents: int = option(
        50, "number of evaluation documents whose summaries the model card measures, before and after; 0 is none"
    )


@dataclass
class ContrastiveSeq2SeqTrainingArguments(ContrastiveOptions, Seq2SeqTrainingArguments):
    """Seq2SeqTrainingArguments with the options of contrastive training.

    Learning rate, epochs and label smoothing default to the values of Nan et al. 2021 for BART-large: 3e-6, which is a
    tenth of the rate that fine-tuned the model, two epochs, and 0.1. Plain Seq2SeqTrainingArguments work too: the
    options then have their defaults, and every value that you set stays.

    Example:
        >>> args = ContrastiveSeq2SeqTrainingArguments("out", num_candidates=4, use_cpu=True, report_to="none")
        >>> args.learning_rate, args.num_candidates, args.contrastive_loss
        (3e-06, 4, 'unlikelihood')

    Raises:
        OptionError: an option is out of range.
    """

    learning_rate: float = option(3e-6, "learning rate; the paper takes a tenth of the one that fine-tuned the model")
    num_train_epochs: float = option(2.0, "epochs of contrastive training")
    label_smoothing_factor: float = option(0.1, "label smoothing of the targets' likelihood, 0 to below 1")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)


def contrastive_options(args: TrainingArguments) -> ContrastiveOptions:
    """The options in ``args``, checked; their defaults where ``args`` has none.

    Raises:
        OptionError: an option is out of range.
    """
    given = {item.name: getattr(args, item.name) for item in fields(ContrastiveOptions) if hasattr(args, item.name)}
    options = ContrastiveOptions(**given)
    check_options(options)
    return options


def check_options(options: ContrastiveOptions) -> None:
    """Refuse what would fail after hours.

    Raises:
        OptionError: an option is out of range.
    """
    if options.ranker not in RANKERS:
        raise OptionError(
            f"ranker is {options.ranker!r}: give one of {', '.join(RANKERS)}, or pass any other ranker to the trainer."
        )
    make_objective(options)
    make_sampling(options)
    make_selection(options)
    if options.max_mined_documents is not None and options.max_mined_documents < 1:
        raise OptionError(f"max_mined_documents is {options.max_mined_documents}: give 1 or more, or None for all.")
    for name in ("mle_epochs", "mle_learning_rate", "card_documents", "contrastive_weight", "mle_weight"):
        if not getattr(options, name) >= 0:
            raise OptionError(f"{name} is {getattr(options, name)}: give 0 or more.")


def make_objective(
    options: ContrastiveOptions, label_smoothing: float = 0.0, loss: ContrastiveLoss | None = None
) -> Objective:
    """The objective with ``loss``, or with the loss that the options name."""
    if loss is None:
        # Each field contrastive_NAME but these two is an option NAME of a loss.
        fixed = ("contrastive_loss", "contrastive_weight")
        names = [item.name for item in fields(ContrastiveOptions) if item.name not in fixed]
        prefix = "contrastive_"
        given = {name.removeprefix(prefix): getattr(options, name) for name in names if name.startswith(prefix)}
        loss = make_loss(
            options.contrastive_loss, **{name: value for name, value in given.items() if value is not None}
        )
    return Objective(loss, options.contrastive_weight, options.mle_weight, label_smoothing)


def make_sampling(options: MiningOptions, seed: int = 0, max_length: int | None = None) -> SamplingSettings:
    """The settings of the sampling; ``max_length`` is in tokens, and None leaves it to the model."""
    return SamplingSettings(
        num_candidates=options.num_candidates,
        top_k=options.sampling_top_k,
        top_p=options.sampling_top_p,
        temperature=options.sampling_temperature,
        max_length=max_length,
        batch_tokens=options.sampling_batch_tokens,
        seed=seed,
    )


def make_selection(options: ContrastiveOptions) -> Selection:
    """Which documents and candidates to keep."""
    all_or_one = None if options.contrastive_loss == "margin" else 1
    return Selection(
        rule=options.selection or "auto",
        fraction=options.selection_fraction,
        num_negatives=all_or_one if options.num_negatives is None else options.num_negatives,
        margin=options.selection_margin,
        num_extremes=options.selection_num_extremes,
        references=options.selection_references,
    )
