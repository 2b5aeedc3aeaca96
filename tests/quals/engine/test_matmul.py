"""Faster matrix products: exact, and leaving torch as it was."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import torch
from quals import QualsScorer
from quals.matmul import fast_products, is_exact, least_seconds, one_dnn_pays

matmul: Any = getattr(torch.backends.mkldnn, "matmul", None)
needs_setting = pytest.mark.skipif(
    not hasattr(matmul, "fp32_precision") or not torch.backends.mkldnn.is_available(),
    reason="this torch has no such setting",
)
MODEL = torch.nn.Linear(2, 2)


def worth_it(setting: Any) -> bool:
    """A trial that is won."""
    return True


@pytest.mark.parametrize("rows", [1, 7, 300])
def test_products_are_those_of_float32_to_rounding(rows: int) -> None:
    generator = torch.Generator().manual_seed(rows)
    states, weight = (torch.randn(n, 384, generator=generator) for n in (rows, 2000))
    exact = states.double() @ weight.double().T  # (rows, 2000), values about 20
    with fast_products(MODEL):  # by its own trial: a processor with fast bfloat16 matrices would round to bfloat16
        assert torch.allclose((states @ weight.T).double(), exact, rtol=0, atol=1e-3)


@pytest.mark.skipif(time.get_clock_info("thread_time").resolution > 1e-5, reason="too coarse a clock")
def test_a_trial_does_not_count_the_time_that_others_have_the_processor() -> None:
    """Two processes that tried it, one of them beside other work, would else multiply in two ways."""
    assert least_seconds(lambda: time.sleep(0.05)) < 0.02


def test_the_trial_tells_exact_products_from_rounded_ones() -> None:
    assert is_exact(torch.matmul)
    assert not is_exact(lambda a, b: (a.bfloat16() @ b.bfloat16()).float())
    few = torch.Tensor.dim
    assert not is_exact(lambda a, b: a @ b if few(a) == 2 else (a.bfloat16() @ b.bfloat16()).float())


@needs_setting
@pytest.mark.parametrize("pays", [True, False])
def test_it_is_used_where_the_trial_is_won_and_the_trial_is_made_once(pays: bool) -> None:
    trials = []

    def trial(setting: Any) -> bool:
        trials.append(setting.fp32_precision)
        return pays

    for _ in range(2):
        with fast_products(MODEL, trial):
            assert matmul.fp32_precision == ("bf16" if pays else "none")
        assert matmul.fp32_precision == "none"
    assert trials == ["none"]


@needs_setting
def test_the_trial_does_not_depend_on_defaults_or_autocast() -> None:
    """What it finds exact is exact, and its own products are float32's on the CPU."""
    with torch.device("meta"), torch.autocast("cpu", dtype=torch.bfloat16):
        pays = one_dnn_pays(matmul)
    assert matmul.fp32_precision == "none"
    matmul.fp32_precision = "bf16"
    try:
        assert is_exact(torch.matmul) or not pays
    finally:
        matmul.fp32_precision = "none"


@needs_setting
def test_the_setting_is_as_before_after_nesting_threads_and_errors() -> None:
    barrier = Barrier(4)

    def work(number: int) -> str:
        with fast_products(MODEL, worth_it):
            barrier.wait(30)  # all are inside at once
            with fast_products(MODEL, worth_it):
                inside = str(matmul.fp32_precision)
            if number == 3:
                raise ValueError("a mistake")
            return inside

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(work, number) for number in range(4)]
    assert [task.result() for task in running[:3]] == ["bf16"] * 3
    assert isinstance(running[3].exception(), ValueError)
    assert matmul.fp32_precision == "none"
    assert torch.get_float32_matmul_precision() == "highest"


@needs_setting
@pytest.mark.parametrize("model", [torch.nn.Linear(2, 2).bfloat16(), torch.nn.Linear(2, 2, device="meta"), None])
def test_other_models_are_left_alone(model: torch.nn.Module | None) -> None:
    compiled = torch.compile(torch.nn.Linear(2, 2), backend="eager")
    with fast_products(compiled if model is None else model, worth_it):
        assert matmul.fp32_precision == "none"


@needs_setting
def test_what_the_user_sets_stays() -> None:
    try:
        matmul.fp32_precision = "ieee"
        with fast_products(MODEL, worth_it):
            assert matmul.fp32_precision == "ieee"
        assert matmul.fp32_precision == "ieee"
        matmul.fp32_precision = "none"
        with fast_products(MODEL, worth_it):
            matmul.fp32_precision = "ieee"  # as another thread might
        assert matmul.fp32_precision == "ieee"
    finally:
        matmul.fp32_precision = "none"


def test_a_torch_without_the_setting_computes_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "matmul", None, raising=False)
    with fast_products(MODEL, worth_it):
        assert torch.equal(torch.ones(2, 2) @ torch.ones(2, 2), torch.full((2, 2), 2.0))


@needs_setting
def test_the_scorer_generates_and_scores_with_it(tiny_asking: Path) -> None:
    with fast_products(MODEL):
        wanted = str(matmul.fp32_precision)  # as the trial on this machine decides
    scorer = QualsScorer(str(tiny_asking), num_groups=4)
    used: set[tuple[bool, str]] = set()
    for module in (scorer.qagen.model.get_encoder(), scorer.qagen.model.get_output_embeddings()):
        module.register_forward_pre_hook(
            lambda module, arguments: used.add((isinstance(module, torch.nn.Linear), str(matmul.fp32_precision)))
        )
    text = "the river is in the city"
    (result,) = scorer.score([text], [text])
    assert result.pairs
    assert used == {(False, wanted), (True, wanted)}
    assert matmul.fp32_precision == "none"
