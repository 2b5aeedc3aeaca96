"""A Hub in memory that this process publishes to, and a model's folder as training leaves it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from hub.server import TOKEN, FakeHub
from hub.trained import write_trained_model
from tiny import train_tiny_qagen


@pytest.fixture
def server() -> Iterator[FakeHub]:
    """The server alone."""
    hub = FakeHub()
    yield hub
    hub.close()
    assert hub.misuse == []


@pytest.fixture
def hub(server: FakeHub, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """The server, which this process takes for the Hub; retries do not wait."""
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    huggingface_hub.close_session()  # a client of other settings may be there
    yield server
    huggingface_hub.close_session()


@pytest.fixture
def summarizer(tmp_path: Path) -> Path:
    """Folder of a trained model, with what training leaves beside it."""
    return write_trained_model(tmp_path / "summarizer")


@pytest.fixture(scope="session")
def tiny_asking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny QAGen whose pairs survive, with a card."""

    def ask(rng: random.Random, text: list[str]) -> str:
        return f"who did what in the city ? <sep> {rng.choice(text)}"

    folder = train_tiny_qagen(tmp_path_factory.mktemp("asking") / "qagen-tiny", ask)
    (folder / "README.md").write_text("---\ntags: [qagen]\n---\n\n# A tiny QAGen\n")
    return folder
