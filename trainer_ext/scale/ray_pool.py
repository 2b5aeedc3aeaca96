"""The workers of a Ray cluster. Ray places them; what makes a result right is here: numbers, retries, versions."""

from __future__ import annotations

import os
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any

from quals import DoubtfulTextWarning, __version__
from quals.errors import DataError, OptionError, require_extra
from quals.inputs import whole_number

from trainer_ext.io.progress import inform

_MOST_CRASHES = 3  # of workers over one part, before the part is given up
_MOST_PROBLEMS = 20  # parts that fail, before no more are begun
_SECONDS = 60  # between two lines that say what is waited for
# Ray lowers its workers' priority by 15 otherwise, and tells its makers how it is used.
_SETTINGS = {"RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


class RayPool:
    """Workers that compute chunks: ``Workers(spread=pool.spread)``. Use it in a ``with`` block.

    A worker is an actor with a copy of the work, models included. A worker that dies, with its node or alone, is
    replaced, and its chunk is computed again. Workers start with the first chunk.

    Args:
        workers: number of them; None is one per GPU of the cluster, and without GPUs one per ``threads`` CPUs.
        address: the cluster's, such as ``"auto"``; None starts one on this machine, or uses the one that ``ray.init``
            has connected to.
        threads: CPUs of a worker that has no GPU, and threads that it computes with.
        device: of the workers; None is ``"cuda"`` where the cluster has GPUs, else ``"cpu"``.

    Raises:
        MissingExtraError: Ray is not installed.
        OptionError: an option is out of range.
    """

    def __init__(
        self, workers: int | None = None, *, address: str | None = None, threads: int = 1, device: str | None = None
    ) -> None:
        whole_number("workers", 1 if workers is None else workers, 1)
        whole_number("threads", threads, 1)
        require_extra("ray", "ray")
        self._asked, self._address, self._threads, self._device = workers, address, threads, device
        self._connected = False  # by this pool
        self._actors: list[Any] = []
        self._starting: dict[Any, Any] = {}  # by what answers once a worker has started
        self._failed = 0  # workers that could not start, one after another
        self._work: Any = None
        self._reference: Any = None

    def __enter__(self) -> RayPool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        import ray

        if ray.is_initialized():
            for actor in self._actors:
                ray.kill(actor)
        self._actors, self._starting, self._work, self._reference = [], {}, None, None
        if self._connected:
            ray.shutdown()
            self._connected = False

    @property
    def size(self) -> int:
        """Number of workers; connects to the cluster."""
        self._connect()
        return self._size

    def spread(
        self, compute: Callable[[Any], Any], inputs: Callable[[int], Any], numbers: Sequence[int]
    ) -> Iterator[tuple[int, Any]]:
        """The chunks of these numbers and their results, in the order in which they are finished.

        Args:
            compute: sent to each worker once, and moved to its device by its method ``to``, if it has one.
            inputs: what a chunk is computed from, by its number.
            numbers: the chunks.

        Raises:
            DataError: chunks cannot be computed; the others were given out before.
            OptionError: the cluster cannot be reached, or no worker starts in it.
        """
        import ray

        if not numbers:
            return
        self._prepare(compute, len(numbers))
        waiting, busy = deque(numbers), dict[Any, tuple[Any, int]]()
        idle = deque(actor for actor in self._actors if actor not in self._starting.values())
        crashes, problems = Counter[int](), dict[int, str]()
        while busy or (waiting and len(problems) < _MOST_PROBLEMS):
            while waiting and idle and len(problems) < _MOST_PROBLEMS:
                actor, number = idle.popleft(), waiting.popleft()
                busy[actor.run.remote(__version__, [self._reference], inputs(number))] = (actor, number)
            done, _ = ray.wait([*busy, *self._starting], timeout=_SECONDS)
            if not done and not busy:
                inform("Ray has no room for a worker yet: it waits for CPUs, GPUs or nodes.")
            for reference in done:
                if reference in self._starting:
                    idle += self._started(reference)
                    continue
                actor, number = busy.pop(reference)
                try:
                    content, problem, doubts = ray.get(reference)
                except ray.exceptions.RayError as error:
                    self._replace(actor)
                    crashes[number] += 1
                    if crashes[number] < _MOST_CRASHES:
                        inform(f"A worker died ({_reason(error)}): another computes its part again.")
                        waiting.appendleft(number)
                        continue
                    content, doubts = None, []
                    problem = f"{_named(inputs(number))}: {_MOST_CRASHES} workers died over it ({_reason(error)})."
                else:
                    idle.append(actor)
                for doubt in doubts:
                    warnings.warn(doubt, DoubtfulTextWarning, stacklevel=2)
                if problem is None:
                    yield number, content
                else:
                    problems[number] = problem
        if problems:
            more = f" And {len(problems) - 1} other parts failed." * (len(problems) > 1)
            raise DataError(f"{problems[min(problems)]} What was finished is kept.{more}")

    def _connect(self) -> None:
        import ray

        if self._connected or self._actors:
            return
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        if not ray.is_initialized():
            options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
            if self._address is None:
                options["include_dashboard"] = False
            try:
                ray.init(self._address or "local", **options)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise OptionError(
                    f"No Ray cluster is reached at {self._address!r} ({str(error).splitlines()[0]}): give the address "
                    "that `ray start` printed, or leave --address out to start one here."
                ) from error
            self._connected = True
        resources = ray.cluster_resources()
        cpus, gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
        self._on_gpu = gpus > 0 if self._device is None else self._device.startswith("cuda")
        self._size = self._asked or max(1, gpus if self._on_gpu else cpus // self._threads)

    def _prepare(self, compute: Callable[[Any], Any], parts: int) -> None:
        """Have workers, and the work where they find it."""
        import ray

        self._connect()
        if self._work is not compute:
            try:
                self._reference = ray.put(compute)
            except TypeError as error:
                raise OptionError(f"The work cannot be sent to Ray's workers: {str(error).splitlines()[0]}.") from error
            except ray.exceptions.RayError as error:
                raise OptionError(
                    f"The work cannot be sent to Ray's workers ({_reason(error)}): give Ray more memory or disk."
                ) from error
            self._work = compute
        while len(self._actors) < min(self._size, parts):
            self._start()

    def _start(self) -> None:
        import ray

        device = self._device or ("cuda" if self._on_gpu else "cpu")
        needs: dict[str, Any] = {"num_gpus": 1, "num_cpus": 1} if self._on_gpu else {"num_cpus": self._threads}
        worker: Any = ray.remote(_Worker)
        # Spread over the nodes, so that the death of one costs less.
        options = needs | {"max_restarts": 0, "max_task_retries": 0, "scheduling_strategy": "SPREAD"}
        actor = worker.options(**options).remote(device, self._threads)
        self._actors.append(actor)
        self._starting[actor.ready.remote()] = actor

    def _started(self, reference: Any) -> list[Any]:
        """The worker that has started; none if it could not, and another takes its place.

        Raises:
            OptionError: no worker starts.
        """
        import ray

        actor = self._starting.pop(reference)
        try:
            ray.get(reference)
        except ray.exceptions.RayError as error:
            self._failed += 1
            if self._failed > _MOST_CRASHES * self._size:
                raise OptionError(
                    f"Ray's workers do not start ({_reason(error)}): install this on each node."
                ) from error
            self._replace(actor)
            return []
        self._failed = 0
        return [actor]

    def _replace(self, actor: Any) -> None:
        import ray

        ray.kill(actor)  # it may live on after an error of its node
        self._actors.remove(actor)
        self._start()


class _Worker:
    """Runs as an actor: one copy of the work, and one chunk at a time."""

    def __init__(self, device: str, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self._device = device
        self._reference: Any = None
        self._compute: Any = None

    def ready(self) -> None:
        """Answers once the worker has started."""

    def run(self, version: str, reference: list[Any], chunk: Any) -> tuple[Any, str | None, list[str]]:
        """The result, or what went wrong; and doubts about the texts.

        Raises:
            RayError: the work does not reach this worker; no text is to blame for that.
        """
        import ray

        if version != __version__:
            return None, f"A node has version {__version__} of quals, and this machine {version}: install one.", []
        if self._reference != reference[0]:
            self._compute, self._reference = ray.get(reference[0]), None
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            try:
                if self._reference is None:
                    getattr(self._compute, "to", lambda device: None)(self._device)
                    self._reference = reference[0]
                content, problem = self._compute(chunk), None
            except (ValueError, OSError) as error:
                content, problem = None, str(error)
            except Exception as error:
                content, problem = None, f"{_named(chunk)}: {type(error).__name__}: {_reason(error)}."
        return content, problem, [str(one.message) for one in heard if issubclass(one.category, DoubtfulTextWarning)]


def _reason(error: Exception) -> str:
    error = getattr(error, "cause", None) or error  # what a worker raised
    if type(error).__name__ == "OutOfDiskError":  # its own first line is the object's bytes
        return "the object store is full, and so is the disk, to Ray's limit of 95 %"
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _named(chunk: Any) -> str:
    """The rows of a chunk, in words."""
    places = getattr(chunk, "places", None)
    return f"{chunk.name}, rows {places[0] + 1} to {places[-1] + 1}" if places else "A part"
