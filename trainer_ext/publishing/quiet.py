"""huggingface_hub's warnings, silenced: what matters of them is told in our own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub.utils import logging


@contextmanager
def quiet() -> Iterator[None]:
    """Only errors are logged within."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
