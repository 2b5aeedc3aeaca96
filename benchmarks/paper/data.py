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
        left_out: number of documents that are not trained on, because validation or test has them too.
    """

    leads: list[Example]
    train: list[Example]
    validation: list[Example]
    test: list[Example]
    further: list[Example]
    left_out: int = 0


def parted(
    examples: Sequence[Example],
    leads: Sequence[Example],
    further: Sequence[Example],
    *,
    test_documents: int,
    validation_documents: int,
    train_documents: int | None = None,
    validation: Sequence[Example] = (),
    test: Sequence[Example] = (),
    skip_test: int = 0,
) -> Parts:
    """Split a set into its parts.

    A document is left out of one part if a document of another ends alike: of training, if it is in a given validation
    or test; of a given validation, if in the test; of the further ones, if in the set; of leads, if judged on.

    Args:
        examples: the set.
        leads, further: see :class:`Parts`.
        test_documents: number of test documents, and the most further ones.
        validation_documents: number of validation documents.
        train_documents: most training documents; None keeps all that are left.
        validation, test: the documents of these parts; where there are none, they are split off the set.
        skip_test: number of documents of ``test`` to pass over: those that earlier runs judged.

    Raises:
        ValueError: there are too few documents, or documents of no ``test`` are to be skipped.
    """
    known = {_ending(example) for example in (*examples, *validation, *test)}
    in_test = {_ending(example) for example in test}
    judged_on = in_test | {_ending(example) for example in validation}
    train = [example for example in examples if _ending(example) not in judged_on]
    left_out = len(examples) - len(train)
    if not train:
        raise ValueError("All documents of the set are in its test or validation: give others to train on.")
    tested = by_hash(test)[skip_test : skip_test + test_documents]
    if skip_test < 0 or (skip_test and not test):
        raise ValueError(f"{skip_test:,} test documents are to be skipped: give 0 or more, and --test to skip them of.")
    if test and not tested:
        raise ValueError(f"The test has {len(test):,} documents, and {skip_test:,} are skipped: skip fewer.")
    train, tested = (by_hash(train), tested) if test else split(train, test_documents)
    own = by_hash([example for example in validation if _ending(example) not in in_test])[:validation_documents]
    if validation and not own:
        raise ValueError("All validation documents are in the test: give others.")
    train, stopping = (train, own) if validation else split(train, validation_documents)
    others = by_hash([example for example in further if _ending(example) not in known])[:test_documents]
    if further and not others:
        raise ValueError("All further test documents are in the set that is trained on: give others.")
    apart = {_ending(example) for example in (*tested, *stopping, *others)}
    usable = [example for example in leads if _ending(example) not in apart]
    return Parts(usable, train[:train_documents], stopping, tested, others, left_out)


def _ending(example: Example) -> str:
    return "".join(example.document.split()).casefold()[-_ENDING:]
