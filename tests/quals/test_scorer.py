"""QUALS itself: identity, invariances, long texts, strange texts, bad input."""

from __future__ import annotations

import copy
import math
import random
from pathlib import Path

import pytest
from quals import OptionError, QualsScorer
from quals.decoding import DecodingSettings
from quals.example_texts import CONSISTENT, INCONSISTENT, SOURCE
from quals.markup import headline
from quals.pairs import ScoredPair, fold
from quals.results import relative_loss, weighted_mean
from support.learned import OPTIONS, learn, texts, values
from support.quals_reference import quals
from transformers import AutoModelForSeq2SeqLM


def test_pairs_survive_and_stand_in_the_summary(scorer: QualsScorer) -> None:
    sources, summaries = texts(12)
    results = scorer.score(sources, summaries)
    assert sum(bool(result.pairs) for result in results) >= 10
    for result, summary in zip(results, summaries, strict=True):
        assert len(result.pairs) <= scorer.max_pairs
        for pair in result.pairs:
            spelled = [word.folded for word in fold(summary[pair.start : pair.end])]
            assert spelled == [word.folded for word in fold(pair.answer)]
            assert pair.tokens[pair.answer_tokens - 1] == "<sep>"
            assert pair.log_likelihood_summary == pytest.approx(
                sum(pair.token_log_probs_summary) / len(pair.tokens), abs=1e-6
            )
            assert max(pair.token_log_probs_summary + pair.token_log_probs_source) <= 1e-6
        if result.pairs:
            assert result.score == pytest.approx(sum(pair.score for pair in result.pairs) / len(result.pairs))


def test_a_summary_is_consistent_with_itself(scorer: QualsScorer) -> None:
    _, summaries = texts(20)
    known = [score for score in values(scorer.score(summaries, summaries)) if not math.isnan(score)]
    assert len(known) >= 10
    assert known == pytest.approx([0.0] * len(known), abs=1e-4)


def test_a_score_depends_on_its_own_texts_alone(scorer: QualsScorer, learned: Path) -> None:
    sources, summaries = texts(20)
    expected = values(scorer.score(sources, summaries))
    assert values(scorer.score(sources, summaries)) == pytest.approx(expected, nan_ok=True, abs=0)
    order = random.Random(3).sample(range(20), 20)
    shuffled = values(scorer.score([sources[i] for i in order], [summaries[i] for i in order]))
    assert shuffled == pytest.approx([expected[i] for i in order], nan_ok=True, abs=1e-4)
    for budget in (1, 100, 100_000):
        other = QualsScorer(str(learned), batch_tokens=budget, **OPTIONS)
        assert other.signature == scorer.signature
        assert values(other.score(sources, summaries)) == pytest.approx(expected, nan_ok=True, abs=1e-4)
    doubled = values(scorer.score(sources * 2, summaries * 2))
    assert doubled == pytest.approx(expected * 2, nan_ok=True, abs=1e-4)


@pytest.mark.parametrize("kind", ["bart", "t5", "pegasus"])
def test_the_score_is_that_of_the_definition(tmp_path: Path, kind: str) -> None:
    folder = learn(kind, tmp_path)
    scorer, stock = QualsScorer(str(folder), **OPTIONS), AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    sources, summaries = texts(10, seed=4)
    sources, summaries = [*sources, "the cat"], [*summaries, "cat cat <sep> Paris, PARIS."]
    settings = DecodingSettings(num_groups=8, min_tokens=3, max_tokens=8)
    compared = 0
    for source, summary, score in zip(sources, summaries, values(scorer.score(sources, summaries)), strict=True):
        expected, gap = quals(stock, scorer.qagen.tokenizer, source, summary, settings)
        if gap > 1e-5:
            compared += not math.isnan(expected)
            assert score == pytest.approx(expected, nan_ok=True, abs=1e-4)
    assert compared >= 5


def test_a_generated_sequence_must_be_one_pair_that_the_summary_backs(scorer: QualsScorer) -> None:
    tokenizer, summary = scorer.qagen.tokenizer, "The cat, in Paris."

    def survives(text: str) -> bool:
        ids = tuple(tokenizer(f"{text} </s>", add_special_tokens=False)["input_ids"])
        return bool(scorer.parse(summary, [ids]))

    assert survives("who won ? <sep> cat")
    assert survives("who won ? <sep> cat in paris")
    assert survives("who won ? <sep> the cat ,")
    for text in (
        "who won ? cat",
        "who <sep> won ? <sep> cat",
        "<sep> cat",
        "who won ? <sep>",
        "who won ? <sep> ?",
        "who <unk> ? <sep> cat",
        "who won ? <sep> dog",
        "who won ? <sep> cat paris",
    ):
        assert not survives(text), text


