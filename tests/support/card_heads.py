"""What the Hub refuses in the head of a README.md, in its words as far as they are known."""

from __future__ import annotations

import re
from typing import Any

import yaml

_ID = r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?"
_COLOURS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")


def card_head_errors(content: str, kind: str) -> list[str]:
    """Errors of a card's head: YAML, names of the Hub, and what a Space must say."""
    match = re.match(r"\s*---\r?\n(.*?)\r?\n---", content, re.DOTALL)
    try:
        head: Any = yaml.safe_load(match[1]) if match else {}
    except yaml.YAMLError as error:
        return [f"YAML Metadata Error: {error}"]
    if not isinstance(head, dict):
        return ["YAML Metadata Error: the metadata must be a mapping"]
    errors = [
        f'"{name}[{place}]" with value "{value}" is not valid. Use an id from the Hub.'
        for name in ("base_model", "datasets")
        for place, value in enumerate(_listed(head.get(name)))
        if not isinstance(value, str) or not re.fullmatch(_ID, value)
    ]
    errors += [
        f'"{name}" must be an array of strings' for name in ("tags", "metrics") if not _is_strings(head.get(name))
    ]
    errors += ['"license" must be a string'] if not isinstance(head.get("license", ""), str) else []
    results = head.get("model-index")
    if results is not None and not (isinstance(results, list) and all("name" in model for model in results)):
        errors.append('"model-index[0].name" is required')
    if kind == "space":
        errors += [f'"{name}" is not valid' for name in ("colorFrom", "colorTo") if head.get(name) not in _COLOURS]
        errors += ['"sdk" is required'] if not head.get("sdk") else []
        errors += ['"short_description" is too long'] if len(head.get("short_description", "")) > 60 else []
    return errors


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _is_strings(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(item, str) for item in value))
