"""QualsComputeMetrics: the sources are those of the set that is evaluated."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from quals import QualsScorer
from quals.results import mean_score
from support.tiny import tiny_tokenizer
from support.trainer_runs import documents, load, trainer
from transformers import EvalPrediction, PreTrainedTokenizerBase, Seq2SeqTrainer, Seq2SeqTrainingArguments

from trainer_ext import QualsComputeMetrics
from trainer_ext.evaluation import rouge


def texts(data: Dataset) -> list[str]:
    return tiny_tokenizer().batch_decode(list(data["input_ids"]), skip_special_tokens=True)


class Remembering(QualsScorer):
    """Knows which sources it was asked about."""

    sources: list[str]

    def score(self, sources: Any, summaries: Any, **options: Any) -> Any:
        self.sources = list(sources)
        return super().score(sources, summaries, **options)


@pytest.fixture(scope="module")
def scorer(qagen: Path) -> Remembering:
    return Remembering(str(qagen))


@pytest.mark.parametrize("strategy", ["random", "group_by_length"])
def test_metrics_of_generated_summaries(tmp_path: Path, summarizer: Path, qagen: Path, strategy: str) -> None:
    data = documents(5, seed=7)
    sources = tiny_tokenizer().batch_decode(list(data["input_ids"]), skip_special_tokens=True)
    scorer = QualsScorer(str(qagen))
    found = trainer(
        tmp_path,
        load(summarizer),
        predict_with_generate=True,
        train_sampling_strategy=strategy,
        eval_dataset=data,
        compute_metrics=QualsComputeMetrics(tiny_tokenizer(), sources, scorer),
    )
    metrics = found.evaluate()
    predictions = found.predict(data).predictions
    found.compute_metrics = None
    alone = [found.predict(data.select([place])).predictions[0] for place in range(len(data))]
    assert [[token for token in row if token] for row in predictions] == [
        [token for token in row if token] for row in alone
    ]
    summaries = tiny_tokenizer().batch_decode(predictions, skip_special_tokens=True)
    expected = [result.score for result in scorer.score(sources, [text.strip() for text in summaries])]
    assert metrics["eval_quals"] == pytest.approx(mean_score(expected))
    assert metrics["eval_quals_coverage"] == sum(score == score for score in expected) / len(expected) > 0
    references = tiny_tokenizer().batch_decode(list(data["labels"]), skip_special_tokens=True)
    assert metrics["eval_rougeL"] == pytest.approx(rouge(summaries, references)["rougeL"])
    assert 3 <= metrics["eval_generated_length"] <= 8


VALIDATION, TEST, SHORT = documents(5, seed=7), documents(5, seed=8), documents(3, seed=9)
SETS = {"validation": VALIDATION, "test": TEST, "short": SHORT}


@pytest.mark.parametrize("given", ["none", "lists", "whole texts"])
def test_each_set_is_scored_against_its_own_sources(
    tmp_path: Path, summarizer: Path, scorer: Remembering, given: str
) -> None:
    end = " the king" if given == "whole texts" else ""
    whole = {name: [text + end for text in texts(data)] for name, data in SETS.items()}
    metrics = QualsComputeMetrics(tiny_tokenizer(), None if given == "none" else whole, scorer)
    found = trainer(tmp_path, load(summarizer), predict_with_generate=True, compute_metrics=metrics)
    for name, data in SETS.items():
        found.predict(data)
        assert scorer.sources == whole[name]
    results = found.evaluate(SETS)
    assert {f"eval_{name}_quals" for name in SETS} <= set(results)
    assert found.args.include_for_metrics == []


@pytest.mark.parametrize("data", [TEST, SHORT, VALIDATION.select([1, 0, 3, 4, 2])])
def test_sources_of_another_set_are_refused(
    tmp_path: Path, summarizer: Path, scorer: Remembering, data: Dataset
) -> None:
    metrics = QualsComputeMetrics(tiny_tokenizer(), texts(VALIDATION), scorer)
    found = trainer(tmp_path, load(summarizer), predict_with_generate=True, compute_metrics=metrics)
    with pytest.raises(ValueError, match="sources of QualsComputeMetrics"):
        found.predict(data)


def test_the_stock_trainer_gives_the_sources_where_it_is_told_to(
    tmp_path: Path, summarizer: Path, scorer: Remembering
) -> None:
    options: dict[str, Any] = {"predict_with_generate": True, "use_cpu": True, "report_to": "none"}
    for included in (["inputs"], []):
        args = Seq2SeqTrainingArguments(str(tmp_path), include_for_metrics=included, **options)
        stock = Seq2SeqTrainer(
            load(summarizer),
            args,
            processing_class=tiny_tokenizer(),
            data_collator=trainer(tmp_path, load(summarizer)).data_collator,
            compute_metrics=QualsComputeMetrics(tiny_tokenizer(), None, scorer),
        )
        if included:
            stock.predict(TEST)
            assert scorer.sources == texts(TEST)
        else:
            with pytest.raises(ValueError, match="include_for_metrics"):
                stock.predict(TEST)


def test_logits_are_not_scored(tmp_path: Path, summarizer: Path, scorer: Remembering) -> None:
    metrics = QualsComputeMetrics(tiny_tokenizer(), None, scorer)
    found = trainer(tmp_path, load(summarizer), compute_metrics=metrics, eval_dataset=TEST)
    with pytest.raises(ValueError, match="predict_with_generate"):
        found.evaluate()
    with pytest.raises(ValueError, match="predict_with_generate"):
        metrics(EvalPrediction((np.zeros((2, 3, 4), dtype=np.float32),), np.zeros((2, 3), dtype=int)))


def test_a_prefix_of_the_inputs_is_not_part_of_the_source(scorer: Remembering) -> None:
    tokenizer: PreTrainedTokenizerBase = tiny_tokenizer()
    ids = np.array(tokenizer(["what is the cat won"])["input_ids"])
    QualsComputeMetrics(tokenizer, None, scorer, source_prefix="what is ")(EvalPrediction(ids, None, inputs=ids))
    assert scorer.sources == ["the cat won"]


def test_scripts_without_spaces_are_told_apart(scorer: Remembering) -> None:
    class Signs:
        """One token per sign, as code points."""

        pad_token_id = 0

        def batch_decode(self, ids: Any, **_: Any) -> list[str]:
            return ["".join(map(chr, row[row > 2])) for row in ids]

    rng = random.Random(0)
    sets = {name: ["".join(chr(rng.randrange(0x4E00, 0x5E00)) for _ in range(30))] for name in ("a", "b")}
    metrics = QualsComputeMetrics(Signs(), sets, scorer)  # type: ignore[arg-type]
    ids = np.array([[ord(sign) for sign in sets["b"][0][:20]]])
    metrics(EvalPrediction(ids, None, inputs=ids))
    assert scorer.sources == sets["b"]