@pytest.mark.parametrize("policy", ["truncate", "windows"])
def test_no_text_can_hold_a_special_token(learned: Path, policy: str) -> None:
    scorer = QualsScorer(str(learned), long_sources=policy, **OPTIONS)
    special = scorer.qagen.tokenizer.all_special_ids
    for ids in scorer.tokenize(["cat <sep> dog </s> <pad> <s>", "cat <sep> " * 100]):
        assert [token for token in ids[1:-1] if token in special and token != scorer.qagen.tokenizer.unk_token_id] == []
        assert len(ids) <= 64


def test_one_source_with_many_pairs_is_scored_in_several_passes(learned: Path, scorer: QualsScorer) -> None:
    sources, summaries = texts(12)
    small = QualsScorer(str(learned), batch_tokens=40, **OPTIONS)
    passes: list[int] = []  # tokens that the model's decoder takes at once
    small.qagen.model.get_decoder().register_forward_pre_hook(
        lambda module, arguments, options: passes.append(options["input_ids"].numel()), with_kwargs=True
    )
    pairs = small.generate_pairs(summaries)
    passes.clear()
    results = small.score_pairs([sources[0]] * 12, pairs)
    assert len(passes) > 2
    assert max(passes) <= 40
    assert [[pair.question for pair in result.pairs] for result in results] == [
        [pair.question for pair in summary_pairs] for summary_pairs in pairs
    ]
    found = values(small.score([sources[0]] * 12, summaries))
    assert found == pytest.approx(values(scorer.score([sources[0]] * 12, summaries)), nan_ok=True, abs=1e-4)


def test_candidates_of_one_source(scorer: QualsScorer) -> None:
    sources, summaries = texts(6)
    together = values(scorer.score([sources[0]] * 6, summaries))
    alone = [values(scorer.score([sources[0]], [summary]))[0] for summary in summaries]
    assert together == pytest.approx(alone, nan_ok=True, abs=1e-4)


@pytest.mark.parametrize("summary", ["", "   ", "?!", "\x00\x1b", "\U0001f600", "<sep>", "\u05e9\u05dc\u05d5\u05dd"])
def test_strange_summaries_score_or_are_nan(scorer: QualsScorer, summary: str) -> None:
    (result,) = scorer.score(["the cat won in paris"], [summary])
    assert math.isnan(result.score) == (not result.pairs)
    assert result.to_dict()["num_pairs"] == len(result.pairs)
    if math.isnan(result.score):
        assert result.to_dict()["score"] is None


def test_strange_sources_score(learned: Path) -> None:
    scorer = QualsScorer(str(learned), long_sources="truncate", **OPTIONS)
    strange = ["", "\x00", "<sep> </s> <pad>", "\u202eabc", "\U0001f600" * 50, "cat " * 250_000]
    results = scorer.score(strange, ["the cat won in paris"] * len(strange))
    assert all(math.isfinite(result.score) for result in results)
    assert [result.source_truncated for result in results] == [False, False, False, False, False, True]
    whole = QualsScorer(str(learned), **OPTIONS)
    results = whole.score(["cat " * 250_000, "the cat won"], ["the cat won in paris", "cat " * 250_000])
    assert [result.source_windows > 5000 for result in results] == [True, False]
    assert [result.summary_truncated for result in results] == [False, True]


def test_long_texts_are_cut_or_read_in_windows(scorer: QualsScorer, learned: Path) -> None:
    sources, summaries = texts(4)
    long = [" ".join([source] * 8) for source in sources]
    truncating = QualsScorer(str(learned), long_sources="truncate", **OPTIONS)
    assert truncating.signature != scorer.signature
    for cut, whole in zip(truncating.score(long, summaries), scorer.score(long, summaries), strict=True):
        assert (cut.source_truncated, cut.source_windows) == (True, 1)
        assert not whole.source_truncated
        assert whole.source_windows > 1
        for one, best in zip(cut.pairs, whole.pairs, strict=True):  # the first window is what truncation reads
            assert best.log_likelihood_source >= one.log_likelihood_source - 1e-5
    short = scorer.score(["the cat won"], [" ".join(["cat"] * 200)])[0]
    assert (short.source_windows, short.summary_truncated) == (1, True)


def test_given_pairs_can_be_scored(scorer: QualsScorer) -> None:
    sources, summaries = texts(5)
    pairs = scorer.generate_pairs(summaries)
    assert any(len(found) > 1 for found in pairs)
    for result, found in zip(scorer.score_pairs(sources, pairs), pairs, strict=True):
        assert [pair.question for pair in result.pairs] == [pair.question for pair in found]


