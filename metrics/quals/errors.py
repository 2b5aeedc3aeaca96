"""The errors that are raised on purpose.

    ValueError
     └─ QualsError
         ├─ DataError           a text, a row or a file is not what it should be
         ├─ OptionError         an option is out of range, or does not go with another
         ├─ CheckpointError     a model cannot be found, read, or used for this
         └─ MissingExtraError   an optional package is not installed

Each is a ``ValueError``, so that ``except ValueError`` catches all. A :class:`DoubtfulTextWarning` is only a warning.
"""

from __future__ import annotations

from importlib.util import find_spec


class QualsError(ValueError):
    """The base of all errors that are raised on purpose."""


class DataError(QualsError):
    """A text, a row or a file is not what it should be."""


class OptionError(QualsError):
    """An option is out of range, or does not go with another."""


class CheckpointError(QualsError):
    """A model cannot be found, read, or used for this."""


class MissingExtraError(QualsError):
    """An optional package is not installed; the message names the extra that brings it."""


class DoubtfulTextWarning(UserWarning):
    """Texts are scored, but hardly as meant: swapped, empty, or in a language that the model does not know."""


def require_extra(extra: str, *modules: str) -> None:
    """Find out before the work whether the packages of an extra are installed.

    Raises:
        MissingExtraError: one of ``modules`` is not.
    """
    for name in modules:
        if find_spec(name) is None:
            raise MissingExtraError(
                f'This needs {name}, which is not installed: run pip install ".[{extra}]" in a clone of the repository.'
            )
