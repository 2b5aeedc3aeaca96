"""Load a checkpoint from a folder or the Hub: no weights made up at random, no pickles, refusals that say why."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from logging import ERROR
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import torch
from huggingface_hub import constants
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging
from transformers.utils.hub import cached_file

from .errors import CheckpointError, OptionError
from .special_tokens import spelled_as_text

if TYPE_CHECKING:
    from transformers import PreTrainedModel  # its import takes seconds, and a metric without a model needs none

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

# Held while weights are read: whether transformers shows bars is one setting for the process.
LOADING = RLock()


@dataclass(frozen=True)
class Kind:
    """What is to be loaded, in words.

    Attributes:
        name: as in "a QAGen".
        advice: what to do where another thing was given; a sentence.
    """

    name: str
    advice: str

    def refused(self, checkpoint: str, reason: str) -> CheckpointError:
        """The error for a checkpoint that is not such a thing."""
        return CheckpointError(f"{checkpoint!r} is not a {self.name}: {reason}. {self.advice}")


def load_checkpoint(
    auto_class: Any,
    checkpoint: str,
    kind: Kind,
    check: Callable[[Any], None],
    *,
    revision: str | None,
    device: str | torch.device,
    dtype: torch.dtype,
    new_head: bool = False,
    **options: Any,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model, in evaluation mode, and tokenizer.

    Args:
        auto_class: the class of transformers that makes the model.
        checkpoint: a folder or a Hub name.
        kind: what it should be.
        check: raises a CheckpointError for a config that is not this kind's, before weights are read.
        revision: branch, tag or commit of a Hub model.
        device: where it computes.
        dtype: the weights' dtype in memory, whatever they are stored in.
        new_head: whether weights of the model's head, and of a pooler, may be missing or of another shape, as where a
            recipe trains them anew.
        **options: more arguments of ``from_pretrained``.

    Raises:
        CheckpointError: there is no such checkpoint, or it is not what it should be; the message says why and what to
            do.
    """
    with _without_bars():
        with _one_line(
            lambda reason: CheckpointError(
                f"No {kind.name} could be loaded from {checkpoint!r}: it is neither a folder with a readable "
                f"config.json of a model nor a model of the Hub that can be reached ({reason}). Check the path or the "
                "name."
            )
        ):
            config = AutoConfig.from_pretrained(checkpoint, revision=revision, trust_remote_code=False)
        check(config)
        with _one_line(lambda reason: kind.refused(checkpoint, f"its tokenizer cannot be read ({reason})")):
            tokenizer = spelled_as_text(
                AutoTokenizer.from_pretrained(checkpoint, revision=revision, trust_remote_code=False)
            )
        with _one_line(lambda reason: kind.refused(checkpoint, f"its weights cannot be read ({reason})")):
            check_weight_files(checkpoint, config, revision)
            model, info = auto_class.from_pretrained(
                checkpoint,
                revision=revision,
                dtype=dtype,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=new_head,
                **options,
            )
    missing = {*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])}
    if new_head:
        body = f"{model.base_model_prefix}."
        missing = {key for key in missing if key.startswith(body) and ".pooler." not in key}
    if missing:  # transformers would draw them at random
        raise kind.refused(checkpoint, f"its weights lack {', '.join(sorted(missing)[:3])}")
    return model.eval().to(device), tokenizer


