"""Nothing here runs code that a checkpoint brings, and no call asks at a terminal whether it may."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from support.tiny import REPOSITORY

FILES = [
    file for room in ("metrics", "trainer_ext", "benchmarks", "examples") for file in (REPOSITORY / room).rglob("*.py")
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_every_from_pretrained_refuses_a_checkpoints_own_code(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "from_pretrained":
            said = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
            assert said.get("trust_remote_code") is False, f"{file}, line {node.lineno}"
