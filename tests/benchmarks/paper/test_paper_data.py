"""A set's parts: nothing that is tested on is trained on."""

from __future__ import annotations

import pytest

from benchmarks.common.examples import Example, split
from benchmarks.paper.data import parted

EXAMPLES = [Example(f"document {number} " * 40, "a summary") for number in range(30)]


def test_leads_hold_no_test_document_and_further_tests_none_of_the_set() -> None:
    _, test = split(EXAMPLES, 4)
    inside = [Example(f"Its first sentence stands before.\n {one.document.upper()}", "lead") for one in test]
    other = [Example(f"another {number} " * 40, "a summary") for number in range(6)]
    parts = parted(
        EXAMPLES,
        [*inside, other[0], other[1]],
        [other[0], Example(EXAMPLES[0].document.replace(" ", "  "), "x"), *other[2:]],
        test_documents=4,
        validation_documents=3,
        train_documents=10,
    )
    assert parts.test == test
    assert len(parts.train) == 10
    assert len(parts.validation) == 3
    assert set(parts.further) <= set(other) - {other[1]}
    assert len(parts.further) == 4
    assert other[1] in parts.leads
    assert not set(parts.leads) & {*inside, *parts.further}
    documents = [one.document for part in (parts.train, parts.validation, parts.test) for one in part]
    assert len(documents) == len(set(documents))


def test_further_tests_that_are_all_known_are_refused() -> None:
    with pytest.raises(ValueError, match="further test documents are in the set"):
        parted(EXAMPLES, [], EXAMPLES[:3], test_documents=4, validation_documents=3)
    assert parted(EXAMPLES, [], [], test_documents=4, validation_documents=3).further == []


def test_official_parts_are_not_trained_on() -> None:
    """Documents that they share with the set leave training, also those beyond the test's number, and are counted."""
    shared = [Example(one.document.upper(), "x") for one in EXAMPLES[:5]]
    test = [*shared, *(Example(f"official {number} " * 40, "x") for number in range(4))]
    validation = [test[0], EXAMPLES[7], Example("stops here " * 40, "x")]
    parts = parted(EXAMPLES, [test[-1]], [], test_documents=6, validation_documents=3, validation=validation, test=test)
    assert len(parts.test) == 6
    assert set(parts.test) < set(test)
    assert set(parts.validation) == set(validation[1:])
    assert set(parts.train) == set(EXAMPLES) - {*EXAMPLES[:5], EXAMPLES[7]}
    assert parts.left_out == 6
    alone = parted(EXAMPLES, [], [], test_documents=6, validation_documents=3, test=test)
    assert (len(alone.test), len(alone.validation), len(alone.train)) == (6, 3, 22)
    with pytest.raises(ValueError, match="validation documents are in the test"):
        parted(EXAMPLES, [], [], test_documents=6, validation_documents=3, validation=shared, test=test)
    with pytest.raises(ValueError, match="give others to train on"):
        parted(EXAMPLES, [], [], test_documents=6, validation_documents=3, test=EXAMPLES)


def test_skipped_test_documents_are_those_of_a_run_without_it() -> None:
    """Together they are the test, and neither part is trained on."""
    first, second = (
        parted(EXAMPLES, [], [], test_documents=4, validation_documents=3, test=EXAMPLES[:9], skip_test=skipped)
        for skipped in (0, 4)
    )
    assert (len(first.test), len(second.test)) == (4, 4)
    assert not set(first.test) & set(second.test)
    assert (first.train, first.validation) == (second.train, second.validation)
    for skipped, test in ((-1, EXAMPLES[:9]), (1, [])):
        with pytest.raises(ValueError, match="are to be skipped: give 0 or more, and --test"):
            parted(EXAMPLES, [], [], test_documents=4, validation_documents=3, test=test, skip_test=skipped)
    with pytest.raises(ValueError, match="skip fewer"):
        parted(EXAMPLES, [], [], test_documents=4, validation_documents=3, test=EXAMPLES[:9], skip_test=9)
