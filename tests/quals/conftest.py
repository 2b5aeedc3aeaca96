"""A tiny QAGen that has learnt to ask, and a scorer with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from quals import QualsScorer
from support.learned import OPTIONS, learn


@pytest.fixture(scope="session")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return learn("bart", tmp_path_factory.mktemp("learned"))


@pytest.fixture(scope="session")
def scorer(learned: Path) -> QualsScorer:
    return QualsScorer(str(learned), **OPTIONS)
