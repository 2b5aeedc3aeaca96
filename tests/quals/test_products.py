"""Faster products: exact, and leaving torch as it was."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import torch
from quals import products, scorer
from quals.products import fast_products, is_exact

matmul: Any = getattr(torch.backends.mkldnn, "matmul", None)
needs_setting = pytest.mark.skipif(
    not hasattr(matmul, "fp32_precision") or not torch.backends.mkldnn.is_available(),
    reason="this torch has no such setting",
)
MODEL = torch.nn.Linear(2, 2)


@pytest.fixture
def worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the trial had been won."""
    monkeypatch.setattr(products, "_worth_it", True)


@pytest.mark.parametrize("rows", [1, 7, 300])
def test_products_are_those_of_float32_to_rounding(rows: int) -> None:
    generator = torch.Generator().manual_seed(rows)
    states, weight = (torch.randn(n, 384, generator=generator) for n in (rows, 2000))
    exact = states.double() @ weight.double().T  # (rows, 2000), values about 20
    with fast_products(MODEL):
        assert torch.allclose((states @ weight.T).double(), exact, rtol=0, atol=1e-3)


def test_the_trial_tells_exact_products_from_rounded_ones() -> None:
    assert is_exact(torch.matmul)
    assert not is_exact(lambda a, b: (a.bfloat16() @ b.bfloat16()).float())
    few = torch.Tensor.dim
    assert not is_exact(lambda a, b: a @ b if few(a) == 2 else (a.bfloat16() @ b.bfloat16()).float())


@needs_setting
@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("faster", [True, False])
def test_only_what_is_exact_and_faster_is_used(monkeypatch: pytest.MonkeyPatch, exact: bool, faster: bool) -> None:
    times = iter([2.0, 1.0] if faster else [1.0, 2.0])
    monkeypatch.setattr(products, "_worth_it", None)
    monkeypatch.setattr(products, "is_exact", lambda product: exact)
    monkeypatch.setattr(products, "_seconds", lambda: next(times))
    for _ in range(2):  # the trial is made once
        with fast_products(MODEL):
            assert matmul.fp32_precision == ("bf16" if exact and faster else "none")
        assert matmul.fp32_precision == "none"


@needs_setting
def test_the_trial_does_not_depend_on_defaults_or_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_seconds", iter([2.0, 1.0]).__next__)
    monkeypatch.setattr(products, "_worth_it", None)
    with torch.device("meta"), torch.autocast("cpu", dtype=torch.bfloat16), fast_products(MODEL):
        found = products._worth_it
    matmul.fp32_precision = "bf16"
    try:
        assert found == is_exact(torch.matmul)
    finally:
        matmul.fp32_precision = "none"


@needs_setting
def test_the_setting_is_as_before_after_nesting_threads_and_errors(worth_it: None) -> None:
    barrier = Barrier(4)

    def work(number: int) -> str:
        with fast_products(MODEL):
            barrier.wait(30)  # all are inside at once
            with fast_products(MODEL):
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
def test_other_models_are_left_alone(worth_it: None, model: torch.nn.Module | None) -> None:
    compiled = torch.compile(torch.nn.Linear(2, 2), backend="eager")
    with fast_products(compiled if model is None else model):
        assert matmul.fp32_precision == "none"


@needs_setting
def test_what_the_user_sets_stays(worth_it: None) -> None:
    try:
        matmul.fp32_precision = "ieee"
        with fast_products(MODEL):
            assert matmul.fp32_precision == "ieee"
        assert matmul.fp32_precision == "ieee"
        matmul.fp32_precision = "none"
        with fast_products(MODEL):
            matmul.fp32_precision = "ieee"  # as another thread might
        assert matmul.fp32_precision == "ieee"
    finally:
        matmul.fp32_precision = "none"


def test_a_torch_without_the_setting_computes_as_ever(worth_it: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_setting", lambda: None)
    with fast_products(MODEL):
        assert torch.equal(torch.ones(2, 2) @ torch.ones(2, 2), torch.full((2, 2), 2.0))


@needs_setting
def test_the_scorer_generates_and_scores_with_it(
    worth_it: None, tiny_asking: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []
    for name in ("encode", "diverse_greedy", "teacher_forced"):
        own = getattr(scorer, name)

        def noted(*arguments: Any, name: str = name, own: Any = own) -> Any:
            used.append((name, str(matmul.fp32_precision)))
            return own(*arguments)

        monkeypatch.setattr(scorer, name, noted)
    text = "the river is in the city"
    (result,) = scorer.QualsScorer(str(tiny_asking), num_groups=4).score([text], [text])
    assert result.pairs
    assert {"encode", "diverse_greedy", "teacher_forced"} == {name for name, _ in used}
    assert {setting for _, setting in used} == {"bf16"}
    assert matmul.fp32_precision == "none"
