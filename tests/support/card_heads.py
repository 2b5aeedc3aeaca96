"""What the Hub refuses in the head of a README.md, in its words as far as they are known.

The rules are those of huggingface_hub (ids, where the head ends, the required fields of ``EvalResult``), of hub-docs
(modelcard.md, repositories-licenses.md, spaces-config-reference.md), and of refusals that people report.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from huggingface_hub.errors import HFValidationError
from huggingface_hub.repocard import REGEX_YAML_BLOCK
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

EMPTY = "empty or missing yaml metadata in repo card"  # a warning
_COLOURS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
_SDKS = ("gradio", "docker", "static")
_LICENSES = [
    "apache-2.0",
    "mit",
    "bsd",
    "bsd-2-clause",
    "bsd-3-clause",
    "cc",
    "cc0-1.0",
    "cc-by-3.0",
    "cc-by-4.0",
    "cc-by-sa-3.0",
    "cc-by-sa-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-nd-4.0",
    "cc-by-nc-sa-4.0",
    "agpl-3.0",
    "gpl",
    "gpl-2.0",
    "gpl-3.0",
    "lgpl",
    "lgpl-2.1",
    "lgpl-3.0",
    "mpl-2.0",
    "isc",
    "openrail",
    "unlicense",
    "unknown",
    "other",
]  # those that are in use here, of seventy


def card_head_errors(content: str, kind: str) -> list[str]:
    """Errors of a card's head: YAML, names of the Hub, results, and what a Space must say."""
    match = REGEX_YAML_BLOCK.search(content)
    try:
        head: Any = yaml.safe_load(match[2]) if match else {}
    except yaml.YAMLError as error:
        return [f"YAML Metadata Error: {error}"]
    if not isinstance(head or {}, dict):
        return ["YAML Metadata Error: the metadata must be a mapping"]
    return [*_field_errors(head or {}), *(_space_errors(head or {}) if kind == "space" else ())]


def is_empty(content: str) -> bool:
    """Whether a card has no head, or nothing in it: the Hub warns."""
    match = REGEX_YAML_BLOCK.search(content)
    return match is None or not yaml.safe_load(match[2])


def _field_errors(head: dict[str, Any]) -> Iterator[str]:
    for name, advice in (
        ("base_model", "Use a model id from https://hf.co/models."),
        ("datasets", "If possible, use a dataset id from https://hf.co/datasets."),
    ):
        value = head.get(name)
        places = enumerate(value) if isinstance(value, list) else [(None, value)] if name in head else []
        for place, item in places:
            if not _is_id(item):
                yield f'"{name}{"" if place is None else f"[{place}]"}" with value "{item}" is not valid. {advice}'
    for name in ("tags", "metrics"):
        if not _is_strings(head.get(name)):
            yield f'"{name}" must be an array of strings'
    licenses = head.get("license", [])
    if any(item not in _LICENSES for item in (licenses if isinstance(licenses, list) else [licenses])):
        yield f'"license" must be one of [{", ".join(_LICENSES)}]'
    if "model-index" in head:
        yield from _index_errors(head["model-index"])


def _index_errors(index: Any) -> Iterator[str]:
    models, errors = _array(index, "model-index")
    yield from errors
    for at, model in models:
        yield from _required(model, at, ("name",))
        results, errors = _array(model.get("results"), f"{at}.results")
        yield from errors
        for place, result in results:
            yield from _required(result.get("task") or {}, f"{place}.task", ("type",))
            strings = ("config", "split", "revision")
            yield from _required(result.get("dataset") or {}, f"{place}.dataset", ("type", "name"), strings)
            metrics, errors = _array(result.get("metrics"), f"{place}.metrics")
            yield from errors
            for spot, metric in metrics:
                yield from _required(metric, spot, ("type",), ("name", "config"))
                yield from [f'"{spot}.value" is required'] if metric.get("value") is None else []


def _array(value: Any, at: str) -> tuple[list[tuple[str, dict[str, Any]]], list[str]]:
    """The mappings of an array with the places where they stand, and what is wrong with it."""
    if not isinstance(value, list):
        return [], [f'"{at}" is required' if value is None else f'"{at}" must be an array']
    return [(f"{at}[{place}]", item if isinstance(item, dict) else {}) for place, item in enumerate(value)], []


def _required(mapping: dict[str, Any], at: str, names: tuple[str, ...], strings: tuple[str, ...] = ()) -> Iterator[str]:
    for name in (*names, *strings):
        value = mapping.get(name)
        if value is None and name in names:
            yield f'"{at}.{name}" is required'
        elif value is not None and not isinstance(value, str):
            yield f'"{at}.{name}" must be a string'


def _space_errors(head: dict[str, Any]) -> Iterator[str]:
    for name, choices in (("colorFrom", _COLOURS), ("colorTo", _COLOURS), ("sdk", _SDKS)):
        if name in head and head[name] not in choices:
            yield f'"{name}" must be one of [{", ".join(choices)}]'
    if "sdk" not in head:
        yield '"sdk" is required'
    if len(head.get("short_description", "")) > 60:
        yield '"short_description" length must be less than or equal to 60 characters long'


def _is_id(value: Any) -> bool:
    try:
        validate_repo_id(value)
    except HFValidationError:
        return False
    return value is not None


def _is_strings(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(item, str) for item in value))
