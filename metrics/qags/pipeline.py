"""Load a spaCy pipeline that knows sentences, names and noun phrases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quals.errors import MissingExtraError, OptionError

if TYPE_CHECKING:
    from spacy.language import Language

PIPELINE = "en_core_web_sm"


def load_pipeline(name: str = PIPELINE) -> Language:
    """A spaCy pipeline with tagger, parser and named entities.

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
    try:
        pipeline = spacy.load(name)
    except OSError as error:
        raise MissingExtraError(
            f"There is no spaCy pipeline {name!r}: python -m spacy download {PIPELINE}, or name one that is installed."
        ) from error
    missing = {"parser", "ner", "tagger"} - set(pipeline.pipe_names)
    if missing:
        raise OptionError(f"The spaCy pipeline {name!r} has no {', '.join(sorted(missing))}: name one that has.")
    return pipeline
