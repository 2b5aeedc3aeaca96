"""A trained model's folder as a repository: checked to be whole, with its card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from huggingface_hub import ModelCard
from safetensors import SafetensorError, safe_open

from trainer_ext.publishing.quiet import quiet
from trainer_ext.publishing.repository import Repository, checked_repo_id
from trainer_ext.publishing.selection import select_files

_CONFIGS = {"config.json": "model.safetensors", "adapter_config.json": "adapter_model.safetensors"}
_CARD = "README.md"


def model_repository(repo_id: str, folder: Path) -> Repository:
    """The repository of a trained summarizer.

    Raises:
        ValueError: the name cannot be one, or the folder has no config, no whole weights or no card.
    """
    repository = checked_folder(repo_id, folder)
    card = read_card(folder / _CARD)
    notes = []
    if not card.data.get("eval_results"):
        notes.append("the card has no scores (model-index), so the Hub will show none")
    if not any(file.path == "tokenizer_config.json" for file in repository.files):
        notes.append("the folder has no tokenizer, without which others cannot use the model")
    return Repository(repo_id, "model", repository.files, repository.landmarks, repository.left_out, tuple(notes))


def checked_folder(repo_id: str, folder: Path, option: str = "--repo-id") -> Repository:
    """The repository of any model.

    Raises:
        ValueError: the name cannot be one, or the folder has no config, no whole weights or no card.
    """
    checked_repo_id(repo_id, option)
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder: give the one that the trained model was saved to.")
    config = next((name for name in _CONFIGS if (folder / name).is_file()), None)
    if config is None:
        raise ValueError(f"{folder} has no config.json, so nothing can load it: give the folder of a saved model.")
    read_json(folder / config)
    for weights in _weights(folder, _CONFIGS[config]):
        _check_weights(weights)
    if not (folder / _CARD).is_file():
        raise ValueError(
            f"{folder} has no README.md, the model's card: write one, or let trainer.create_model_card() do it."
        )
    read_card(folder / _CARD)
    files, left_out = select_files(folder)
    return Repository(repo_id, "model", tuple(files), tuple(_CONFIGS), tuple(left_out))


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ValueError: it is none.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no readable JSON ({error}): save the model again.") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds no JSON object: save the model again.")
    return values


def read_card(path: Path) -> ModelCard:
    """A card.

    Raises:
        ValueError: its head, between lines of ---, cannot be read.
    """
    try:
        with quiet():  # a card may well have no head
            return ModelCard.load(path)
    except (ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        raise ValueError(f"The head of the card {path} cannot be read ({error}): mend it.") from error


def _weights(folder: Path, name: str) -> list[Path]:
    index = folder / f"{name}.index.json"
    if not index.is_file():
        if not (folder / name).is_file():
            raise ValueError(
                f"{folder} has no {name}: only weights in this form are published, since others can run code where "
                "they are loaded. Save the model with save_pretrained()."
            )
        return [folder / name]
    shards = read_json(index).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise ValueError(f"{index} names no files of weights: save the model again.")
    return [folder / shard for shard in sorted(set(shards.values()))]


def _check_weights(path: Path) -> None:
    """Refuse what is cut off, or is the pointer that git leaves where git-lfs is missing."""
    try:
        with safe_open(path, framework="np") as file:
            file.keys()
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"The weights {path} cannot be read ({error}): save the model again, or fetch them with `git lfs pull`."
        ) from error
