"""What a set is trained and tested on; nothing that is tested on is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.common.examples import Example, by_hash, split

_ENDING = 200  # characters, without white space: an article without its first sentence ends as it does with it


@dataclass(frozen=True)
class Parts:
    """Of one set.

    Attributes:
        leads: articles with their first sentences, that fine-tuning begins with; perhaps none.
        train: documents with their summaries.
        validation: that end the fine-tuning.
        test: kept apart from the set.
        further: test documents from elsewhere; perhaps none.
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
    """A set's parts.

    Further documents that end as one of the set's does are left out, and leads that end as a document of test or
    validation.

    Args:
        examples: the set.
        leads, further: see :class:`Parts`.
        test_documents: kept apart, and of the further ones taken at most.
        validation_documents: kept apart.
        train_documents: at most; None is all that are left.

    Raises:
        ValueError: there are not enough.
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
