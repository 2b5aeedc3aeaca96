"""All of mining together: texts, scores, the check of the model, and runs that are killed go on to the same bytes."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from support.mining_data import FEW, chunks, columns, copied, documents, summarizer, with_labels
from support.tiny import tiny_tokenizer
from transformers import PreTrainedModel

from trainer_ext.mining import (
    SamplingSettings,
    Selection,
    Workers,
    check_summarizer,
    mine,
    random_documents,
    resolve_ranker,
    sample_candidates,
    score_candidates,
    select_candidates,
)
from trainer_ext.mining.generation import special_tokens
from trainer_ext.mining.texts import candidate_texts, reference_texts, source_texts

TOKENIZER = tiny_tokenizer()


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return summarizer()


@pytest.fixture(scope="module")
def labelled(model: PreTrainedModel) -> Dataset:
    return with_labels(model, documents(150))


@pytest.fixture(scope="module")
def sampled(model: PreTrainedModel, labelled: Dataset) -> Dataset:
    return sample_candidates(model, labelled, FEW, progress=False)


def test_texts_are_decoded() -> None:
    ids = TOKENIZER(["the cat won .", ""])["input_ids"]
    made = {"input_ids": ids, "labels": [[*ids[0], -100], ids[1]], "candidate_labels": [[ids[0], [2]], []]}
    dataset = Dataset.from_dict(made)
    assert source_texts(dataset, TOKENIZER) == ["the cat won .", ""]
    assert source_texts(dataset, TOKENIZER, "The  cat ") == ["won .", ""]  # as the tokenizer writes it
    assert source_texts(dataset, TOKENIZER, "the dog ") == ["the cat won .", ""]
    assert reference_texts(dataset, TOKENIZER) == ["the cat won .", ""]
    assert reference_texts(dataset.remove_columns("labels"), TOKENIZER) is None
    assert candidate_texts(dataset, TOKENIZER) == [["the cat won .", ""], []]


def test_texts_of_columns_are_taken_as_they_are() -> None:
    dataset = Dataset.from_dict({"document": ["Summarize: A", "B"], "texts": [["a"], []], "number": [1, 2]})
    assert source_texts(dataset, None, "Summarize: ", "document") == ["Summarize: A", "B"]
    assert reference_texts(dataset, None, "document") == ["Summarize: A", "B"]
    assert candidate_texts(dataset, None, "texts") == [["a"], []]
    with pytest.raises(ValueError, match=r"no column 'text' \(columns found: 'document', 'texts', 'number'\)"):
        source_texts(dataset, TOKENIZER, column="text")
    with pytest.raises(ValueError, match="Row 0 of 'number' is int, not text"):
        reference_texts(dataset, TOKENIZER, "number")
    with pytest.raises(ValueError, match="Row 0 of 'document' is not a list of texts"):
        candidate_texts(dataset, TOKENIZER, "document")
    with pytest.raises(ValueError, match="no tokenizer to decode"):
        source_texts(dataset.add_column("input_ids", [[1], [2]]), None)


def test_scores_are_the_rankers(sampled: Dataset) -> None:
    result = score_candidates(sampled, resolve_ranker(copied), TOKENIZER, progress=False)
    sources = source_texts(sampled, TOKENIZER)
    references = reference_texts(sampled, TOKENIZER) or []
    expected = [
        copied([source] * len(mine), mine, None)
        for source, mine in zip(sources, candidate_texts(sampled, TOKENIZER), strict=True)
    ]
    assert columns(result)["candidate_scores"] == expected
    assert columns(result)["reference_score"] == copied(sources, references, None)
    assert result.column_names == [*sampled.column_names, "candidate_scores", "reference_score"]


def test_equal_texts_are_scored_once() -> None:
    seen: list[tuple[str, str, str]] = []

    def remember(sources: list[str], summaries: list[str], references: list[str]) -> list[int]:
        seen.extend(zip(sources, summaries, references, strict=True))
        return [len(summary) for summary in summaries]

    made = {
        "source": ["s"] * 100,
        "reference": ["ab"] * 100,
        "texts": [["a", "b", "a", "ab"]] * 99 + [[]],
    }
    names = {"source_column": "source", "reference_column": "reference", "candidate_column": "texts"}
    dataset = Dataset.from_dict(made)
    result = score_candidates(dataset, remember, progress=False, chunk=60, **names)
    once = [("s", "a", "ab"), ("s", "b", "ab"), ("s", "ab", "ab")]
    assert seen == once * 2  # once per chunk
    assert list(result["candidate_scores"]) == [[1.0, 1.0, 1.0, 2.0]] * 99 + [[]]
    assert list(result["reference_score"]) == [2.0] * 100


def test_without_references_there_is_no_reference_score(sampled: Dataset) -> None:
    given: list[Any] = []

    def remember(sources: list[str], summaries: list[str], references: Any) -> list[float]:
        given.append(references)
        return [1.0] * len(summaries)

    bare = sampled.remove_columns("labels")
    result = score_candidates(bare, resolve_ranker(remember), TOKENIZER, progress=False)
    assert all(math.isnan(score) for score in result["reference_score"])
    assert given == [None] * 19  # chunks of 8 documents
    with pytest.raises(ValueError, match="ranker rouge compares with reference summaries, and the data have none"):
        score_candidates(bare, resolve_ranker("rouge"), TOKENIZER, progress=False)


def test_scoring_goes_on_and_forgets_nothing(sampled: Dataset, tmp_path: Path) -> None:
    calls = 0

    def breaking(sources: list[str], summaries: list[str], references: Any) -> list[float | None]:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return copied(sources, summaries, references)

    breaking.signature = "a"  # type: ignore[attr-defined]
    options: dict[str, Any] = {"folder": tmp_path, "progress": False, "chunk": 64}
    with pytest.raises(KeyboardInterrupt):
        score_candidates(sampled, resolve_ranker(breaking), TOKENIZER, **options)
    result = score_candidates(sampled, resolve_ranker(breaking), TOKENIZER, **options)
    assert calls == 4  # three chunks, one of them tried twice
    assert columns(result) == columns(score_candidates(sampled, resolve_ranker(copied), TOKENIZER, progress=False))
    score_candidates(sampled, resolve_ranker(breaking), TOKENIZER, **options)
    assert calls == 4
    breaking.signature = "b"  # type: ignore[attr-defined]
    score_candidates(sampled, resolve_ranker(breaking), TOKENIZER, **options)
    assert calls == 7
    score_candidates(sampled.select(range(64)), resolve_ranker(breaking), TOKENIZER, **options)
    assert calls == 8


def test_workers_mine_what_one_does(model: PreTrainedModel, labelled: Dataset, tmp_path: Path) -> None:
    small = labelled.select(range(100))
    options: dict[str, Any] = {"tokenizer": TOKENIZER, "ranker": copied, "sampling": FEW, "progress": False}
    alone, summary = mine(model, small, **options)

    def step(number: int) -> None:
        """What the other rank does while rank 0 waits: after the first samples, after all of them, after the scores."""
        if number < 2:
            with suppress(OSError):  # it does not wait, and at first misses chunks of rank 0
                sample_candidates(model, small, FEW, folder=tmp_path, workers=Workers(1, 2), progress=False)
        else:
            mine(model, small, folder=tmp_path, workers=Workers(1, 2), **options)

    waits = iter(range(3))
    both, same = mine(model, small, folder=tmp_path, workers=Workers(0, 2, lambda: step(next(waits))), **options)
    assert columns(both) == columns(alone)
    assert same == summary
    again, _ = mine(model, small, folder=tmp_path, workers=Workers(1, 2), **options)
    assert columns(again) == columns(alone)


def test_the_summary_counts_what_there_is(model: PreTrainedModel, labelled: Dataset) -> None:
    selected, summary = mine(model, labelled, tokenizer=TOKENIZER, ranker=copied, sampling=FEW, progress=False)
    assert (summary.documents, summary.candidates, summary.rule, summary.ranker) == (150, 600, "two_sided", "copied")
    assert summary.selected == summary.negatives == len(selected)
    assert 45 <= len(selected) <= 90
    assert summary.mean_worst_score < summary.mean_candidate_score
    assert summary.mean_negative_score < summary.mean_candidate_score
    assert summary.rouge_l > 0.1
    assert json.loads(json.dumps(summary.to_dict(), allow_nan=False))["documents"] == 150
    numbers = list(selected["number"])
    assert numbers == sorted(set(numbers))
    assert {"input_ids", "labels", "candidate_labels", "candidate_scores"} <= set(selected.column_names)


def test_rouge_selects_one_side(model: PreTrainedModel, labelled: Dataset) -> None:
    selected, summary = mine(model, labelled, tokenizer=TOKENIZER, ranker="rouge", sampling=FEW, progress=False)
    assert summary.rule == "one_sided"
    assert len(selected) <= round(0.51 * 150)
    for ids, candidates in zip(selected["labels"], selected["candidate_labels"], strict=True):
        assert ids not in candidates


def test_quals_mines(model: PreTrainedModel, labelled: Dataset, asking_qagen: Path) -> None:
    ranker = resolve_ranker("quals", checkpoint=str(asking_qagen), device="cpu", num_groups=30, diversity=2.0)
    few = labelled.select(range(20))
    every = Selection(rule="all")
    selected, summary = mine(
        model, few, tokenizer=TOKENIZER, ranker=ranker, sampling=FEW, selection=every, progress=False
    )
    assert len(selected) == 20
    assert 0 < summary.coverage < 1
    assert summary.signature == ranker.signature
    for scores in columns(selected)["candidate_scores"]:
        known = [score for score in scores if score is not None]
        assert known == sorted(known, reverse=True)
        assert scores[: len(known)] == known


def test_a_model_that_is_no_summarizer_yet(model: PreTrainedModel, labelled: Dataset) -> None:
    foreign = TOKENIZER(["klitschko"])["input_ids"] * len(labelled)
    other = labelled.remove_columns("labels").add_column("labels", foreign)
    with pytest.raises(ValueError, match=r"not a summarizer yet: .* ROUGE-L F1 of 0\.0\d\d .* set mle_epochs"):
        mine(model, other, tokenizer=TOKENIZER, ranker=copied, sampling=FEW, progress=False)
    bare, summary = mine(
        model, labelled.remove_columns("labels"), tokenizer=TOKENIZER, ranker=copied, sampling=FEW, progress=False
    )
    assert math.isnan(summary.rouge_l)
    assert summary.to_dict()["rouge_l"] is None
    assert summary.rule == "one_sided"
    assert len(bare) == 76


@pytest.mark.parametrize("rank", [0, 1])
def test_no_summarizer_is_refused_after_the_first_samples_in_every_process(
    model: PreTrainedModel, labelled: Dataset, tmp_path: Path, rank: int
) -> None:
    foreign = TOKENIZER(["klitschko"])["input_ids"] * len(labelled)
    other = labelled.remove_columns("labels").add_column("labels", foreign)
    waited: list[int] = []

    def other_rank() -> None:
        waited.append(rank)
        with suppress(OSError):
            sample_candidates(model, other, FEW, folder=tmp_path, workers=Workers(1 - rank, 2), progress=False)

    workers = Workers(rank, 2, other_rank)
    options: dict[str, Any] = {"tokenizer": TOKENIZER, "ranker": copied, "sampling": FEW, "progress": False}
    with pytest.raises(ValueError, match="not a summarizer yet"):
        mine(model, other, folder=tmp_path, workers=workers, **options)
    assert waited == [rank]
    alone = tmp_path / "alone"
    with pytest.raises(ValueError, match="not a summarizer yet"):
        mine(model, other, folder=alone, **options)
    assert len(chunks(alone)) < len(chunks(tmp_path)) / 2


def test_few_poor_samples_are_not_noise_beyond_chance(model: PreTrainedModel) -> None:
    made = {"labels": [[1, 5, 6, 7, 2]] * 20, "candidate_labels": [[[1, 9, 2]]] * 17 + [[[1, 5, 6, 2]]] * 3}
    dataset = Dataset.from_dict(made)  # a mean of 0.12 * 0.8
    special = special_tokens(model)
    with pytest.raises(ValueError, match="not a summarizer yet"):
        check_summarizer(dataset.select(range(19)), None, special)
    assert check_summarizer(dataset.select(range(19)), None, special, beyond_chance=True) == pytest.approx(2 * 0.8 / 19)


def test_the_check_of_the_model_by_hand(model: PreTrainedModel) -> None:
    made = {"labels": [[1, 5, 6, 7, 2], [1, 2]], "candidate_labels": [[[1, 5, 8, 7, 2], [1, 9, 2]], [[1, 9, 2]]]}
    dataset = Dataset.from_dict(made)
    # Of one document: 2 of 3 words in order, and none; an empty reference does not count.
    assert check_summarizer(dataset, None, special_tokens(model)) == pytest.approx((2 / 3 + 0) / 2)
    assert check_summarizer(dataset, TOKENIZER) == pytest.approx((2 / 3 + 0) / 2)
    assert check_summarizer(dataset.remove_columns("labels"), TOKENIZER) is None
    # ROUGE's words have no other letters than a to z: such a text is compared by its tokens.
    cyrillic = dataset.add_column("summary", ["кот на мате", ""])
    assert check_summarizer(cyrillic, TOKENIZER, special_tokens(model), "summary") == pytest.approx(1 / 3)


def test_steps_one_by_one_are_all_of_them(model: PreTrainedModel, labelled: Dataset) -> None:
    options: dict[str, Any] = {"tokenizer": TOKENIZER, "ranker": "rouge", "sampling": FEW, "progress": False}
    whole, summary = mine(model, labelled, **options)
    samples, first = mine(model, labelled, steps=["sample"], candidate_column="texts", **options)
    assert samples["texts"][:] == candidate_texts(samples, TOKENIZER)
    assert (first.rouge_l, first.candidates, first.selected, first.rule) == (summary.rouge_l, 600, 0, "")
    scored, second = mine(None, samples, steps=["score"], candidate_column="texts", **options)
    assert (second.signature, second.coverage) == (summary.signature, 1.0)
    selected, third = mine(None, scored, steps=["select"], candidate_column="texts", **options)
    assert third.rule == "one_sided"
    assert columns(selected.remove_columns("texts")) == columns(whole)
    for settings, message in (({"steps": ["rank"]}, "steps is 'rank'"), ({"steps": []}, "steps is ''")):
        with pytest.raises(ValueError, match=message):
            mine(model, labelled, **options, **settings)
    with pytest.raises(ValueError, match="no model to sample from"):
        mine(None, labelled, **options)


def test_a_step_alone_resolves_its_ranker_and_has_the_defaults_of_mine(
    model: PreTrainedModel, labelled: Dataset
) -> None:
    few = labelled.select(range(4))
    model.generation_config.max_length = 8
    samples = sample_candidates(model, few, progress=False)
    scored = score_candidates(samples, "rouge", TOKENIZER, progress=False)
    assert columns(scored) == columns(score_candidates(samples, resolve_ranker("rouge"), TOKENIZER, progress=False))
    assert len(select_candidates(scored)) <= 2
    model.generation_config.max_length = None


def test_mistakes_are_found_before_sampling(labelled: Dataset) -> None:
    class Unable:
        """No model at all: whatever asks it for something fails the test."""

    def start(dataset: Dataset = labelled, **options: Any) -> None:
        mine(Unable(), dataset, **{"tokenizer": TOKENIZER, "ranker": copied, **options})  # type: ignore[arg-type]

    with pytest.raises(ValueError, match="The ranker is 'rogue'"):
        start(ranker="rogue")
    with pytest.raises(ValueError, match="ranker rouge compares with reference summaries"):
        start(labelled.remove_columns("labels"), ranker="rouge")
    with pytest.raises(ValueError, match="no column 'document'"):
        start(source_column="document")
    with pytest.raises(ValueError, match="no tokenizer"):
        start(tokenizer=None)
    with pytest.raises(ValueError, match=r"needs a datasets\.Dataset"):
        start(labelled.to_iterable_dataset())
    with pytest.raises(ValueError, match="max_documents is 0"):
        start(max_documents=0)


def test_a_random_subset_in_order() -> None:
    dataset = documents(50)
    numbers = list(random_documents(dataset, 20, 1)["number"])
    assert len(set(numbers)) == 20
    assert numbers == sorted(numbers) == list(random_documents(dataset, 20, 1)["number"])
    assert numbers != list(random_documents(dataset, 20, 2)["number"])
    for count in (None, 50, 51):
        assert random_documents(dataset, count, 1) is dataset


def test_one_document_one_candidate(model: PreTrainedModel, labelled: Dataset) -> None:
    one = labelled.select([3])
    sampling = SamplingSettings(num_candidates=1, max_length=10, seed=1)
    selected, summary = mine(model, one, tokenizer=TOKENIZER, ranker=copied, sampling=sampling, progress=False)
    assert (len(selected), summary.documents, summary.candidates, summary.rule) == (1, 1, 1, "one_sided")
