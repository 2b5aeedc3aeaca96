"""What work was made from, as a hash of weights, data and settings. Work under another hash is never used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import torch
from datasets import Dataset
from datasets.fingerprint import Hasher
from datasets.utils._dill import Pickler
from quals.loading import NOT_THE_MODEL

from trainer_ext.io.hashing import hash_json, plain
from trainer_ext.mining.columns import batches
from trainer_ext.mining.generation import kept_generation_settings


def summarizer_fingerprint(model: torch.nn.Module) -> str:
    """64 hexadecimal digits over all weights, bit by bit, and the settings that bear on sampling.

    Covers names, dtypes, shapes and bytes of the state dict, and adapters with their settings. Covers the config except
    where and how it was stored, and the lengths and forced tokens of the generation config. Not the device.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    config: Any = model.config
    adapters = getattr(model, "peft_config", None) or {}
    return hash_json(
        weights=digest.hexdigest(),
        config={name: value for name, value in config.to_dict().items() if name not in NOT_THE_MODEL},
        generation=kept_generation_settings(model),
        adapters={name: adapter.to_dict() for name, adapter in adapters.items()},
        active=str(getattr(model, "active_adapter", None)) if adapters else None,
    )


def data_fingerprint(dataset: Dataset, columns: Sequence[str]) -> str:
    """64 hexadecimal digits over the contents of columns, row by row in order, however the rows are stored.

    Raises:
        ValueError: a column is missing.
    """
    digest = hashlib.sha256()
    names = sorted(columns)
    digest.update(json.dumps(names).encode())
    for batch in batches(dataset, names):
        for row in zip(*(batch[name] for name in names), strict=True):
            digest.update(json.dumps(row, default=plain).encode() + b"\n")
    return digest.hexdigest()


def object_fingerprint(value: Any) -> str:
    """16 hexadecimal digits over an object and what it refers to, a function's code included.

    They are what datasets makes of the object, except that equal sets count as equal in every process.

    Raises:
        Exception: whatever the parts of the object raise if they cannot be pickled.
    """
    file = BytesIO()
    pickler: Any = Pickler(file, recurse=True)
    pickler.reducer_override = _in_order  # for this pickler alone: what datasets hashes elsewhere stays as it is
    pickler.dump(value)
    return Hasher.hash_bytes(file.getvalue())


def _in_order(value: Any) -> Any:
    """Pickle a set in order, because the order of its texts differs between processes.

    datasets 5 sorts sets but not frozensets, which is what Python compiles ``word in {"not", "no"}`` to.
    """
    if type(value) in (set, frozenset):
        return type(value), (sorted(value, key=object_fingerprint),)
    return NotImplemented
