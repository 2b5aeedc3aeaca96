"""A scorer in several processes: each has one thread's share of the work, and all have one model in shared memory."""

from __future__ import annotations

import io
import os
import pickle
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import current_process
from threading import Lock, RLock, Thread
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.multiprocessing import get_context

from .matmul import multiply_as, precision_here
from .screen import int8_pays, screen_as

Job = TypeVar("Job")
Done = TypeVar("Done")

_ALIGNED = 64  # bytes
_NOT_STARTED = (
    "The processes that score could not start; what they said is above. If this is a script, put its work under "
    'if __name__ == "__main__":, because each process imports the script. Or leave processes at 1.'
)
_ENDED = (
    "A process that scores was ended from outside, as a system does that runs out of memory: ask for fewer processes, "
    "or for a smaller batch_tokens."
)


def in_order(begin: Callable[[Job], Future[Done]], jobs: Iterable[Job], ahead: int) -> Iterator[tuple[Job, Done]]:
    """Each job and what came of it, in order, while up to ``ahead`` jobs behind it are begun.

    What reading ``jobs`` raises comes when all before it is done, as if nothing were read ahead.
    """
    rest, waiting = iter(jobs), deque[tuple[Job, Future[Done]]]()
    stopped: Exception | None = None
    try:
        while True:
            while stopped is None and len(waiting) <= ahead:
                try:
                    job = next(rest)
                except Exception as error:  # StopIteration too
                    stopped = error
                else:
                    waiting.append((job, begin(job)))
            if not waiting:
                break
            job, future = waiting[0]
            done = future.result()
            waiting.popleft()
            yield job, done
    finally:
        for _, future in waiting:
            future.cancel()
    if not isinstance(stopped, StopIteration):
        raise stopped  # type: ignore[misc]


class Processes:
    """Processes that score rows for a scorer; they end with this object, and with the process that made it.

    Args:
        scorer: its tensors, on a CPU, are moved into shared memory, where this process and the others read them.
        count: number of processes. Each computes on its share of this process's threads.
    """

    def __init__(self, scorer: Any, count: int) -> None:
        self.count = count
        if getattr(current_process(), "_inheriting", False):
            sys.exit(1)  # a process of a script without a guard is about to start more: the first one says what to do
        context = get_context("spawn")
        skeleton, memory, layout = _shared(scorer)
        # When this end is closed, by stop() or because this process is gone, however it went, the others end.
        end, self._lifeline = context.Pipe(duplex=False)
        threads = max(1, torch.get_num_threads() // count)
        arithmetic = precision_here(), int8_pays()
        self._pool = ProcessPoolExecutor(
            count, context, initializer=_begin, initargs=(skeleton, memory, layout, end, threads, *arithmetic)
        )
        self._served = False
        self._stopping = RLock()

    def map(self, jobs: Iterable[Job], rows: Callable[[Job], Any]) -> Iterator[tuple[Job, list[Any]]]:
        """Each job and the results of its rows, in order.

        Raises:
            ChildProcessError: a process has ended, or none could start.
        """
        try:
            for job, results in in_order(lambda job: self._pool.submit(_results, rows(job)), jobs, self.count):
                self._served = True
                yield job, results
        except (RuntimeError, CancelledError, OSError) as error:
            # Another thread may have found out first, or the pool's pipes were closed while work was given to it.
            if not isinstance(error, BrokenProcessPool) and not self.broken and not self._pool._broken:
                raise
            self.stop()
            raise ChildProcessError(_ENDED if self._served else _NOT_STARTED) from error
        except KeyboardInterrupt:
            self.stop()
            raise

    @property
    def pids(self) -> list[int]:
        """The processes' numbers, once they have started."""
        return list(self._pool._processes or ())

    @property
    def broken(self) -> bool:
        """Whether these processes serve no more."""
        return self._lifeline.closed

    def stop(self) -> None:
        """End the processes at once, whatever they do."""
        # Several threads may find out at once that a process is gone. A pool that two of them shut down closes its
        # pipes twice: an error, or the end of another file that got the same number meanwhile.
        with self._stopping:
            if not self._lifeline.closed:
                self._lifeline.close()
                self._pool.shutdown(wait=True, cancel_futures=True)


_known: WeakKeyDictionary[Any, Processes] = WeakKeyDictionary()
_starting = Lock()


def processes_of(scorer: Any, count: int) -> Processes:
    """The scorer's processes, started on the first call, and again after they were ended."""
    with _starting:
        found = _known.get(scorer)
        if found is None or found.broken:
            found = _known[scorer] = Processes(scorer, count)
        return found


class _Packer(pickle.Pickler):
    """Pickles all but tensors, which it collects."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.tensors: dict[int, tuple[int, Tensor]] = {}

    def persistent_id(self, value: Any) -> int | None:
        if not isinstance(value, Tensor):
            return None
        return self.tensors.setdefault(id(value), (len(self.tensors), value))[0]


class _Unpacker(pickle.Unpickler):
    """Puts the tensors back, as views of the shared memory."""

    def __init__(self, skeleton: bytes, memory: Tensor, layout: list[Any]) -> None:
        super().__init__(io.BytesIO(skeleton))
        self._tensors = [
            (torch.nn.Parameter(view, requires_grad=False) if is_parameter else view)
            for view, is_parameter in ((_view(memory, *place), is_parameter) for *place, is_parameter in layout)
        ]

    def persistent_load(self, number: int) -> Tensor:
        return self._tensors[number]


def _view(memory: Tensor, start: int, size: int, shape: torch.Size, dtype: torch.dtype) -> Tensor:
    return memory[start : start + size].view(dtype).view(shape)


def _shared(scorer: Any) -> tuple[bytes, Tensor, list[Any]]:
    """A scorer as what its processes are given: all but tensors pickled, the tensors' memory, and where each lies.

    One piece of memory is one open file, however many tensors a model has; systems allow few.
    """
    packer = _Packer(skeleton := io.BytesIO())
    packer.dump(scorer)
    tensors = [tensor for _, tensor in packer.tensors.values()]
    layout: list[Any] = []
    end = 0
    for tensor in tensors:
        size = tensor.numel() * tensor.element_size()
        layout.append((end, size, tensor.shape, tensor.dtype, isinstance(tensor, torch.nn.Parameter)))
        end += -(-size // _ALIGNED) * _ALIGNED
    memory = torch.empty(max(end, 1), dtype=torch.uint8).share_memory_()
    for tensor, (*place, _) in zip(tensors, layout, strict=True):
        view = _view(memory, *place)
        view.copy_(tensor.detach())
        tensor.data = view
    return skeleton.getvalue(), memory, layout


# What follows runs in the other processes.
_scorer: Any = None


def _begin(
    skeleton: bytes, memory: Tensor, layout: list[Any], lifeline: Any, threads: int, precision: Any, int8: bool
) -> None:
    """Become a process that scores."""
    import signal

    global _scorer
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a word
    Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    torch.set_num_threads(threads)
    multiply_as(precision)
    screen_as(int8)
    _scorer = _Unpacker(skeleton, memory, layout).load()


def _end_with(lifeline: Any) -> None:
    try:
        lifeline.recv_bytes()  # nothing is ever sent
    except (EOFError, OSError):
        os._exit(1)


def _results(rows: Any) -> list[Any]:
    return list(_scorer._score_chunk(rows, lambda count: None))
