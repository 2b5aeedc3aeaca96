"""A Hub in memory that this process publishes to, and a model's folder as training leaves it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from support.hub_repo import TOKEN
from support.hub_server import FakeHub
from support.trained import write_trained_model


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
    monkeypatch.setattr("transformers.utils.hub._hf_api", None)  # which keeps the Hub that it was made for
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
