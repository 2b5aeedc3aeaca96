"""The metric as a user of evaluate meets it."""

from __future__ import annotations

import importlib
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import evaluate
import numpy as np
import pytest
from quals import QualsScorer
from quals.pairs import fold
from quals.quals import Quals
from quals.results import ScoredPair
from support.metric_texts import FOLDER, SOURCES, SUMMARIES, same


def test_the_result_is_the_scorers(quals: Quals, asking_qagen: Path) -> None:
    scorer = QualsScorer(str(asking_qagen))
    wanted = scorer.score(SOURCES, SUMMARIES)
    result = quals.compute(predictions=SUMMARIES, sources=SOURCES)
    scores = [score.score for score in wanted]
    assert [math.isnan(score) for score in scores] == [False, True, False]
    assert same(result["scores"], scores)
    assert result["quals"] == pytest.approx((scores[0] + scores[2]) / 2, abs=1e-5)
    assert result["num_pairs"] == [len(score.pairs) for score in wanted]
    assert result["num_pairs"][0] > 1
    assert result["coverage"] == pytest.approx(2 / 3)
    assert result["signature"] == scorer.signature
    assert "pairs" not in result


def test_candidates_give_nested_results_and_one_mean(quals: Quals) -> None:
    flat = quals.compute(predictions=SUMMARIES, sources=[SOURCES[0], SOURCES[0], SOURCES[1]], explain=True)
    nested = quals.compute(predictions=[SUMMARIES[:2], SUMMARIES[2:]], sources=SOURCES[:2], explain=True)
    assert [len(scores) for scores in nested["scores"]] == [2, 1]
    assert same([score for scores in nested["scores"] for score in scores], flat["scores"])
    assert [number for numbers in nested["num_pairs"] for number in numbers] == flat["num_pairs"]
    assert [[len(pairs) for pairs in candidates] for candidates in nested["pairs"]] == nested["num_pairs"]
    assert nested["quals"] == pytest.approx(flat["quals"], abs=1e-5)
    assert nested["coverage"] == flat["coverage"]


def test_nothing_scored_is_nan(quals: Quals) -> None:
    result = quals.compute(predictions=["", "?"], sources=SOURCES[:2])
    assert math.isnan(result["quals"])
    assert all(map(math.isnan, result["scores"]))
    assert result["num_pairs"] == [0, 0]
    assert result["coverage"] == 0


def test_the_pairs_explain_the_score(quals: Quals) -> None:
    result = quals.compute(predictions=SUMMARIES, sources=SOURCES, explain=True)
    for summary, score, pairs in zip(SUMMARIES, result["scores"], result["pairs"], strict=True):
        for pair in pairs:
            answer = summary[pair["start"] : pair["end"]]
            assert [word.folded for word in fold(answer)] == [word.folded for word in fold(pair["answer"])]
            assert pair["score"] == pytest.approx(pair["log_likelihood_source"] - pair["log_likelihood_summary"])
            assert "token_log_probs_source" not in pair
        if pairs:
            assert score == pytest.approx(sum(pair["score"] for pair in pairs) / len(pairs))


def test_token_log_probs_are_there_on_request(quals: Quals) -> None:
    [pairs] = quals.compute(predictions=SUMMARIES[:1], sources=SOURCES[:1], token_log_probs=True)["pairs"]
    for pair in pairs:
        assert len(pair["tokens"]) == len(pair["token_log_probs_source"]) == len(pair["token_log_probs_summary"])
        assert pair["log_likelihood_source"] == pytest.approx(np.mean(pair["token_log_probs_source"]))
        assert pair["tokens"][pair["answer_tokens"] - 1] == "<sep>"
        again = ScoredPair.from_dict(pair)
        assert again.to_dict(token_log_probs=True) == pair


def test_long_texts_are_counted_each_source_once(quals: Quals) -> None:
    long = "the cat sat on the mat . " * 20  # the tiny model reads 64 tokens
    texts = {"predictions": [[SUMMARIES[0], long], [""]], "sources": [long, SOURCES[0]]}
    truncated = quals.compute(**texts, long_sources="truncate")
    assert (truncated["truncated_sources"], truncated["windowed_sources"]) == (1, 0)
    assert truncated["truncated_summaries"] == 1
    windowed = quals.compute(predictions=[SUMMARIES[:2], [""]], sources=[long, SOURCES[0]])
    assert (windowed["truncated_sources"], windowed["windowed_sources"]) == (0, 1)
    assert windowed["truncated_summaries"] == 0


def test_other_options_change_the_signature_and_read_no_weights_again(asking_qagen: Path, tmp_path: Path) -> None:
    checkpoint = shutil.copytree(asking_qagen, tmp_path / "checkpoint")
    quals = Quals(str(checkpoint), cache_dir=str(tmp_path))
    first = quals.compute(predictions=SUMMARIES, sources=SOURCES)
    shutil.rmtree(checkpoint)
    options: dict[str, Any] = {"num_groups": 30, "max_pairs": 1, "weighting": "answer", "batch_tokens": 64}
    other = quals.compute(predictions=SUMMARIES, sources=SOURCES, **options)
    assert other["signature"] != first["signature"]
    assert max(other["num_pairs"]) == 1
    with pytest.raises(ValueError, match="checkpoint"):  # here they must be read
        quals.compute(predictions=SUMMARIES, sources=SOURCES, dtype="bfloat16")
    assert same(quals.compute(predictions=SUMMARIES, sources=SOURCES)["scores"], first["scores"])