@contextmanager
def without_reports() -> Iterator[None]:
    """Inside, transformers logs errors only."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(max(verbosity, ERROR))
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


@contextmanager
def _one_line(refusal: Callable[[str], CheckpointError]) -> Iterator[None]:
    """Inside this context whatever is raised becomes a refusal, made of the error's first line.

    A damaged or hostile file makes the libraries raise nearly anything, TypeError and RecursionError included.
    """
    try:
        yield
    except CheckpointError:
        raise
    except Exception as error:
        raise refusal(first_line(error)) from error


def check_weight_files(checkpoint: str, config: Any, revision: str | None = None) -> None:
    """Raise a CheckpointError where config or index name a file of weights that is not safetensors' own, unopened.

    transformers opens whatever an index names, so that ``use_safetensors=True`` does not keep a pickle out.
    """
    names: list[Any] = [getattr(config, "transformers_weights", None)]
    for name in ("model.safetensors.index.json", f"{names[0]}.index.json"):
        index = cached_file(
            checkpoint,
            name,
            revision=revision,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )
        if index is not None:
            weight_map = json.loads(Path(index).read_text(encoding="utf-8"))["weight_map"]
            names += weight_map.values()
    for name in names:
        if name is not None and not re.fullmatch(r"[^/\\]+\.safetensors(\.index\.json)?", str(name)):
            raise CheckpointError(
                f"{checkpoint!r} names {name!r} as a file of weights: only safetensors in the checkpoint's own folder "
                "are read. Save the model again with safe_serialization."
            )


@contextmanager
def _without_bars() -> Iterator[None]:
    """Inside this context, which one thread enters at a time, no bar shows that weights are put into the model.

    Nor is it logged which weights are missing or tied: load_checkpoint() looks at that itself, and transformers 5.24
    calls every T5 with an output projection of its own a mistake. A download still shows its bars. Where the user has
    set HF_HUB_DISABLE_PROGRESS_BARS, to 0 or 1, that decides.
    """
    with LOADING, without_reports():
        if not logging.is_progress_bar_enabled() or constants.HF_HUB_DISABLE_PROGRESS_BARS is not None:
            yield
            return
        downloads_shown = not are_progress_bars_disabled()
        logging.disable_progress_bar()  # and the Hub's
        if downloads_shown:
            enable_progress_bars()
        try:
            yield
        finally:
            logging.enable_progress_bar()
            if not downloads_shown:
                disable_progress_bars()


def dtype_name(dtype: str | torch.dtype) -> str:
    """The name of a dtype that computation can have.

    Raises:
        OptionError: it is another one.

    Example:
        >>> dtype_name(torch.bfloat16)
        'bfloat16'
    """
    name = str(dtype).removeprefix("torch.") if isinstance(dtype, torch.dtype) else dtype
    if not isinstance(name, str) or name not in DTYPES:
        raise OptionError(f"dtype is {dtype!r}: give one of {tuple(DTYPES)}.")
    return name


def require_loaded_as(name: str, model: PreTrainedModel, device: str | None, dtype: str) -> None:
    """Raise an OptionError unless a loaded model has this dtype and is on this device.

    None accepts any device; a device without an index, such as ``"cuda"``, accepts any of its type.
    """
    loaded = dtype_name(model.dtype) if model.dtype in DTYPES.values() else str(model.dtype)
    asked = usable_device(device) if device is not None else model.device
    same_place = asked.type == model.device.type and (
        None in (asked.index, model.device.index) or asked == model.device
    )
    if loaded != dtype or not same_place:
        raise OptionError(
            f"The given {name} was loaded as {loaded} on {model.device}: ask for these, or give its name instead."
        )


def longest_input(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Tokens that a model reads, special tokens included; 512 where nothing says how many."""
    config = model.config
    names = ("max_position_embeddings", "max_encoder_position_embeddings", "n_positions")
    limits = [getattr(config, name, None) for name in names]
    for name, module in model.named_modules():  # RoBERTa's positions begin behind the padding's
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            limits.append(module.num_embeddings - module.padding_idx - 1)
    if tokenizer.model_max_length < 1_000_000:  # transformers' way to say "unknown" is a huge number
        limits.append(tokenizer.model_max_length)
    return min([int(limit) for limit in limits if limit] or [512])


def first_line(error: Exception) -> str:
    """The first line of an error's message, without a full stop; its type where the message says little."""
    line = (str(error).strip().splitlines() or [""])[0].rstrip(".")
    return line if " " in line else f"{type(error).__name__} {line}".strip()


def usable_device(name: str | None, option: str = "device") -> torch.device:
    """The named device, or for None the first that is there of cuda, mps and cpu.

    Raises:
        OptionError: torch cannot use it here; ``option`` is what the message calls it.
    """
    if name is None:
        best = "mps" if torch.backends.mps.is_available() else "cpu"
        return torch.device("cuda" if torch.cuda.is_available() else best)
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        # Which of these torch raises depends on the device and on how torch was built.
        raise OptionError(
            f"{option} is {name!r}, which torch cannot use here: give cpu, or cuda or mps on a machine that has it."
        ) from error
    return device


def embedded_folder(module_file: str, package: str, name: str) -> Path | None:
    """The folder of an embedded checkpoint; None where there is none.

    evaluate copies a metric's Python files, not its data, into a cache of its own. So the folder is looked for beside
    the code, then in the installed package, then where evaluate noted that it copied from.

    Args:
        module_file: ``__file__`` of the code that asks.
        package: the package that the metric is installed as.
        name: the checkpoint's folder.
    """
    for folder in _candidates(Path(module_file).resolve().parent, package):
        if (folder / name / "config.json").is_file():
            return (folder / name).resolve()
    return None


def _candidates(here: Path, package: str) -> Iterator[Path]:
    yield here
    spec = find_spec(package)
    for location in (spec.submodule_search_locations or []) if spec else []:
        yield Path(location)
    note = here / f"{package}.json"  # evaluate writes {"original file path": ...} beside its copy, once
    if note.is_file():
        try:
            original = json.loads(note.read_text(encoding="utf-8"))["original file path"]
        except (ValueError, RecursionError, KeyError, TypeError, OSError):
            return
        yield Path(original).parent  # it may be relative or stale: the caller looks whether it is there


# Parts of a config that say how it was stored or run, not what it computes.
NOT_THE_MODEL = ("transformers_version", "dtype", "torch_dtype", "_name_or_path", "architectures", "use_cache")


def model_fingerprint(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> str:
    """Hash of weights (as float16), config and tokenizer, 12 hexadecimal digits; the same wherever they lie."""
    digest = hashlib.sha256()
    config = {name: value for name, value in model.config.to_diff_dict().items() if name not in NOT_THE_MODEL}
    digest.update(json.dumps(config, sort_keys=True, default=str).encode())
    digest.update(json.dumps(_tokenizer_rules(tokenizer), sort_keys=True, default=str).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().to("cpu", torch.float16).contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:12]


def _tokenizer_rules(tokenizer: PreTrainedTokenizerBase) -> object:
    """All that decides how a text becomes tokens, as values for JSON."""
    if not tokenizer.is_fast:
        return [type(tokenizer).__name__, tokenizer.get_vocab()]
    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    # Truncation and padding are set by the latest call.
    return {name: value for name, value in rules.items() if name not in ("truncation", "padding")}
