"""Find and load a QAGen: the embedded one, a folder, or a model of the Hub. Another model is refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSeq2SeqLM, PreTrainedModel, PreTrainedTokenizerBase
from transformers.activations import NewGELUActivation

from .attention import share_encoder_states
from .errors import CheckpointError
from .loading import Kind, embedded_folder, load_checkpoint, longest_input, model_fingerprint
from .published import PUBLISHED

EMBEDDED = "qagen-mini"  # where none is named
NAMED = {"mini": EMBEDDED, "small": "qagen-small"}  # folders of the embedded ones by their names
_NOTE = "quals.json"  # evaluate writes {"original file path": ...} beside its copy, once
_QAGEN = Kind("QAGen", "Give a checkpoint made by `quals train qagen`, or none for the embedded one.")


@dataclass(frozen=True)
class QAGen:
    """A question-answer generator ready to score.

    Attributes:
        model: in evaluation mode, with shared encoder states.
        tokenizer: its tokenizer.
        separator_id: the token between question and answer.
        max_source_tokens: longest input, special tokens included.
        fingerprint: hash of the weights (as float16), the config and the tokenizer, the same wherever they lie.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    separator_id: int
    max_source_tokens: int
    fingerprint: str


def load_qagen(
    checkpoint: str | None = None,
    revision: str | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> QAGen:
    """Load a QAGen.

    Args:
        checkpoint: a folder or a Hub name, or "mini" or "small", the embedded ones. None is the embedded "mini", or
            that which a published copy was published with, see :func:`find_default`.
        revision: branch, tag or commit of a Hub model that is named.
        device: where it computes.
        dtype: the weights' dtype in memory, whatever they are stored in.

    Raises:
        CheckpointError: there is no such checkpoint, or it is not a QAGen; the message says why and what to do.
    """
    name, revision = find_default() if checkpoint is None else (checkpoint, revision)
    if name in NAMED and not Path(name).exists():
        name, revision = str(find_embedded(NAMED[name])), None

    def check(config: Any) -> None:
        if not getattr(config, "is_encoder_decoder", False):
            raise _QAGEN.refused(name, f"it is a {config.model_type} model, and a QAGen is an encoder-decoder")
        if not isinstance(getattr(config, "qagen_separator", None), str):
            raise _QAGEN.refused(name, "its config names no 'qagen_separator', so it was not trained as a QAGen")

    model, tokenizer = load_checkpoint(
        AutoModelForSeq2SeqLM, name, _QAGEN, check, revision=revision, device=device, dtype=dtype
    )
    config, separator = model.config, model.config.qagen_separator
    separator_id = tokenizer.convert_tokens_to_ids(separator)
    if not isinstance(separator_id, int) or separator_id == tokenizer.unk_token_id:
        raise _QAGEN.refused(name, f"its separator {separator!r} is not one token of its tokenizer")
    vocabulary = model.get_output_embeddings().weight.shape[0]
    if separator_id >= vocabulary:
        raise _QAGEN.refused(name, f"its tokenizer has a separator {separator!r} that its weights do not know")
    for token in ("eos_token_id", "pad_token_id", "decoder_start_token_id"):
        value = getattr(config, token, None)
        if not isinstance(value, int) or not 0 <= value < vocabulary:
            raise _QAGEN.refused(name, f"its config has no {token} of its vocabulary but {value!r}")
    share_encoder_states(model)
    fuse_activations(model)
    return QAGen(model, tokenizer, separator_id, longest_input(model, tokenizer), model_fingerprint(model, tokenizer))


def fuse_activations(model: torch.nn.Module) -> None:
    """Replace (in place) T5's GELU, which transformers computes in eight steps, by torch's of one step."""
    for module in model.modules():
        for name, child in module.named_children():
            if isinstance(child, NewGELUActivation):
                setattr(module, name, torch.nn.GELU(approximate="tanh"))


def find_default() -> tuple[str, str | None]:
    """Name and revision of the QAGen where none is named: the embedded one, or that which this copy was published with.

    A published copy takes the latter although the package may be installed, so that all its visitors have one QAGen.

    Raises:
        CheckpointError: there is neither.
    """
    beside = Path(__file__).resolve().parent / EMBEDDED
    if PUBLISHED is not None and not (beside / "config.json").is_file():
        return PUBLISHED
    return str(find_embedded()), None


def find_embedded(name: str = EMBEDDED) -> Path:
    """Folder of an embedded checkpoint, see :func:`quals.loading.embedded_folder`.

    Raises:
        CheckpointError: it is in none of the places.
    """
    folder = embedded_folder(__file__, "quals", name)
    if folder is not None:
        return folder
    if name != EMBEDDED:
        raise CheckpointError(
            f"There is no {name} beside this metric: a clone of the repository has it, an installed package and a "
            'Space lack it. Load the metric from a clone, or give another checkpoint: "mini", a folder, or a model of '
            "the Hub."
        )
    note = Path(__file__).resolve().parent / _NOTE
    stale = f" (or delete {note}, which names a folder without it, and load the metric again)" if note.is_file() else ""
    raise CheckpointError(
        "The embedded QAGen checkpoint is not beside this metric. Install the package from a clone of the repository "
        f"(pip install .), load the metric from its folder{stale}, or give a checkpoint: evaluate.load(..., "
        "'folder-or-hub-name')."
    )
