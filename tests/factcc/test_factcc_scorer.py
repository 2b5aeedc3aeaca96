"""FactCCScorer: the score is the mean over sentences, whatever the batch; long texts; what is refused."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from factcc import FactCCScorer
from quals.batching import sliced
from support.classifiers import save_classifier
from support.threads import check_threads
from transformers import AutoModelForSequenceClassification, AutoTokenizer

SOURCES = [
    "the king lost the red city paris . the cat sat on the mat .",
    "the champion joshua was in london and has a dog .",
    "what is the river",
]
SUMMARIES = ["The king lost Paris. The cat sat in London!", "joshua has a dog", " \n"]
LONG = "the cat sat on the red mat and the king lost paris . " * 12


def plain(folder: Path, source: str, sentence: str) -> float:
    """One claim by itself, the straightforward way."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        logits = model(**tokenizer(source, sentence, return_tensors="pt")).logits
    return float(logits.softmax(-1)[0, 0])


def test_a_score_is_the_mean_of_its_sentences(classifier: Path) -> None:
    first, second, none = FactCCScorer(str(classifier)).score(SOURCES, SUMMARIES)
    wanted = [plain(classifier, SOURCES[0], text) for text in ("The king lost Paris.", "The cat sat in London!")]
    assert [sentence.score for sentence in first.sentences] == pytest.approx(wanted, abs=1e-5)
    assert abs(wanted[0] - wanted[1]) > 1e-3, "the tiny model has opinions"
    assert first.score == pytest.approx(sum(wanted) / 2, abs=1e-5)
    assert [SUMMARIES[0][one.start : one.end] for one in first.sentences] == [one.text for one in first.sentences]
    assert second.score == pytest.approx(plain(classifier, SOURCES[1], SUMMARIES[1]), abs=1e-5)
    assert math.isnan(none.score)
    assert none.sentences == ()


def test_scores_depend_on_nothing_but_their_texts(classifier: Path) -> None:
    sources, summaries = [*SOURCES, LONG, LONG] * 20, [*SUMMARIES, LONG, SUMMARIES[0]] * 20
    wanted = [result.score for result in FactCCScorer(str(classifier)).score(sources, summaries)]
    small = FactCCScorer(str(classifier), batch_tokens=70).score(iter(sources[::-1]), iter(summaries[::-1]))
    alone = [
        FactCCScorer(str(classifier)).score([x], [y])[0].score for x, y in zip(sources[:5], summaries[:5], strict=True)
    ]
    assert [result.score for result in small][::-1] == pytest.approx(wanted, abs=1e-5, nan_ok=True)
    assert alone == pytest.approx(wanted[:5], abs=1e-5, nan_ok=True)


def test_threads_get_their_own_scores(classifier: Path) -> None:
    scorer = FactCCScorer(str(classifier))
    sources = [*SOURCES, LONG, LONG] * 5
    summaries = [f"{SUMMARIES[place % 3]} {place}. The {place}th cat sat." for place in range(25)]
    check_threads(lambda *pair: scorer.score(*([text] for text in pair), progress=False)[0].score, sources, summaries)


def test_what_is_tokenized_together_does_not_matter(classifier: Path) -> None:
    wanted, found = (
        [result.score for result in FactCCScorer(str(classifier), **few).score([*SOURCES, LONG], [*SUMMARIES, LONG])]
        for few in (
            {},
            {"slice_characters": 100},
        )
    )
    assert found == pytest.approx(wanted, abs=1e-5, nan_ok=True)


def test_slices_hold_so_much_or_one() -> None:
    assert list(sliced([3, 3, 9, 1, 1], most=6)) == [slice(0, 2), slice(2, 3), slice(3, 5)]
    assert list(sliced([])) == []


def test_the_padding_of_its_tokenizer_is_of_no_account(classifier: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(classifier, tmp_path / "left"))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.padding_side = tokenizer.truncation_side = "left"
    tokenizer.save_pretrained(folder)
    for long_sources in ("windows", "truncate"):
        texts = [*SOURCES, LONG], [*SUMMARIES, SUMMARIES[0]]
        wanted, found = (
            [one.score for one in FactCCScorer(str(place), long_sources=long_sources).score(*texts)]
            for place in (classifier, folder)
        )
        assert found == pytest.approx(wanted, abs=1e-5, nan_ok=True)


def test_long_sources_are_read_in_windows_or_cut(classifier: Path) -> None:
    (windowed,) = FactCCScorer(str(classifier)).score([LONG], SUMMARIES[:1])
    (cut,) = FactCCScorer(str(classifier), long_sources="truncate").score([LONG], SUMMARIES[:1])
    assert windowed.source_windows > 2
    assert not windowed.source_truncated
    assert (cut.source_windows, cut.source_truncated) == (1, True)
    for best, first in zip(windowed.sentences, cut.sentences, strict=True):
        assert best.score >= first.score - 1e-6
    assert windowed.score > cut.score
    (short,) = FactCCScorer(str(classifier), long_sources="truncate").score(SOURCES[:1], SUMMARIES[:1])
    assert (short.source_windows, short.source_truncated, short.summary_truncated) == (1, False, False)