def test_another_device_or_dtype_reads_the_weights_into_it(quals: Quals, asking_qagen: Path) -> None:
    scorer = QualsScorer(str(asking_qagen), device="cpu", dtype="bfloat16")
    result = quals.compute(predictions=SUMMARIES, sources=SOURCES, device="cpu", dtype="bfloat16")
    assert result["signature"] == scorer.signature
    assert same(result["scores"], [score.score for score in scorer.score(SOURCES, SUMMARIES)])


def test_added_texts_are_scored_together(quals: Quals, expected: dict[str, Any]) -> None:
    quals.add(prediction=SUMMARIES[0], source=SOURCES[0])
    quals.add(prediction=SUMMARIES[1], sources=SOURCES[1])
    quals.add_batch(predictions=SUMMARIES[2:], sources=SOURCES[2:])
    assert len(quals) == 3
    assert same(quals.compute()["scores"], expected["scores"])
    assert len(quals) == 0
    quals.add(prediction=SUMMARIES, source=SOURCES[0])
    assert [len(scores) for scores in quals.compute()["scores"]] == [3]


def test_any_list_of_strings_will_do(quals: Quals, expected: dict[str, Any]) -> None:
    def column(texts: list[str]) -> Any:
        return datasets.Dataset.from_dict({"text": texts})["text"]

    for listed in (tuple, np.array, iter, column):
        quals.add_batch(predictions=listed(SUMMARIES), sources=listed(SOURCES))
    assert same(quals.compute()["scores"], expected["scores"] * 4)


def test_texts_in_memory(asking_qagen: Path, tmp_path: Path, expected: dict[str, Any]) -> None:
    in_memory = Quals(str(asking_qagen), cache_dir=str(tmp_path), keep_in_memory=True)
    assert same(in_memory.compute(predictions=SUMMARIES, sources=SOURCES)["scores"], expected["scores"])


class Lengths(evaluate.Metric):
    """A metric with references."""

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        features = datasets.Features({"predictions": text, "references": text})
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float]:
        return {"words": sum(len(text.split()) for text in predictions)}


def test_it_combines_with_a_metric_of_other_features(quals: Quals, tmp_path: Path, expected: dict[str, Any]) -> None:
    both = evaluate.combine([quals, Lengths(cache_dir=str(tmp_path))])
    both.add_batch(predictions=SUMMARIES[:2], references=SOURCES[:2], sources=SOURCES[:2])
    both.add(prediction=SUMMARIES[2], reference=SOURCES[2], sources=SOURCES[2])
    result = both.compute()
    assert result["words"] == sum(len(text.split()) for text in SUMMARIES)
    assert same(result["scores"], expected["scores"])
    assert result["signature"] == expected["signature"]


TWO = SOURCES[:2]
BAD: list[tuple[Any, Any, str]] = [
    (["a", None], TWO, "Prediction at place 1 .* NoneType"),
    (["a", 3], TWO, "prediction at place 1 .* int"),
    ([3, "a"], TWO, "prediction at place 0 .* int"),
    (["a", b"b"], TWO, "prediction at place 1 .* bytes"),
    (["a", "b"], ["a", None], "source at place 1 .* NoneType"),
    (["a", "b"], ["a", ["b"]], "source at place 1 .* list"),
    (["a", "b"], ["a"], "2 predictions and 1 sources"),
    ([], [], "Predictions .* empty"),
    (["a", "b"], [], "Sources .* empty"),
    (None, TWO, "Predictions .* NoneType"),
    (["a", "b"], None, "Sources .* NoneType"),
    ("ab", TWO, "Predictions .* one string"),
    (["a", "b"], "ab", "Sources .* one string"),
    ({"a": 1, "b": 2}, TWO, "Predictions .* dict"),
    (["a", ["b"]], TWO, "prediction at place 1 is a list"),
    ([["a"], "b"], TWO, "prediction at place 1 is one text"),
    ([["a"], []], TWO, "prediction at place 1 .* empty"),
    ([["a"], None], TWO, "prediction at place 1 .* NoneType"),
    ([["a"], ["b", 3]], TWO, "andidate 1 of the prediction at place 1 .* int"),
    (["a", "\ud83d"], TWO, "prediction at place 1 .* surrogate"),
]


@pytest.mark.parametrize(("predictions", "sources", "message"), BAD)
def test_what_is_no_text_is_refused_and_nothing_is_lost(
    quals: Quals, predictions: Any, sources: Any, message: str
) -> None:
    for call in (quals.add_batch, quals.compute):
        with pytest.raises(ValueError, match=f"(?i){message}") as refused:
            call(predictions=predictions, sources=sources)
        assert "\n" not in str(refused.value)
    quals.add(prediction="a", source="b")
    with pytest.raises(ValueError, match=r"place|redictions|ources"):
        quals.add_batch(predictions=predictions, sources=sources)
    assert len(quals) == 1


