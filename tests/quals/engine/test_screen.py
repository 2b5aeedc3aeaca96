"""Bounds by int8 products: never below a logit, and the same sequences, pairs and scores as with all logits."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from quals import QualsScorer
from quals.decoding import diverse_greedy
from quals.generated import Generated
from quals.pairs import Pair, select
from quals.projection import OutputProjection
from quals.screen import Screen, _tried, int8_pays, screen_of
from quals.selecting import selected
from torch import Tensor
from transformers import BartConfig, BartForConditionalGeneration

TEXTS = [
    ("The river Inn flooded the old town of Passau on Monday, and 300 people left.", "Passau was flooded on Monday."),
    ("Marie Curie won two Nobel Prizes, in 1903 and in 1911.", "Marie Curie won a Nobel Prize in 1903."),
    ("The council of Leeds voted for a tram on Friday. It will cost £2bn.", "A tram in Leeds will cost £3bn."),
]


@pytest.fixture
def screened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds on whatever processor."""
    monkeypatch.setattr("quals.screen.int8_pays", lambda: True)


def head_of(vocabulary: int, width: int = 96, spread: float = 1.0) -> torch.nn.Linear:
    torch.manual_seed(0)
    head = torch.nn.Linear(width, vocabulary, bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.randn(vocabulary, width) * torch.randn(vocabulary, 1).mul(spread).exp())
        head.weight[5] = 0
    return head


def bounds_of(screen: Screen, hidden: Tensor, bias: Tensor | None = None) -> Tensor:
    bounds, memory = screen.bounds(hidden, bias), torch.empty(len(hidden), 700)
    parts = []
    for first in range(0, screen.vocabulary, 700):
        into = torch.empty(len(hidden), min(700, screen.vocabulary - first))
        bounds.write(first, into, memory)
        middle = bounds.estimates(first, into, memory)
        margins = bounds.margins(torch.arange(first, first + into.shape[1]).repeat(len(hidden), 1))
        off = (into * bounds.units - margins - middle).abs()
        assert (off <= 1e-3 * margins + 1e-6 * middle.abs()).all()
        parts.append(into * bounds.units)
    return torch.cat(parts, 1)


@pytest.mark.parametrize("spread", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e4])
def test_no_logit_is_above_its_bound(spread: float, size: float) -> None:
    head = head_of(5000, spread=spread)
    with torch.inference_mode():
        hidden = torch.randn(40, 96) * torch.randn(40, 1).exp() * size
        hidden[3], hidden[4, 7], hidden[5] = 0, 1000 * size, size
        logits = hidden.double() @ head.weight.double().t()
        for bias in (None, size * torch.randn(5000)):
            whole = logits if bias is None else logits + bias
            bounds = bounds_of(Screen(head.weight), hidden, bias).double()
            assert (bounds >= whole - 1e-6 * whole.abs()).all(), "beyond float32's rounding"
            # A bound says something: it is a small part of all logits' spread above its own.
            assert (bounds - whole)[10:].mean() < 0.2 * whole[10:].std()


def test_tokens_left_out_are_below_the_limit(screened: None) -> None:
    torch.manual_seed(1)
    sizes = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    config = BartConfig(vocab_size=5000, d_model=32, encoder_ffn_dim=16, decoder_ffn_dim=16, init_std=0.5, **sizes)
    model = BartForConditionalGeneration(config).eval()
    model.final_logits_bias += torch.randn(5000)
    with torch.inference_mode():
        hidden = torch.randn(70, 32)
        expected = (model.lm_head(hidden) + model.final_logits_bias).log_softmax(-1)
        projection = OutputProjection(model)
        assert projection.estimates
        for width, banned in ((1, None), (24, None), (24, 4999), (61, 0)):
            log_probs, ids, limits = projection.most_likely(hidden, width, banned)
            assert (ids[:, 1:] > ids[:, :-1]).all()
            off = log_probs - expected.gather(1, ids)
            assert torch.allclose(off, off[:, :1].expand_as(off), atol=1e-4), "one number for a row"
            assert off.abs().max() < 0.05
            others = expected.scatter(1, ids, -torch.inf)
            if banned is not None:
                assert not (ids == banned).any()
                others[:, banned] = -torch.inf
            assert (others.amax(1) + off[:, 0] <= limits + 1e-5).all()
            assert (limits - log_probs.amin(1)).mean() < 1, "the limit says something"
        # All tokens are all logits.
        log_probs, ids, _ = projection.most_likely(hidden, 5000)
        assert torch.allclose(log_probs, expected, atol=1e-4)


