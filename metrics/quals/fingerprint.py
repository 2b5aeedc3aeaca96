"""A hash of what a model computes, the same wherever it lies and whatever dtype it is stored in."""

from __future__ import annotations

import hashlib
import json

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

# Parts of a config that say how it was stored or run, not what it computes.
_NOT_THE_MODEL = ("transformers_version", "dtype", "torch_dtype", "_name_or_path", "architectures", "use_cache")


def fingerprint(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> str:
    """12 digits over weights (as float16), config and tokenizer."""
    digest = hashlib.sha256()
    config = {name: value for name, value in model.config.to_diff_dict().items() if name not in _NOT_THE_MODEL}
    digest.update(json.dumps(config, sort_keys=True, default=str).encode())
    digest.update(json.dumps(_tokenizer_rules(tokenizer), sort_keys=True, default=str).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().to("cpu", torch.float16).contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:12]


def _tokenizer_rules(tokenizer: PreTrainedTokenizerBase) -> object:
    """All that decides how a text becomes tokens, as JSON."""
    if not tokenizer.is_fast:
        return [type(tokenizer).__name__, tokenizer.get_vocab()]
    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    # Truncation and padding are set by the latest call.
    return {name: value for name, value in rules.items() if name not in ("truncation", "padding")}
