"""Split a set into training, validation and test documents; no test document is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.common.examples import Example, by_hash, split

_ENDING = 200  # characters without white space; an article and its copy without the first sentence end alike


@dataclass(frozen=True)
class Parts:
    """The parts of one set.

    Attributes:
        leads: articles with their first sentences, which fine-tuning begins with; may be empty.
        train: documents with their summaries.
        validation: documents that decide when fine-tuning stops.
        test: documents of the set that are kept apart.
        further: test documents from elsewhere; may be empty.
    """

    leads: list[Example]
    train: list[Example]
    validation: list[Example]
    test: list[Example]
    further: list[Example]


def parted(
    examples: Sequence[Example],
    leads: Sequence[Example],
    further: Sequence[Example],
    *,
    test_documents: int,
    validation_documents: int,
    train_documents: int | None = None,
) -> Parts:
    """Split a set into its parts.

    Left out are further documents that end as a document of the set does, and leads that end as a document of
    validation or test does.

    Args:
        examples: the set.
        leads, further: see :class:`Parts`.
        test_documents: number of test documents, and the most further ones.
        validation_documents: number of validation documents.
        train_documents: most training documents; None keeps all that are left.

    Raises:
        ValueError: there are too few documents.
    """
    train, test = split(examples, test_documents)
    train, validation = split(train, validation_documents)
    known = {_ending(example) for example in examples}
    others = by_hash([example for example in further if _ending(example) not in known])[:test_documents]
    if further and not others:
        raise ValueError("All further test documents are in the set that is trained on: give others.")
    apart = {_ending(example) for example in (*test, *validation, *others)}
    usable = [example for example in leads if _ending(example) not in apart]
    return Parts(usable, train[:train_documents], validation, test, others)


def _ending(example: Example) -> str:
    return "".join(example.document.split()).casefold()[-_ENDING:]
