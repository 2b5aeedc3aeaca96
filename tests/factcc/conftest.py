"""A tiny classifier for every test here."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.classifiers import save_classifier


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny random one; it reads 64 tokens."""
    return save_classifier(tmp_path_factory.mktemp("classifier"))