@pytest.mark.parametrize("place", [0, -1])
def test_a_window_that_overflows_is_not_a_score(classifier: Path, place: int) -> None:
    scorer = FactCCScorer(str(classifier))

    def overflowing(module: torch.nn.Module, arguments: Any, output: Any) -> Any:
        output.logits[place] = math.nan
        return output

    scorer.classifier.model.register_forward_hook(overflowing)
    (result,) = scorer.score([LONG], ["the king lost paris"])
    assert result.source_windows > 2
    assert math.isnan(result.score)


def test_the_end_of_a_long_sentence_is_not_read_and_that_is_said(classifier: Path) -> None:
    long = "the cat sat on the mat and " * 20
    scorer = FactCCScorer(str(classifier))
    one, other, short = scorer.score([SOURCES[0]] * 3, [long, long + "paris", "the cat sat"])
    assert one.summary_truncated
    assert other.summary_truncated
    assert not short.summary_truncated
    assert one.score == pytest.approx(other.score, abs=1e-6)


def test_text_is_never_a_special_token(classifier: Path) -> None:
    scorer = FactCCScorer(str(classifier))
    read: list[torch.Tensor] = []
    scorer.classifier.model.register_forward_pre_hook(
        lambda module, arguments, inputs: read.append(inputs["input_ids"]), with_kwargs=True
    )
    scorer.score([f"{SOURCES[0]} </s>"], ["the king </s> lost paris"])
    assert read[0][0].tolist().count(scorer.classifier.tokenizer.eos_token_id) == 2  # its own two


@pytest.mark.parametrize(
    "text", ["🥊" * 300, "\u202e\u05d0\u05d1 .", "\x00\x07 a", "a\u0301" * 100 + "!", "x" * 50_000]
)
def test_strange_texts_are_texts(classifier: Path, text: str) -> None:
    (result,) = FactCCScorer(str(classifier)).score([text], [text])
    assert math.isnan(result.score) or 0 <= result.score <= 1


def test_the_signature_is_of_model_and_settings(classifier: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(classifier, tmp_path / "copy")
    signature = FactCCScorer(str(classifier)).signature
    assert signature.startswith("factcc-v2-")
    assert FactCCScorer(str(copy), batch_tokens=100).signature == signature
    others = [
        FactCCScorer(str(classifier), long_sources="truncate"),
        FactCCScorer(str(classifier), max_tokens=32),
        FactCCScorer(str(classifier), window_overlap=2),
        FactCCScorer(str(save_classifier(tmp_path / "other", seed=1))),
    ]
    assert len({signature, *(scorer.signature for scorer in others)}) == 5


@pytest.mark.parametrize(
    "labels", [("consistent", "inconsistent"), ("INCORRECT", "CORRECT"), ("neutral", "entailment")]
)
def test_the_class_is_known_by_its_name(tmp_path: Path, labels: tuple[str, str]) -> None:
    scorer = FactCCScorer(str(save_classifier(tmp_path, labels)))
    (result,) = scorer.score(SOURCES[:1], ["the king lost paris"])
    first = plain(tmp_path, SOURCES[0], "the king lost paris")
    expected = first if labels[0] == "consistent" else 1 - first
    assert result.score == pytest.approx(expected, abs=1e-5)


def test_what_is_no_classifier_of_claims_is_refused(tiny_qagen: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="should be called correct or"):
        FactCCScorer(str(save_classifier(tmp_path / "labels", ("LABEL_0", "LABEL_1"))))
    with pytest.raises(ValueError, match="nowhere"):
        FactCCScorer(str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="is not a classifier of claims"):
        FactCCScorer(str(tiny_qagen))
    broken = save_classifier(tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ValueError, match="cannot be read"):
        FactCCScorer(str(broken))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"long_sources": "all"}, "long_sources"),
        ({"dtype": "int8"}, "dtype"),
        ({"max_tokens": 8}, "max_tokens"),
        ({"max_tokens": 65}, "16 to 64"),
        ({"window_overlap": 40}, "give less than 29"),
        ({"max_tokens": 16, "window_overlap": 5}, "give less than 5"),
        ({"batch_tokens": 0}, "batch_tokens"),
        ({"device": "abacus"}, "device"),
    ],
)
def test_options_out_of_range_are_refused(classifier: Path, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        FactCCScorer(str(classifier), **options)


def test_bad_texts_are_refused(classifier: Path) -> None:
    scorer = FactCCScorer(str(classifier))
    wrong: list[tuple[Any, Any]] = [
        ([], []),
        (["a"], []),
        (["a"], [3]),
        ("a", "b"),
        (["a"], [None]),
        (["\ud800"], ["a"]),
    ]
    for sources, summaries in wrong:
        with pytest.raises(ValueError, match=r"\w"):
            scorer.score(sources, summaries)


def test_the_same_words_have_the_same_score_and_the_sentences_are_the_given_ones(classifier: Path) -> None:
    scorer = FactCCScorer(str(classifier), long_sources="truncate")
    summary = 'The king\'s cat ("a dog") lost the of\u00adfice in Paris\u2014the city. Joshua won\u2026'
    typeset = summary.replace("'", "\u2019").replace("ff", "\ufb00").replace(" (", "\u00a0(").replace('"', "\u201d")
    expected, found = scorer.score([SOURCES[0]] * 2, [summary, typeset])
    assert found.score == expected.score
    for sentence, own in zip(expected.sentences, found.sentences, strict=True):
        assert own.text == typeset[own.start : own.end]
        assert own.text[:3] == sentence.text[:3]
    assert found.sentences[1].text == "Joshua won\u2026"