def test_rows_of_extreme_numbers_do_not_spoil_the_others(screened: None) -> None:
    config = BartConfig(vocab_size=5000, d_model=64, encoder_layers=1, decoder_layers=1, init_std=1.0)
    model = BartForConditionalGeneration(config).eval()
    with torch.inference_mode():
        hidden = torch.randn(6, 64)
        hidden[3] *= 100
        hidden[4, 0], hidden[5, 0] = torch.nan, torch.inf
        log_probs, _, limits = OutputProjection(model).most_likely(hidden, 24)
        assert log_probs[:3].isfinite().all()
        assert limits[:3].isfinite().all()
        assert not (log_probs[4:] > limits[4:, None]).any(), "all logits decide"
        alone, _, _ = OutputProjection(model).most_likely(hidden[:3], 24)
        assert torch.allclose(log_probs[:3].amax(1), alone.amax(1), atol=0.05)


def test_pairs_and_scores_are_those_of_all_logits(embedded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources, summaries = map(list, zip(*TEXTS, strict=True))
    found: list[tuple[Any, Any]] = []
    for pays in (True, False):
        monkeypatch.setattr("quals.screen.int8_pays", lambda pays=pays: pays)
        scorer = QualsScorer(str(embedded), device="cpu")
        assert OutputProjection(scorer.qagen.model).estimates == pays
        found.append((scorer.score(sources, summaries), scorer.generate_pairs(summaries)))
    (bounded, all_bounded), (whole, every) = found
    assert [len(result.pairs) for result in whole] >= [3, 3, 3]
    for one, other in zip(bounded, whole, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-5)
        assert [pair.tokens for pair in one.pairs] == [pair.tokens for pair in other.pairs]
        for mine, other_pair in zip(one.pairs, other.pairs, strict=True):
            assert mine.token_log_probs_summary == pytest.approx(other_pair.token_log_probs_summary, abs=1e-4)
    for own, others in zip(all_bounded, every, strict=True):
        assert [pair.token_ids for pair in own] == [pair.token_ids for pair in others]
        for pair, same in zip(own, others, strict=True):
            assert pair.log_probs == pytest.approx(same.log_probs, abs=1e-4)


class Estimated:
    """Sequences with estimates that are off; counts those whose exact log-probabilities were asked for."""

    def __init__(self, exact: list[list[tuple[float, ...]]], off: float) -> None:
        self._exact = exact
        drawn = random.Random(0)
        self.estimates = [[(sum(own) + drawn.uniform(-off, off),) for own in text] for text in exact]
        self.asked = 0

    def log_probs(self, wanted: list[list[int]]) -> list[list[tuple[float, ...]]]:
        self.asked += sum(map(len, wanted))
        return [[self._exact[text][group] for group in groups] for text, groups in enumerate(wanted)]


def some_pairs(seed: int) -> list[Pair]:
    drawn = random.Random(seed)
    return [
        Pair(f"who {drawn.randrange(30)}", f"answer {drawn.randrange(8)}", 0, 1, (group,), (-drawn.uniform(1, 5),))
        for group in range(60)
    ]


@pytest.mark.parametrize("most", [1, 5, 10, 60])
def test_estimates_select_what_exact_log_probabilities_select(most: int) -> None:
    texts = [some_pairs(seed) for seed in range(20)]
    generated: Any = Estimated([[pair.log_probs for pair in pairs] for pairs in texts], off=0.04)
    backed = [{group: replace(pair, log_probs=()) for group, pair in enumerate(pairs)} for pairs in texts]
    assert selected(backed, generated, most) == [select(pairs, most) for pairs in texts]
    assert generated.asked <= (20 * 4 * most if most < 60 else 20 * 60), "few exact ones suffice"


def test_bad_estimates_are_not_trusted_and_all_pairs_are_exact() -> None:
    texts = [some_pairs(seed) for seed in range(20)]
    generated: Any = Estimated([[pair.log_probs for pair in pairs] for pairs in texts], off=1.0)
    backed = [{group: replace(pair, log_probs=()) for group, pair in enumerate(pairs)} for pairs in texts]
    assert selected(backed, generated, 5) == [select(pairs, 5) for pairs in texts]
    assert generated.asked == 20 * 60
    assert selected(backed, generated, None) == texts


@pytest.mark.parametrize("pays", [True, False])
def test_torchs_default_type_does_not_matter(embedded: Path, monkeypatch: pytest.MonkeyPatch, pays: bool) -> None:
    monkeypatch.setattr("quals.screen.int8_pays", lambda: pays)
    scorer = QualsScorer(str(embedded), device="cpu")
    ((source, summary), *_) = TEXTS
    (expected,) = scorer.score([source], [summary])
    torch.set_default_dtype(torch.float64)
    try:
        (result,) = scorer.score([source], [summary])
    finally:
        torch.set_default_dtype(torch.float32)
    assert result.score == pytest.approx(expected.score, abs=1e-6)


def test_nothing_backed() -> None:
    generated: Any = Estimated([[(-1.0,)], []], off=0.0)
    assert selected([{}, {}], generated, 5) == [[], []]


def test_a_projection_sees_the_weights_as_they_are(screened: None) -> None:
    config = BartConfig(vocab_size=5000, d_model=64, encoder_layers=1, decoder_layers=1, init_std=1.0)
    model = BartForConditionalGeneration(config).eval()
    optimizer = torch.optim.AdamW(model.lm_head.parameters(), lr=0.5, fused=True)  # torch does not count its changes
    hidden = torch.randn(20, 64)
    for _ in range(3):
        with torch.inference_mode():
            log_probs, ids, _ = OutputProjection(model).most_likely(hidden, 24)
            best = ids.gather(1, log_probs.argmax(1, keepdim=True))[:, 0]
            assert torch.equal(best, model.lm_head(hidden).argmax(1))
        model.lm_head(hidden).square().sum().backward()
        optimizer.step()


def test_where_there_is_a_screen(screened: None) -> None:
    assert screen_of(head_of(4096)) is not None
    assert screen_of(head_of(4095)) is None, "small vocabularies"
    assert screen_of(head_of(4096).bfloat16()) is None


def test_a_processor_without_exact_or_fast_products_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def inexact(left: Tensor, right: Tensor) -> Tensor:
        return (left.int() @ right.int()).clamp(-(2**15), 2**15 - 1)

    def missing(left: Tensor, right: Tensor) -> Tensor:
        raise RuntimeError("not implemented for 'Char'")

    for product in (inexact, missing):
        monkeypatch.setattr(torch, "_int_mm", product)
        _tried.cache_clear()
        assert not int8_pays()
    monkeypatch.delattr(torch, "_int_mm")
    _tried.cache_clear()
    assert not int8_pays()
    _tried.cache_clear()


def test_exact_log_probabilities_can_be_asked_for_in_parts(embedded: Path) -> None:
    scorer = QualsScorer(str(embedded), device="cpu")
    (ids,) = scorer.tokenize([TEXTS[0][1]])
    generated: Generated = diverse_greedy(scorer.qagen.model, scorer._encode([ids]), scorer.decoding)
    together = generated.log_probs([range(60)])[0]
    assert generated.log_probs([[]]) == [[]]
    for group in (59, 0, 17):
        assert generated.log_probs([[group]])[0][0] == pytest.approx(together[group], abs=1e-5)
