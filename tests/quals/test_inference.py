"""The context that models compute in: exact, without gradients, and leaving torch as it was."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import torch
from quals import inference as module
from quals.inference import inference

matmul: Any = getattr(torch.backends.mkldnn, "matmul", None)
needs_setting = pytest.mark.skipif(not hasattr(matmul, "fp32_precision"), reason="this torch has no such setting")


@pytest.mark.parametrize("rows", [1, 7, 300])
def test_products_are_those_of_float32_to_rounding(rows: int) -> None:
    generator = torch.Generator().manual_seed(rows)
    states, weight = (torch.randn(n, 384, generator=generator) for n in (rows, 2000))
    exact = states.double() @ weight.double().T  # (rows, 2000), values about 20
    with inference():
        assert torch.allclose((states @ weight.T).double(), exact, rtol=0, atol=1e-3)


def test_records_no_gradients_also_as_a_decorator() -> None:
    weight = torch.ones(2, requires_grad=True)

    @inference()
    def double() -> torch.Tensor:
        return weight * 2

    assert not double().requires_grad
    assert not double().requires_grad, "a decorated function can be called again"


@needs_setting
def test_the_setting_is_the_processs_again_after_nesting_threads_and_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_trial", lambda: True)
    before = matmul.fp32_precision
    barrier = Barrier(4)

    def work(number: int) -> str:
        with inference():
            barrier.wait(30)  # all are inside at once
            with inference():
                inside = matmul.fp32_precision
            if number == 3:
                raise ValueError("a mistake")
            return inside

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(work, number) for number in range(4)]
    assert [task.result() for task in running[:3]] == ["bf16"] * 3
    assert isinstance(running[3].exception(), ValueError)
    assert matmul.fp32_precision == before == "none"
    assert torch.get_float32_matmul_precision() == "highest"


@needs_setting
def test_where_it_would_round_it_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_trial", lambda: False)
    with inference():
        assert matmul.fp32_precision == "none"


@needs_setting
def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_trial", lambda: True)
    matmul.fp32_precision = "ieee"
    try:
        with inference():
            assert matmul.fp32_precision == "ieee"
        assert matmul.fp32_precision == "ieee"
    finally:
        matmul.fp32_precision = "none"