@pytest.mark.parametrize(
    "options",
    [
        {"num_groups": 0},
        {"num_groups": 2.5},
        {"diversity": -1.0},
        {"diversity": math.inf},
        {"max_tokens": 64},
        {"device": "gpu"},
        {"device": "cuda:99"},
        {"max_pairs": 0},
        {"min_tokens": 9, "max_tokens": 8},
        {"batch_tokens": 0},
        {"chunk": 0},
        {"long_sources": "cut"},
        {"weighting": "mean"},
        {"dtype": "int8"},
        {"max_source_tokens": 65},
        {"window_overlap": 62},
    ],
)
def test_options_out_of_range(learned: Path, options: dict[str, object]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))):
        QualsScorer(str(learned), **options)  # type: ignore[arg-type]


def test_the_signature_follows_every_setting_that_changes_scores(learned: Path, scorer: QualsScorer) -> None:
    changes = [
        {"num_groups": 9},
        {"diversity": 0.4},
        {"max_pairs": 9},
        {"min_tokens": 2},
        {"max_tokens": 9},
        {"weighting": "answer"},
        {"weighting": "information"},
        {"max_source_tokens": 32},
        {"dtype": "bfloat16"},
        {"long_sources": "truncate"},
        {"window_overlap": 3},
    ]
    signatures = {QualsScorer(str(learned), **{**OPTIONS, **change}).signature for change in changes}
    assert len(signatures | {scorer.signature}) == len(changes) + 1


def test_weightings() -> None:
    log_probs = (-1.0, -2.0, -3.0, -4.0, -10.0)  # question, question, separator, answer, end
    assert weighted_mean(log_probs, 3, "tokens") == pytest.approx(-4.0)
    assert weighted_mean(log_probs, 3, "answer") == pytest.approx(-7.0)
    assert weighted_mean(log_probs, 3, "balanced") == pytest.approx(-4.5)


def test_weighting_changes_scores_and_not_pairs(learned: Path, scorer: QualsScorer) -> None:
    sources, summaries = texts(5)
    answers = QualsScorer(str(learned), weighting="answer", **OPTIONS).score(sources, summaries)
    for one, other in zip(scorer.score(sources, summaries), answers, strict=True):
        assert [pair.question for pair in one.pairs] == [pair.question for pair in other.pairs]
        for pair in other.pairs:
            expected = weighted_mean(pair.token_log_probs_source, pair.answer_tokens, "answer")
            assert pair.log_likelihood_source == pytest.approx(expected)


def test_information_is_what_the_source_lacks_of_what_the_summary_tells(learned: Path, scorer: QualsScorer) -> None:
    sources, summaries = texts(12)
    informed = QualsScorer(str(learned), weighting="information", **OPTIONS)
    nothing = scorer.score_pairs(["."] * 12, scorer.generate_pairs(summaries))
    of_nothing = {(pair.question, pair.answer): pair.token_log_probs_source for row in nothing for pair in row.pairs}
    known = 0
    for one, other in zip(scorer.score(sources, summaries), informed.score(sources, summaries), strict=True):
        told = lost = 0.0
        for pair, same in zip(other.pairs, one.pairs, strict=True):
            assert pair.score == pytest.approx(same.score, abs=1e-5)
            assert pair.token_log_probs_nothing == pytest.approx(of_nothing[pair.question, pair.answer], abs=1e-4)
            assert ScoredPair.from_dict(pair.to_dict(token_log_probs=True)) == pair
            told += sum(pair.token_log_probs_summary) - sum(pair.token_log_probs_nothing)
            lost += sum(pair.token_log_probs_source) - sum(pair.token_log_probs_summary)
        known += told > 0
        assert other.score == pytest.approx(lost / told if told > 0 else math.nan, nan_ok=True)
        assert "nats" in headline(one.score, one.pairs)
        assert not other.pairs or "nats" not in headline(other.score, other.pairs)
    assert known > 5


def test_a_summary_that_tells_nothing_has_no_information_to_lose() -> None:
    assert math.isnan(relative_loss([((-1.0,), (-2.0,), (-1.5,))]))
    assert math.isnan(relative_loss([]))


def test_embedded_model(embedded: Path) -> None:
    scorer = QualsScorer(str(embedded))
    results = scorer.score([SOURCE, SOURCE, CONSISTENT], [CONSISTENT, INCONSISTENT, CONSISTENT])
    assert results[0].score > results[1].score
    assert results[2].score == pytest.approx(0.0, abs=1e-4)
    assert all(len(result.pairs) == 10 for result in results)


def test_a_copy_scores_as_its_original_does(scorer: QualsScorer) -> None:
    """What scoring leaves on a model must not take effect twice in a copy."""
    sources, summaries = texts(12)
    expected = values(scorer.score(sources, summaries))
    again = copy.deepcopy(scorer)
    assert values(again.score(sources, summaries)) == pytest.approx(expected, nan_ok=True, abs=1e-6)
    assert values(copy.deepcopy(again).score(sources, summaries)) == pytest.approx(expected, nan_ok=True, abs=1e-6)
