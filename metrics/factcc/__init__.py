"""FactCC: factual consistency of summaries by a classifier of their sentences against the source."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from quals import __version__

if TYPE_CHECKING:
    from .results import FactCCResult, JudgedSentence
    from .scorer import FactCCScorer

__all__ = ["FactCCResult", "FactCCScorer", "JudgedSentence", "__version__"]

# Found when asked for, so that importing the package does not wait for torch.
_MODULES = {"FactCCScorer": "scorer", "JudgedSentence": "results", "FactCCResult": "results"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
