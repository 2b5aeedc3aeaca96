"""A trained model's folder as a repository: checked to be whole, with its card."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from huggingface_hub import ModelCard
from quals.errors import DataError
from safetensors import SafetensorError, safe_open

from trainer_ext.publishing.failures import quiet
from trainer_ext.publishing.private import check_base_model
from trainer_ext.publishing.reload import check_reload
from trainer_ext.publishing.repository import Repository, checked_repo_id
from trainer_ext.publishing.selection import CARD, select_files

_ADAPTER = "adapter_config.json"
_CONFIGS = {"config.json": "model.safetensors", _ADAPTER: "adapter_model.safetensors"}


def model_repository(repo_id: str, folder: Path) -> Repository:
    """The repository of a trained summarizer.

    Raises:
        DataError: the folder has no config, no whole weights or no card, or a file names a secret or this machine.
        OptionError: the name cannot be one.
    """
    repository = checked_folder(repo_id, folder)
    card = read_card(folder / CARD)
    notes = list(repository.notes)
    if not card.data.get("eval_results"):
        notes.append("the card has no scores (model-index), so the Hub will show none")
    if not any(file.path == "tokenizer_config.json" for file in repository.files):
        notes.append("the folder has no tokenizer, without which others cannot use the model")
    return replace(repository, notes=tuple(notes))


def checked_folder(repo_id: str, folder: Path, option: str = "--repo-id") -> Repository:
    """The repository of any model.

    Raises:
        DataError: the folder has no config, no whole weights or no card, or a file names a secret or this machine.
        OptionError: the name cannot be one.
    """
    checked_repo_id(repo_id, option)
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder: give the one that the trained model was saved to.")
    config = next((name for name in _CONFIGS if (folder / name).is_file()), None)
    if config is None:
        raise DataError(f"{folder} has no config.json, so nothing can load it: give the folder of a saved model.")
    values = read_json(folder / config)
    if config == _ADAPTER:
        check_base_model(folder / config, values)
    weights = _weights(folder, _CONFIGS[config])
    for path in weights:
        _check_weights(path)
    architectures = values.get("architectures")
    if isinstance(architectures, list) and architectures:
        check_reload(folder, str(architectures[0]))
    if not (folder / CARD).is_file():
        raise DataError(
            f"{folder} has no README.md, the model's card: write one, or let trainer.create_model_card() do it."
        )
    read_card(folder / CARD)
    files, left_out = select_files(folder)
    for name in (config, CARD, *(path.name for path in weights)):
        if reason := dict(left_out).get(name):
            raise DataError(f"{folder / name} is needed and cannot be published ({reason}): put the file itself there.")
    rewritten = [file.path for file in files if isinstance(file.content, bytes)]
    notes = tuple(f"{name} is published without the paths of this machine in it" for name in rewritten)
    return Repository(repo_id, "model", tuple(files), tuple(_CONFIGS), tuple(left_out), notes)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        DataError: the file holds something else.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise DataError(f"{path} is not readable JSON ({reason}): save the model again.") from error
    if not isinstance(values, dict):
        raise DataError(f"{path} does not hold a JSON object: save the model again.")
    return values


def read_card(path: Path) -> ModelCard:
    """A card.

    Raises:
        DataError: its head, between lines of ---, cannot be read.
    """
    try:
        with quiet():  # a card may well have no head
            return ModelCard.load(path)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, yaml.YAMLError) as error:
        # huggingface_hub calls the field model_index, and ends with advice that is meant for callers of its own.
        reason = str(error).partition(" Pass `ignore_metadata_errors")[0].replace("model_index", "model-index")
        reason = "it is nested too deep" if isinstance(error, RecursionError) else reason
        raise DataError(f"The head of the card {path} cannot be read ({reason}): correct it.") from error


def _weights(folder: Path, name: str) -> list[Path]:
    """The files of a model's weights, all of them safetensors in the folder."""
    index = folder / f"{name}.index.json"
    if not index.is_file():
        if not (folder / name).is_file():
            raise DataError(
                f"{folder} has no {name}: only weights in this form are published, since others can run code where "
                "they are loaded. Save the model with save_pretrained()."
            )
        return [folder / name]
    shards = read_json(index).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise DataError(f"{index} names no files of weights: save the model again.")
    for shard in shards.values():
        if not isinstance(shard, str) or not re.fullmatch(r"[\w.-]+\.safetensors", shard):
            raise DataError(
                f"{index} names {shard!r}, which is not a safetensors file beside it: save the model again."
            )
    return [folder / shard for shard in sorted(set(shards.values()))]


def _check_weights(path: Path) -> None:
    """Refuse what is cut off, or is the pointer that git leaves where git-lfs is missing."""
    try:
        with safe_open(path, framework="np") as file:
            file.keys()
    except (SafetensorError, OSError) as error:
        raise DataError(
            f"The weights {path} cannot be read ({error}): save the model again, or fetch them with `git lfs pull`."
        ) from error
