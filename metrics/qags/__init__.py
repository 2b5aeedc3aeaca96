"""QAGS: factual consistency of summaries by questions, answered once from the summary and once from the source."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from quals import __version__

if TYPE_CHECKING:
    from .results import AnsweredQuestion, QAGSResult
    from .scorer import QAGSScorer

__all__ = ["AnsweredQuestion", "QAGSResult", "QAGSScorer", "__version__"]

# Found when asked for, so that importing the package does not wait for torch.
_MODULES = {"QAGSScorer": "scorer", "AnsweredQuestion": "results", "QAGSResult": "results"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