@pytest.mark.parametrize(("prediction", "source"), [(None, "a"), ("a", None), (3, "a"), ("a", 3), ([], "a"), ("a", [])])
def test_one_that_is_no_text_is_refused(quals: Quals, prediction: Any, source: Any) -> None:
    with pytest.raises(ValueError, match="at place 0"):
        quals.add(prediction=prediction, source=source)
    quals.add(prediction="a", source="b")
    assert len(quals) == 1


def test_one_form_after_the_other_is_refused(quals: Quals) -> None:
    quals.add(prediction=SUMMARIES[0], source=SOURCES[0])
    with pytest.raises(ValueError, match="is a list"):
        quals.add(prediction=SUMMARIES[:1], source=SOURCES[0])
    assert len(quals.compute()["scores"]) == 1
    quals.add(prediction=SUMMARIES[:1], source=SOURCES[0])  # scored and forgotten, so a new form may come
    with pytest.raises(ValueError, match="is one text"):
        quals.add(prediction=SUMMARIES[0], source=SOURCES[0])
    assert quals.compute()["num_pairs"][0][0] > 0


def test_missing_inputs_are_told(quals: Quals) -> None:
    with pytest.raises(ValueError, match="Sources must be"):
        quals.compute(predictions=SUMMARIES)
    with pytest.raises(ValueError, match="nothing to score"):
        quals.compute()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"weighting": "words"}, ValueError),
        ({"num_groups": 0}, ValueError),
        ({"dtype": "int8"}, ValueError),
        ({"no_such_option": 1}, TypeError),
    ],
)
def test_a_wrong_option_loses_nothing(quals: Quals, options: dict[str, Any], error: type[Exception]) -> None:
    quals.add_batch(predictions=SUMMARIES, sources=SOURCES)
    with pytest.raises(error, match=next(iter(options))):
        quals.compute(**options)
    assert len(quals) == 3


def test_an_interrupted_computation_leaves_no_file_and_no_lock(
    quals: Quals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> Iterator[Any]:
        raise KeyboardInterrupt

    for added in (False, True):
        texts = {"predictions": SUMMARIES, "sources": SOURCES}
        if added:
            quals.add_batch(**texts)
        with monkeypatch.context() as patch:
            patch.setattr(QualsScorer, "score", interrupted)
            with pytest.raises(KeyboardInterrupt):
                quals.compute(**({} if added else texts))
    assert list(tmp_path.rglob("*.arrow")) == []
    quals.add(prediction=SUMMARIES[0], source=SOURCES[0])
    [file] = tmp_path.rglob("*.arrow")
    assert file.name == "default_experiment-1-0.arrow"  # the usual name: a locked one would have got a random name
    assert len(quals.compute()["scores"]) == 1


def test_strange_texts_are_texts(quals: Quals) -> None:
    strange = [
        "\x00\x07\r\n\t",
        "🥊" * 1000,
        "\u202e\u05d0\u05d1",
        "a\u0301" * 500,
        " ",
        "<sep> </s> <pad>",
        "x" * 100_000,
    ]
    result = quals.compute(predictions=strange, sources=strange[::-1])
    assert len(result["scores"]) == len(strange)
    assert [math.isnan(score) for score in result["scores"]] == [number == 0 for number in result["num_pairs"]]


def test_a_computation_writes_nothing_into_the_checkpoint(asking_qagen: Path, tmp_path: Path) -> None:
    before = sorted(asking_qagen.rglob("*"))
    quals = Quals(asking_qagen, cache_dir=str(tmp_path))
    quals.add(prediction=SUMMARIES[0], source=SOURCES[0])
    assert [file.parent.parent.name for file in tmp_path.rglob("*.arrow")] == ["quals"]
    quals.compute()
    assert sorted(asking_qagen.rglob("*")) == before


def test_an_unknown_checkpoint_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    quals = Quals(str(tmp_path / "none"), cache_dir=str(tmp_path))
    with pytest.raises(ValueError, match="none"):
        quals.download_and_prepare()


def test_a_copy_of_the_engine_does_not_change_the_scores_of_the_first(
    asking_qagen: Path, tmp_path: Path, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """evaluate imports its own copy beside the installed package: both must work in one process."""
    first = QualsScorer(str(asking_qagen))
    shutil.copytree(FOLDER, tmp_path / "copy_of_quals", ignore=shutil.ignore_patterns("qagen-*", "__pycache__"))
    monkeypatch.syspath_prepend(str(tmp_path))
    copy = importlib.import_module("copy_of_quals")
    second = copy.QualsScorer(str(asking_qagen))
    assert same([score.score for score in second.score(SOURCES, SUMMARIES)], expected["scores"])
    assert same([score.score for score in first.score(SOURCES, SUMMARIES)], expected["scores"])
