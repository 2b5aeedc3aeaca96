"""The context in which models compute: no gradients, and float32 matrix products by the faster of torch's libraries.

On x86 torch multiplies float32 matrices with MKL, which on the AMD processor we measured runs at about half the rate
of oneDNN. Torch has that too, but asks it only where bfloat16 products would be allowed as well. So they are allowed
here if a trial shows that the products are still float32's to rounding: that oneDNN makes no use of the permission on
this processor, as it would where there are fast bfloat16 matrices.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

import torch

_NOT_SET = "none"  # the user has asked for no precision
_lock = Lock()
_inside = 0  # how many threads and calls rely on the setting, which is one for the process


@contextmanager
def inference() -> Iterator[None]:
    """Inside this context no gradients are recorded, and there are :func:`fast_products`. Also a decorator."""
    with fast_products(), torch.inference_mode():
        yield


@contextmanager
def fast_products() -> Iterator[None]:
    """Inside this context products of float32 matrices on the CPU may be faster, and as exact. Also a decorator.

    What the user has set for the precision of products stays as it is.
    """
    global _inside
    if not _faster_is_exact():
        yield
        return
    with _lock:
        if _inside == 0:
            _matmul().fp32_precision = "bf16"
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _matmul().fp32_precision = _NOT_SET


def _matmul() -> Any:
    """Torch's settings for products by oneDNN; None where this torch has none of its own."""
    return getattr(torch.backends.mkldnn, "matmul", None)


def _faster_is_exact() -> bool:
    setting = getattr(_matmul(), "fp32_precision", None)
    return (setting == _NOT_SET or _inside > 0) and torch.backends.mkldnn.is_available() and _trial()


@cache
def _trial() -> bool:
    """Whether products are as exact as float32's where bfloat16 is allowed; some milliseconds, once."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(rows, 384, generator=generator) for rows in (128, 512))
    exact = left.double() @ right.double().T  # (128, 512), values about 20
    _matmul().fp32_precision = "bf16"
    try:
        error = (left @ right.T - exact).abs().max()
    finally:
        _matmul().fp32_precision = _NOT_SET
    return bool(error < 1e-3)  # float32's is about 5e-5, bfloat16's 2e-1
