"""Rankers of every kind give one number a summary, or say in one sentence what they gave."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import evaluate
import numpy as np
import pytest
import torch
from quals import QualsScorer
from quals.quals import Quals
from rouge_score.rouge_scorer import RougeScorer

from trainer_ext.mining import Ranker, resolve_ranker
from trainer_ext.mining.rankers import MetricRanker, QualsRanker, WordPairsRanker

SOURCES = ["joshua won the red city .", "klitschko lost the cat in paris .", "a queen was in london ?"]
SUMMARIES = ["red city in paris klitschko", "the red city in paris", ""]
REFERENCES = ["joshua won the city", "the cat in paris", "a queen"]
ASKING = {"num_groups": 30, "diversity": 2.0, "device": "cpu"}  # the settings at which asking_qagen asks


def same(one: list[float], two: list[float]) -> bool:
    return np.allclose(one, two, atol=1e-5, equal_nan=True)


def test_quals(asking_qagen: Path) -> None:
    ranker = resolve_ranker("quals", checkpoint=str(asking_qagen), **ASKING)
    scorer = QualsScorer(str(asking_qagen), **ASKING)
    scores = ranker(SOURCES, SUMMARIES)
    assert same(scores, [result.score for result in scorer.score(SOURCES, SUMMARIES)])
    assert [math.isnan(score) for score in scores] == [False, False, True]
    assert (ranker.name, ranker.signature, ranker.needs_reference) == ("quals", scorer.signature, False)
    given = resolve_ranker(scorer)
    assert isinstance(given, QualsRanker)
    assert given.scorer is scorer
    assert resolve_ranker(given) is given
    assert ranker([], []) == []


def test_quals_loads_nothing_before_it_is_needed() -> None:
    ranker = resolve_ranker("quals", checkpoint="/nowhere")
    with pytest.raises(ValueError, match="No QAGen could be loaded"):
        ranker(SOURCES, SUMMARIES)


def test_rouge_is_the_mean_of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    ranker = resolve_ranker("rouge")
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    expected = []
    for reference, summary in zip(REFERENCES, SUMMARIES, strict=True):
        expected.append(sum(score.fmeasure for score in scorer.score(reference, summary).values()) / 3)
    assert ranker(SOURCES, SUMMARIES, REFERENCES) == pytest.approx(expected)
    assert ranker(["x"], ["The cats sat on a mat."], ["the cat sat on the mat"]) == pytest.approx(
        [(5 / 6 + 3 / 5 + 5 / 6) / 3]
    )
    assert ranker(SOURCES, REFERENCES, REFERENCES) == [1.0, 1.0, 1.0]
    assert ranker.needs_reference
    with pytest.raises(ValueError, match="compares with reference summaries, and the data have none"):
        ranker(SOURCES, SUMMARIES)
    monkeypatch.setitem(sys.modules, "rouge_score", None)
    with pytest.raises(ValueError, match=r"\[train\]"):
        resolve_ranker("rouge")


def test_word_pairs_are_counted_in_the_source() -> None:
    ranker = resolve_ranker("word_pairs")
    scores = ranker(
        ["The cat sat on the mat.", "The cat sat.", "one two"], ["a cat sat on a mat", "Cat", "One, two: one two"]
    )
    assert scores[0] == pytest.approx(2 / 5), "cat sat, sat on"
    assert math.isnan(scores[1]), "one word has no pair"
    assert scores[2] == pytest.approx(2 / 3), "repeats count; 'two one' is not in the source"
    assert (ranker.name, ranker.needs_reference) == ("word_pairs", False)
    assert isinstance(resolve_ranker(WordPairsRanker), WordPairsRanker)
    with pytest.raises(ValueError, match="takes no options"):
        resolve_ranker("word_pairs", order=3)


def test_a_metric_with_sources(asking_qagen: Path, tmp_path: Path) -> None:
    metric = Quals(str(asking_qagen), cache_dir=str(tmp_path))
    ranker = resolve_ranker(metric, **ASKING)
    assert same(
        ranker(SOURCES, SUMMARIES), resolve_ranker("quals", checkpoint=str(asking_qagen), **ASKING)(SOURCES, SUMMARIES)
    )
    assert not ranker.needs_reference
    other = resolve_ranker(metric, **{**ASKING, "max_pairs": 1})
    assert ranker.signature == resolve_ranker(metric, **ASKING).signature != other.signature


class Overlap(evaluate.Metric):
    """Numbers of words in common with the reference, in the form that a test asks for."""

    features = datasets.Features({"predictions": datasets.Value("string"), "references": datasets.Value("string")})

    def __init__(self, form: Any, features: Any = None, **options: Any) -> None:
        self._form, self._features = form, features or Overlap.features
        super().__init__(**options)

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(description="", citation="", features=self._features)

    def _compute(self, predictions: list[str], references: list[Any]) -> Any:
        texts = [text if isinstance(text, str) else text[0] for text in references]
        return self._form([len({*a.split()} & {*b.split()}) for a, b in zip(predictions, texts, strict=True)])


Overlap.features = property(lambda self: self._features)  # type: ignore[assignment, method-assign]
PLAIN = datasets.Features({"predictions": datasets.Value("string"), "references": datasets.Value("string")})
LISTS = datasets.Features(
    {"predictions": datasets.Value("string"), "references": datasets.Sequence(datasets.Value("string"))}
)
NUMBERS = datasets.Features({"predictions": datasets.Value("float32"), "references": datasets.Value("float32")})


@pytest.mark.parametrize("features", [PLAIN, LISTS, [LISTS, PLAIN], [NUMBERS, PLAIN]])
@pytest.mark.parametrize(
    "form",
    [
        lambda found: {"scores": found, "other": found},
        lambda found: {"overlap": np.array(found, dtype=np.float32), "mean": 1.0, "short": [1.0]},
    ],
)
def test_a_metric_with_references(tmp_path: Path, features: Any, form: Any) -> None:
    ranker = resolve_ranker(Overlap(form, features, cache_dir=str(tmp_path)))
    assert ranker(SOURCES, SUMMARIES, REFERENCES) == [1.0, 3.0, 0.0]
    assert ranker.needs_reference
    assert ranker.signature == resolve_ranker(Overlap(form, features, cache_dir=str(tmp_path))).signature
    other = resolve_ranker(Overlap(lambda found: {"scores": [-x for x in found]}, features, cache_dir=str(tmp_path)))
    assert other.signature != ranker.signature  # of other code under the same name


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (lambda found: {"mean": 1.0}, "gave mean; 0 of these are lists"),
        (lambda found: {"a": found, "b": found}, "gave a, b; 2 of these are lists"),
        (lambda found: {"scores": found[:1]}, "gave 1 scores for 2 summaries"),
        (lambda found: {"scores": 0.5}, "gave float: give a list"),
    ],
)
def test_a_metric_without_a_score_an_example(tmp_path: Path, form: Any, message: str) -> None:
    ranker = resolve_ranker(Overlap(form, PLAIN, cache_dir=str(tmp_path)))
    with pytest.raises(ValueError, match=message):
        ranker.signature  # noqa: B018  # mining asks for it first, before hours of sampling


def test_a_metric_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a ranker is given texts"):
        resolve_ranker(Overlap(lambda found: {}, NUMBERS, cache_dir=str(tmp_path)))
    assert MetricRanker(Overlap(dict, PLAIN, cache_dir=str(tmp_path))).needs_reference


@pytest.mark.parametrize(
    "given",
    [
        [1, 0.5, None],
        (1.0, 0.5, math.nan),
        np.array([1.0, 0.5, math.nan]),
        torch.tensor([1.0, 0.5, math.nan]),
        [np.float64(1), torch.tensor(0.5), None],
        iter([1.0, 0.5, None]),
    ],
)
def test_a_function(given: Any) -> None:
    ranker = resolve_ranker(lambda sources, summaries, references: given)
    assert same(ranker(SOURCES, SUMMARIES), [1.0, 0.5, math.nan])
    assert not ranker.needs_reference


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1.0, 2.0], "gave 2 scores for 3 summaries"),
        ([1.0, 2.0, "3"], "gave the score '3'"),
        ([1.0, 2.0, True], "gave the score True"),
        ([1.0, 2.0, math.inf], "gave the score inf: give a finite number"),
        ([1.0, 2.0, [3.0]], r"gave the score \[3.0\]"),
        (None, "gave NoneType: give a list"),
        ("abc", "gave str: give a list"),
        ({"scores": [1, 2, 3]}, "gave dict: give a list"),
        (1.0, "gave float: give a list"),
    ],
)
def test_a_function_that_gives_something_else(given: Any, message: str) -> None:
    def mine(sources: Any, summaries: Any, references: Any) -> Any:
        return given

    with pytest.raises(ValueError, match=f"^The ranker mine {message}"):
        resolve_ranker(mine)(SOURCES, SUMMARIES)


class Scored:
    """A function with a memory: what it is called with, and attributes that a ranker may have."""

    needs_reference = True

    def __init__(self, signature: str | None = None, file: Any = None) -> None:
        if signature:
            self.signature = signature
        self.file = file

    def __call__(self, sources: list[str], summaries: list[str], references: list[str] | None) -> list[int]:
        return [len(reference) for reference in references or []]


def test_a_functions_attributes() -> None:
    ranker = resolve_ranker(Scored("mine-1"))
    assert (ranker.name, ranker.signature, ranker.needs_reference) == ("Scored", "mine-1", True)
    assert ranker(SOURCES, SUMMARIES, REFERENCES) == list(map(len, REFERENCES))


def test_a_function_without_a_signature_is_hashed() -> None:
    def of(number: int) -> Ranker:
        return resolve_ranker(lambda sources, summaries, references: [number] * len(summaries))

    assert of(1).signature == of(1).signature != of(2).signature
    with pytest.raises(ValueError, match=r"cannot be hashed .* attribute `signature`"):
        resolve_ranker(Scored(file=(x for x in "a"))).signature  # noqa: B018


_SEEDED = """
from trainer_ext.mining.rankers import FunctionRanker

RARE = {frozenset({"cat", "dog"}), frozenset({"queen"}), frozenset({"king", "river"})}

def literal(sources, summaries, references):
    return [float(sum(word in {"not", "no", "never"} or {word} in RARE for word in text.split())) for text in summaries]

print(FunctionRanker(literal).signature)
"""


def test_sets_hash_alike_in_every_process() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", _SEEDED],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1
    assert found.pop().startswith("literal-")


@pytest.mark.parametrize(
    ("ranker", "options", "message"),
    [
        ("rogue", {}, "The ranker is 'rogue': give 'quals', 'rouge', 'word_pairs'"),
        (None, {}, "The ranker is None"),
        ("rouge", {"stem": False}, "takes no options, and got stem"),
        (print, {"a": 1}, "takes no options, and got a"),
    ],
)
def test_what_is_no_ranker(ranker: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve_ranker(ranker, **options)
