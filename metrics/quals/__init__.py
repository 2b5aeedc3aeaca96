"""QUALS: factual consistency of summaries by question-answer likelihoods."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .calibration import Calibration
    from .errors import CheckpointError, DataError, DoubtfulTextWarning, MissingExtraError, OptionError, QualsError
    from .results import QualsResult, ScoredPair, results_to_pandas
    from .scorer import QualsScorer

__all__ = [
    "Calibration",
    "CheckpointError",
    "DataError",
    "DoubtfulTextWarning",
    "MissingExtraError",
    "OptionError",
    "QualsError",
    "QualsResult",
    "QualsScorer",
    "ScoredPair",
    "__version__",
    "results_to_pandas",
]

__version__ = "0.1.0"

# Found when asked for: what needs no model, such as the command line's help, should not wait for torch.
_MODULES = {
    "Calibration": "calibration",
    "CheckpointError": "errors",
    "DataError": "errors",
    "DoubtfulTextWarning": "errors",
    "MissingExtraError": "errors",
    "OptionError": "errors",
    "QualsError": "errors",
    "QualsScorer": "scorer",
    "ScoredPair": "results",
    "QualsResult": "results",
    "results_to_pandas": "results",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
