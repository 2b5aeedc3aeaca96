"""Float32 matrix products on the CPU by oneDNN, where that is as exact and faster.

Torch multiplies float32 matrices on x86 with MKL. On an AMD processor with AVX-512 that ran at about half the rate of
oneDNN, which torch has too, but asks only where bfloat16 products would be allowed as well. So they are allowed here
if a trial shows that oneDNN makes no use of the permission on this processor, as it would where there are fast
bfloat16 matrices, and that the products take less time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import torch
from torch import Tensor

_NOT_SET, _ONEDNN = "none", "bf16"
_ERROR = 1e-3  # of products with values about 20: float32's is about 1e-4, bfloat16's 2e-1
_lock = Lock()
_inside = 0  # contexts that rely on the setting, which is one for the process
_worth_it: bool | None = None  # what the trial has shown


@contextmanager
def fast_products(model: torch.nn.Module) -> Iterator[None]:
    """Inside this context ``model``'s float32 products may be faster, and are float32's to rounding.

    Nothing is changed for a model on another device, in another dtype, or compiled; nor where the user has set a
    precision of products. Meanwhile ``torch.get_float32_matmul_precision()`` raises, as torch does not expect one
    library's setting to differ from its own.
    """
    entered = _can_use(model) and _enter()
    try:
        yield
    finally:
        if entered:
            _leave()


def _can_use(model: torch.nn.Module) -> bool:
    parameter = next(model.parameters(), None)
    if parameter is None or parameter.device.type != "cpu" or parameter.dtype != torch.float32:
        return False
    # The compiler asks for torch's precision.
    return not hasattr(model, "_orig_mod") and getattr(model, "_compiled_call_impl", None) is None


def _setting() -> Any:
    """Torch's setting for products by oneDNN; None for a torch that has none."""
    matmul = getattr(torch.backends.mkldnn, "matmul", None)
    return matmul if hasattr(matmul, "fp32_precision") else None


def _enter() -> bool:
    global _inside, _worth_it
    with _lock:
        setting = _setting()
        if setting is None or not torch.backends.mkldnn.is_available() or not torch.backends.mkldnn.enabled:
            return False
        mine = _inside > 0 and setting.fp32_precision == _ONEDNN
        if not mine and setting.fp32_precision != _NOT_SET:
            return False
        if _worth_it is None:
            _worth_it = _trial(setting)
        if not _worth_it:
            return False
        setting.fp32_precision = _ONEDNN
        _inside += 1
        return True


def _leave() -> None:
    global _inside
    with _lock:
        _inside -= 1
        setting = _setting()
        if _inside == 0 and setting.fp32_precision == _ONEDNN:  # else somebody has set another meanwhile
            setting.fp32_precision = _NOT_SET


def _trial(setting: Any) -> bool:
    """Whether products by oneDNN are exact and faster; some milliseconds."""
    with torch.inference_mode(), torch.autocast("cpu", enabled=False):
        before = _seconds()
        setting.fp32_precision = _ONEDNN
        try:
            return is_exact(torch.matmul) and _seconds() < before
        finally:
            setting.fp32_precision = _NOT_SET


def is_exact(product: Callable[[Tensor, Tensor], Tensor]) -> bool:
    """Whether ``product`` multiplies float32 matrices without rounding them first: one row, many rows, a batch."""
    shapes = (((1, 384), (384, 512)), ((128, 384), (384, 512)), ((8, 60, 64), (8, 64, 200)))
    pairs = [(_random(left), _random(right)) for left, right in shapes]
    return all(((product(a, b) - torch.matmul(a.double(), b.double())).abs().max() < _ERROR).item() for a, b in pairs)


def _seconds(repeats: int = 5) -> float:
    left, right = _random((256, 384)), _random((384, 2048))
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        torch.matmul(left, right)
        times.append(time.perf_counter() - start)
    return min(times)


def _random(shape: tuple[int, ...]) -> Tensor:
    generator = torch.Generator("cpu").manual_seed(len(shape))
    return torch.randn(shape, generator=generator, device="cpu", dtype=torch.float32)
