"""The larger QAGen in the repository, on texts that it was not trained on."""

from __future__ import annotations

import pytest
from quals import QualsScorer
from quals.example_texts import EXAMPLES
from support.tiny import REPOSITORY

BRIDGE, RIGHT = EXAMPLES["The bridge: right"]
ARMOUR, _ = EXAMPLES["The chink in the armour: given to the wrong man"]
PAIRS = [
    (BRIDGE, "Inspectors had found cracks in March.", "Inspectors had found cracks in June."),
    (BRIDGE, "Helen Marsh said that she feared for her trade.", "Tom Brown said that she feared for her trade."),
    (ARMOUR, "About 90,000 people are expected at Wembley.", "About 27 people are expected at Wembley."),
    (ARMOUR, "Klitschko laughed when the remark was put to him.", "Joshua laughed when the remark was put to him."),
]


@pytest.fixture(scope="module")
def small() -> QualsScorer:
    return QualsScorer("small", device="cpu", num_groups=12)


def test_a_changed_fact_scores_lower(small: QualsScorer) -> None:
    right = small.score([source for source, _, _ in PAIRS], [text for _, text, _ in PAIRS])
    wrong = small.score([source for source, _, _ in PAIRS], [text for _, _, text in PAIRS])
    assert all(a.score > b.score for a, b in zip(right, wrong, strict=True))


def test_a_text_states_itself(small: QualsScorer) -> None:
    (result,) = small.score([RIGHT], [RIGHT])
    assert result.score == pytest.approx(0.0, abs=1e-4)


def test_its_head_is_not_its_input_embeddings(small: QualsScorer) -> None:
    """transformers can take this T5 for a tied one."""
    model = small.qagen.model
    assert not model.get_output_embeddings().weight.equal(model.get_input_embeddings().weight)


def test_no_file_is_too_large_for_a_git_host() -> None:
    files = [path.stat().st_size for path in (REPOSITORY / "metrics" / "quals" / "qagen-small").iterdir()]
    assert max(files) < 100e6
    assert sum(files) < 130e6
