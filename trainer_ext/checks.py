"""What a training checks before its work, so that nothing fails after hours."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import datasets
import torch
from quals.errors import CheckpointError, DataError, OptionError
from quals.loading import first_line
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_callback import TrainerState
from transformers.trainer_utils import get_last_checkpoint

from trainer_ext.collator import COLUMNS
from trainer_ext.dataset import CANDIDATE_LABELS, CANDIDATE_SCORES
from trainer_ext.evaluation import QualsComputeMetrics

# Made from columns that the mining reads too, or not read by the encoder.
_MADE_BY_COLLATORS = {"attention_mask", "labels", "decoder_input_ids", "decoder_attention_mask", *COLUMNS}

_WEIGHTS = ("pytorch_model", "model.safetensors", "adapter_model", "global_step")  # how a checkpoint's parts begin
_COUNT_PADDING = {  # by the decoder's model_type
    "prophetnet": "transformers since 4.27 puts ProphetNet's position biases in wrong places where it reads a whole "
    "summary: losses and likelihoods depend on the padding, and are not those of what it writes.",
    "fsmt": "FSMT writes padding over each -100 of a batch's labels, and its losses count it: they depend on the "
    "longest summary of a batch.",
}

logger = logging.getLogger(__name__)


def check_model(model: Any) -> None:
    """Refuse a model or adapters that contrastive training cannot work with.

    Weights in half precision are warned of: at the rates of contrastive training they hardly move. transformers 5 loads
    a checkpoint in the dtype of its file (findings/half-precision-checkpoint-stands-still.sh). ProphetNet and FSMT are
    warned of, because padding changes their losses (findings/prophetnet-is-trained-with-other-biases.sh and
    findings/fsmt-reads-ahead-and-counts-padding.sh).

    Raises:
        CheckpointError: the model is not an encoder-decoder, or it has learnt prompts.
    """
    if not getattr(getattr(model, "config", None), "is_encoder_decoder", False):
        raise CheckpointError(
            f"{type(model).__name__} is not an encoder-decoder: this trainer needs one (BART, T5, ...)."
        )
    if getattr(getattr(model, "active_peft_config", None), "is_prompt_learning", False):
        raise CheckpointError(
            "peft puts learnt prompts (prefix and prompt tuning) before each row, and rows that share an encoded "
            "source cannot have them: use LoRA or another adapter of weights."
        )
    half = {weight.dtype for weight in model.parameters() if weight.requires_grad} & {torch.bfloat16, torch.float16}
    if half:
        logger.warning(
            "The model's weights are %s, in which steps as small as 3e-6 are rounded away: load it with "
            "from_pretrained(..., dtype=torch.float32), and set bf16=True for the computation.",
            " and ".join(sorted(map(str, half))),
        )
    decoder = getattr(model.config, "decoder", model.config)  # an EncoderDecoderModel's config has one per part
    trap = _COUNT_PADDING.get(getattr(decoder, "model_type", None) or "")
    if trap is not None:
        logger.warning("%s Take another model.", trap)


def check_model_init(mle_epochs: float) -> None:
    """Refuse fine-tuning of a model that ``model_init`` makes anew afterwards.

    Raises:
        ValueError: the model would be fine-tuned for so many passes.
    """
    if mle_epochs > 0:
        raise ValueError(
            "mle_epochs fine-tunes the model, and model_init would then replace it: give model instead of model_init, "
            "or set mle_epochs=0."
        )


def check_batch(rows: Any, make_batch: Callable[[datasets.Dataset], Mapping[str, Any]], mines: bool) -> None:
    """Refuse rows from which the collator makes no batch, or not the same inputs as the mining.

    A stream is not read: its first batch tells soon enough.

    Args:
        rows: the training set.
        make_batch: what the trainer makes of a data set of two rows.
        mines: whether summaries are sampled from the columns of ``rows``.

    Raises:
        DataError: there is no batch, it has no labels, or ``mines`` and the collator adds inputs of its own.
    """
    if not isinstance(rows, datasets.Dataset) or not len(rows):
        return
    try:
        batch = make_batch(rows.select(range(min(2, len(rows)))))
    except (ValueError, TypeError, KeyError) as error:
        hint = ""
        if "pad" in str(error):
            hint = " If the tokenizer has no pad token, set one (tokenizer.pad_token = tokenizer.eos_token)."
        raise DataError(
            f"The first rows of the training set cannot become a batch: {first_line(error)}{hint}"
        ) from error
    if batch.get("labels") is None:
        raise DataError(
            "The training set has no labels, and candidates do not replace them: add a column 'labels' with the "
            "token ids of target summaries."
        )
    added = set(batch) - set(rows.column_names) - _MADE_BY_COLLATORS
    if mines and added:
        names = ", ".join(sorted(added))
        raise DataError(
            f"The data_collator adds {names}, which sampling would not see, so candidates would come from other inputs "
            "than those trained on: make columns of the training set of it."
        )


def check_whole_weights(split: bool) -> None:
    """Refuse to sample from a model that no process has whole.

    Raises:
        OptionError: the weights are split over processes.
    """
    if split:  # a rank that generates waits for the weights of ranks that have nothing to generate
        raise OptionError(
            "The model's weights are split over processes (FSDP, ZeRO-3), so a process cannot sample by itself: mine "
            "first, with `quals mine` or trainer_ext.mining.mine, and train on the mined candidate columns."
        )


def check_scores(rows: datasets.Dataset, selection: str) -> None:
    """Refuse to select among candidates without scores.

    Raises:
        DataError: there is no column ``candidate_scores``.
    """
    if CANDIDATE_SCORES not in rows.column_names:
        raise DataError(
            f"selection is {selection!r} and the training set has {CANDIDATE_LABELS} without {CANDIDATE_SCORES}: "
            "score them first (trainer_ext.mining.score_candidates), or leave selection out."
        )


def as_checkpoint(resume_from_checkpoint: str | bool | None) -> str | bool | None:
    """What to resume from, where a command line may have made text of True or False."""
    if isinstance(resume_from_checkpoint, str) and resume_from_checkpoint.lower() in ("true", "false", ""):
        return resume_from_checkpoint.lower() == "true"
    return resume_from_checkpoint


def usable_checkpoint(resume_from_checkpoint: str | bool | None, output_dir: str) -> str | bool | None:
    """What to resume from: None instead of True where there is no checkpoint yet.

    The work before the training resumes by itself, so a run that was killed there has no checkpoint.

    Raises:
        CheckpointError: the named folder is not a checkpoint, or another training wrote the checkpoint.
    """
    if resume_from_checkpoint is True:
        # The first process makes the folder, and the others may be here before.
        last = get_last_checkpoint(output_dir) if Path(output_dir).is_dir() else None
        if last is None:
            return None
        _require_contrastive(Path(last))
    if isinstance(resume_from_checkpoint, (str, Path)):
        folder = Path(resume_from_checkpoint)
        parts = folder.iterdir() if folder.is_dir() else iter(())
        if not any(part.suffix == ".safetensors" or part.name.startswith(_WEIGHTS) for part in parts):
            raise CheckpointError(
                f"resume_from_checkpoint is {str(folder)!r}, which is not a folder with a checkpoint's weights: give "
                "one such as out/checkpoint-500, or True for the last one in output_dir."
            )
        _require_contrastive(folder)
    return resume_from_checkpoint


def _require_contrastive(checkpoint: Path) -> None:
    """Refuse a checkpoint of a training without candidates, such as the fine-tuning's in the same ``output_dir``.

    Trainer would go on from its step and its learning rate, which can mean no step at all.
    """
    file = checkpoint / TRAINER_STATE_NAME
    if not file.is_file():
        return
    logged = [entry for entry in TrainerState.load_from_json(str(file)).log_history if "loss" in entry]
    if logged and not any("mle_loss" in entry for entry in logged):  # the monitor's, beside every loss
        raise CheckpointError(
            f"{checkpoint} is of a training without candidates, such as the model's fine-tuning, and cannot be resumed "
            "from: give a new output_dir, and leave resume_from_checkpoint out."
        )


def check_metrics(compute_metrics: Any, args: Any) -> None:
    """Refuse an evaluation whose predictions QUALS cannot score.

    Raises:
        OptionError: ``compute_metrics`` is a QualsComputeMetrics, and the arguments generate no summaries for it.
    """
    if not isinstance(compute_metrics, QualsComputeMetrics):
        return
    if not getattr(args, "predict_with_generate", False):
        raise OptionError(
            "QualsComputeMetrics scores generated summaries, and predict_with_generate is False: set it to True."
        )
    for name, needed in (("batch_eval_metrics", False), ("eval_do_concat_batches", True)):
        if getattr(args, name, needed) != needed:
            raise OptionError(f"QualsComputeMetrics needs all summaries at once: set {name}={needed}.")
