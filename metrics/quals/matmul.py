"""Float32 matrix products on the CPU by oneDNN, where that is as exact and faster.

Torch multiplies float32 matrices on x86 with MKL. On an AMD processor with AVX-512 that reached half of oneDNN's rate,
and scoring took 1.5 times as long (docs/benchmarks.md). Torch asks oneDNN only where bfloat16 products are allowed too.
So they are allowed here if a trial shows two things: oneDNN does not use the permission on this processor, as it would
where there are fast bfloat16 matrices, and its products take no more than a little longer. Large products often take
as long by both, and small ones are faster by oneDNN then. A trial that came out by chance would let the scores of two
processes differ in rounding. So it counts the time of this thread alone, and not what others take of its core.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, wraps
from threading import Lock
from typing import Any, Concatenate, ParamSpec, TypeVar

import torch
from torch import Tensor

Model = TypeVar("Model", bound=torch.nn.Module)
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_NOT_SET, _ONEDNN = "none", "bf16"
_PAYS = 1.25  # times the seconds of torch's own
_ERROR = 1e-3  # of products with values about 20: float32's is about 1e-4, bfloat16's 2e-1
# Of the thread, where the system counts that finely.
_clock = time.thread_time if time.get_clock_info("thread_time").resolution < 1e-5 else time.perf_counter
_lock = Lock()
_inside = 0  # contexts that rely on the setting, which is one for the process
_told: bool | None = None  # whether it pays, where another process has found out


def one_dnn_pays(setting: Any) -> bool:
    """Whether products by oneDNN are exact and about as fast as torch's own at least; a trial of some milliseconds."""
    with torch.inference_mode(), torch.autocast("cpu", enabled=False):
        left, right = _random((256, 384)), _random((384, 2048))
        before = least_seconds(lambda: torch.matmul(left, right))
        setting.fp32_precision = _ONEDNN
        try:
            return is_exact(torch.matmul) and least_seconds(lambda: torch.matmul(left, right)) < _PAYS * before
        finally:
            setting.fp32_precision = _NOT_SET


@contextmanager
def fast_products(model: torch.nn.Module, trial: Callable[[Any], bool] = one_dnn_pays) -> Iterator[None]:
    """Inside this context ``model``'s float32 products may be faster, and are float32's to rounding.

    A model on another device, in another dtype, or compiled is left alone, and so is a precision that the user has set.
    Meanwhile ``torch.get_float32_matmul_precision()`` raises: torch does not expect one library's setting to differ
    from its own.

    Args:
        model: what computes.
        trial: whether the setting pays on this machine; it is asked once per process.
    """
    global _inside
    entered = _can_use(model) and _enter(trial)
    try:
        yield
    finally:
        if entered:
            with _lock:
                _inside -= 1
                setting = _setting()
                if _inside == 0 and setting.fp32_precision == _ONEDNN:  # else somebody has set another meanwhile
                    setting.fp32_precision = _NOT_SET


def one_dnn_multiplies() -> bool:
    """Whether a :func:`fast_products` has oneDNN multiply float32 matrices now."""
    return _inside > 0


def rounded_up(rows: int) -> int:
    """The number of rows to compute instead of ``rows``, so that products have few different shapes.

    For each new shape oneDNN makes a program, which takes 0.3 ms and 0.7 MB; it keeps a thousand.
    """
    step = 8 if rows <= 64 else 16 if rows <= 256 else 32
    return -(-rows // step) * step


def with_fast_products(
    function: Callable[Concatenate[Model, Arguments], Result],
) -> Callable[Concatenate[Model, Arguments], Result]:
    """Decorate a function whose first argument is a model: it runs inside :func:`fast_products`."""

    @wraps(function)
    def decorated(model: Model, /, *arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        with fast_products(model):
            return function(model, *arguments, **options)

    return decorated


def _can_use(model: torch.nn.Module) -> bool:
    parameter = next(model.parameters(), None)
    if parameter is None or parameter.device.type != "cpu" or parameter.dtype != torch.float32:
        return False
    # The compiler asks for torch's precision.
    return not hasattr(model, "_orig_mod") and getattr(model, "_compiled_call_impl", None) is None


def _enter(trial: Callable[[Any], bool]) -> bool:
    global _inside
    with _lock:
        setting = _setting()
        if setting is None or not torch.backends.mkldnn.is_available() or not torch.backends.mkldnn.enabled:
            return False
        ours = _inside > 0 and setting.fp32_precision == _ONEDNN
        if not ours and setting.fp32_precision != _NOT_SET:
            return False
        if not _tried(trial):
            return False
        setting.fp32_precision = _ONEDNN
        _inside += 1
        return True


def precision_here() -> tuple[str, bool] | None:
    """How this process multiplies, for :func:`multiply_as`; None where torch has no such setting.

    Whether oneDNN pays is a matter of time, so that processes that tried it each for itself could differ in rounding.
    """
    with _lock:
        setting = _setting()
        if setting is None:
            return None
        ours = _inside > 0 and setting.fp32_precision == _ONEDNN
        users = _NOT_SET if ours else str(setting.fp32_precision)
        return users, users == _NOT_SET and torch.backends.mkldnn.is_available() and _tried(one_dnn_pays)


def multiply_as(precision: tuple[str, bool] | None) -> None:
    """Have this process multiply as another does, which says so by :func:`precision_here`."""
    global _told
    if precision is not None:
        users, _told = precision
        if users != _NOT_SET:
            _setting().fp32_precision = users


@lru_cache
def _tried(trial: Callable[[Any], bool]) -> bool:
    return trial(_setting()) if _told is None else _told


def _setting() -> Any:
    """Torch's setting for products by oneDNN; None for a torch that has none."""
    matmul = getattr(torch.backends.mkldnn, "matmul", None)
    return matmul if hasattr(matmul, "fp32_precision") else None


def is_exact(product: Callable[[Tensor, Tensor], Tensor]) -> bool:
    """Whether ``product`` multiplies float32 matrices without rounding them first: one row, many rows, a batch."""
    shapes = (((1, 384), (384, 512)), ((128, 384), (384, 512)), ((8, 60, 64), (8, 64, 200)))
    pairs = [(_random(left), _random(right)) for left, right in shapes]
    return all(((product(a, b) - torch.matmul(a.double(), b.double())).abs().max() < _ERROR).item() for a, b in pairs)


def least_seconds(product: Callable[[], object], repeats: int = 5) -> float:
    """The least time of several calls, without what other work on the same core takes."""
    times = []
    for _ in range(repeats):
        start = _clock()
        product()
        times.append(_clock() - start)
    return min(times)


def _random(shape: tuple[int, ...]) -> Tensor:
    generator = torch.Generator("cpu").manual_seed(len(shape))
    return torch.randn(shape, generator=generator, device="cpu", dtype=torch.float32)
