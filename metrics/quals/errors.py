"""The errors that are raised on purpose.

    ValueError
     └─ QualsError
         ├─ DataError           a text, a row or a file is not what it should be
         ├─ OptionError         an option is out of range, or does not go with another
         ├─ CheckpointError     a model cannot be found, read, or used for this
         └─ MissingExtraError   an optional package is not installed

Each is a ``ValueError``, so that ``except ValueError`` catches all.
"""

from __future__ import annotations


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
