"""Work in chunks, each on disk before the next: killed at any moment, a run goes on with what is missing."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quals.errors import OptionError

from trainer_ext.io.atomic import json_line, replacing
from trainer_ext.io.hashing import checksum, hash_json
from trainer_ext.io.lock import locked
from trainer_ext.io.processes import patient_wait
from trainer_ext.io.progress import Progress, inform

# As io.atomic.replacing names them.
_TEMPORARY = re.compile(r"\.(?:chunk-(\d{6,})|rank-(\d+)|settings)\.json\.[\w-]+\.tmp")
# (compute, inputs, numbers) -> (number, compute(inputs(number))) of each number, in any order
Spread = Callable[[Callable[[Any], Any], Callable[[int], Any], Sequence[int]], Iterable[tuple[int, Any]]]


def in_turn(
    compute: Callable[[Any], Any], inputs: Callable[[int], Any], numbers: Sequence[int]
) -> Iterator[tuple[int, Any]]:
    """The chunks of these numbers and their results, computed here one after another."""
    for number in numbers:
        yield number, compute(inputs(number))


@dataclass(frozen=True)
class Workers:
    """The processes that share the work: chunk i is the work of rank ``i % count``.

    Args:
        rank: number of this process, from 0.
        count: number of processes.
        wait: returns when all ranks have called it, as ``torch.distributed.barrier`` does.
        spread: how this process has its share computed: itself, or by a pool such as
            :class:`trainer_ext.scale.RayPool`.
        apart: the processes know nothing of each other. Each takes chunks that lie together, logs, and sees the results
            of its own share alone.

    Raises:
        ValueError: the rank is not below the count.
    """

    rank: int = 0
    count: int = 1
    wait: Callable[[], None] = lambda: None
    spread: Spread = in_turn
    apart: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.count:
            raise ValueError(f"The rank is {self.rank} of {self.count}: ranks are 0 to count - 1.")

    def share(self, chunks: int) -> range:
        """The numbers of this process's chunks, of so many.

        Example:
            >>> Workers(1, 3).share(8), Workers(1, 3, apart=True).share(8)
            (range(1, 8, 3), range(2, 5))
        """
        if self.apart:
            return range(self.rank * chunks // self.count, (self.rank + 1) * chunks // self.count)
        return range(self.rank, chunks, self.count)

    @property
    def name(self) -> str:
        """Of this process's lock in a store."""
        return f"shard-{self.rank + 1}-of-{self.count}" if self.apart else f"rank-{self.rank}"

    @classmethod
    def of(cls, accelerator: Any) -> Workers:
        """The processes of an ``accelerate.Accelerator``, such as ``trainer.accelerator``: all call this together.

        Raises:
            OptionError: there are several, and each believes that it is alone.
        """
        if accelerator.num_processes == 1 and _world_size() > 1:
            raise OptionError(
                f"WORLD_SIZE is {_world_size()}, but this process works alone, and the others would do the same work "
                "beside it: without a GPU, --use_cpu (use_cpu=True) is missing."
            )
        return cls(accelerator.process_index, accelerator.num_processes, patient_wait(accelerator))


ALONE = Workers()


class ChunkStore:
    """Results of numbered chunks: one JSON file per chunk, ``chunk-000012.json``, whole or absent.

    A file names its store and its chunk and has a checksum. A torn, altered or misplaced file counts as absent.

    Args:
        folder: must exist; None keeps the chunks in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._memory: dict[int, Any] = {}

    def read(self, number: int) -> Any:
        """What was written for a chunk, or None."""
        if self.folder is None:
            return self._memory.get(number)
        try:
            chunk = json.loads(self.path(number).read_bytes())
        except (FileNotFoundError, ValueError, RecursionError):
            return None
        if not isinstance(chunk, dict) or "content" not in chunk:
            return None
        content = chunk.pop("content")
        return content if chunk == self._label(number, content) else None

    def write(self, number: int, content: Any) -> None:
        """Put a chunk's result, plain JSON values, in its place at once.

        Raises:
            OSError: the file could not be written; the chunks before it stay.
        """
        if self.folder is None:
            self._memory[number] = content
            return
        try:
            with replacing(self.path(number)) as file:
                file.write(json_line({**self._label(number, content), "content": content}))
        except OSError as error:
            raise OSError(f"{error} Finished chunks are kept: make room, then start the same run again.") from error

    @contextmanager
    def held(self, workers: Workers, share: Sequence[int]) -> Iterator[None]:
        """In the block, no other run may fill this store; what a killed run left half written is removed first.

        Args:
            workers: this process among those that share the work.
            share: its chunks.

        Raises:
            OSError: another run fills it; the message says which.
        """
        if self.folder is None:
            yield
            return
        advice = "wait for it, or end it; two runs cannot share a folder"
        if workers.count == 1 and _world_size() > 1:
            advice += f" (WORLD_SIZE is {_world_size()}: if this is one run, tell each process its rank)"
        with locked(self.folder / f"{workers.name}.lock", str(self.folder), advice):
            for path in self.folder.iterdir():
                match = _TEMPORARY.fullmatch(path.name)
                # Another process's are that process's to remove: it may be writing them.
                if match and (int(match[1]) in share if match[1] else _is_of(workers, match[2])):
                    path.unlink(missing_ok=True)
            yield

    def path(self, number: int) -> Path:
        """The file of a chunk."""
        return (self.folder or Path()) / f"chunk-{number:06d}.json"

    def _label(self, number: int, content: Any) -> dict[str, Any]:
        name = self.folder.name if self.folder else ""
        return {"store": name, "chunk": number, "sha256": checksum(content)}


class WorkFolder:
    """A folder of stores, one for each kind of work and what it was made from.

    Args:
        path: the folder, made when the first store is opened; None keeps all work in memory.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._used: list[Path] = []

    @classmethod
    def at(cls, folder: Path | WorkFolder | None) -> WorkFolder:
        """``folder`` itself, or the work folder at this path."""
        return folder if isinstance(folder, WorkFolder) else cls(folder)

    def open(self, kind: str, made_from: Mapping[str, Any], workers: Workers) -> ChunkStore:
        """The store for work made from just this: ``KIND-<16 hexadecimal digits>``, with a note of what from.

        Args:
            kind: kind of work, the beginning of the store's name.
            made_from: plain JSON values: whatever the work depends on.
            workers: rank 0 writes the note, ``settings.json``; processes that work apart all do.

        Raises:
            ValueError: several workers have no folder to share.
            OSError: the folder cannot be made.
        """
        if self.path is None:
            if workers.count > 1:
                raise ValueError(f"{workers.count} workers share their chunks in a folder: give one.")
            return ChunkStore(None)
        folder = self.path / f"{kind}-{hash_json(**made_from)[:16]}"
        folder.mkdir(parents=True, exist_ok=True)
        self._used.append(folder)
        if (workers.rank == 0 or workers.apart) and not (folder / "settings.json").exists():
            with replacing(folder / "settings.json") as file:
                file.write(json.dumps(dict(made_from), indent=2, sort_keys=True, default=str).encode() + b"\n")
        return ChunkStore(folder)

    def require_writable(self) -> None:
        """Find out before the work whether the folder can be made and written to.

        Raises:
            OSError: it cannot.
        """
        if self.path is None:
            return
        there = next(folder for folder in (self.path, *self.path.absolute().parents) if folder.exists())
        try:
            with tempfile.TemporaryFile(dir=there):
                pass
        except OSError as error:
            raise OSError(
                f"The folder {self.path} for finished work cannot be written to ({error.strerror or error}): name "
                "another."
            ) from error

    def remove_used(self) -> None:
        """Remove the stores that were opened here, and the folder if nothing else is in it."""
        for folder in self._used:
            shutil.rmtree(folder, ignore_errors=True)
        self._used.clear()
        if self.path is not None and self.path.is_dir() and not any(self.path.iterdir()):
            self.path.rmdir()


def run_chunks(
    store: ChunkStore,
    sizes: Sequence[int],
    compute: Callable[[Any], Any],
    workers: Workers,
    description: str,
    progress: bool | None = None,
    first: int = 0,
    check: Callable[[list[Any]], None] = lambda contents: None,
    unit: str = "document",
    inputs: Callable[[int], Any] = lambda number: number,
) -> list[Any]:
    """Results of all chunks, in order: those in the store, and the others computed, this rank's here.

    Args:
        store: where results go, and come from.
        sizes: units in each chunk, for the progress bar.
        compute: result of a chunk from what ``inputs`` gives, as plain JSON values; a pool sends it out once.
        workers: who computes which chunk.
        description: text beside the bar.
        progress: show a bar; None shows one on a terminal. Only rank 0 has one, for its own share.
        first: number of chunks that are computed before all others, and shown to ``check``; 0 is none.
        check: is given the contents of these, in every process the same. What it raises ends the work.
        unit: of what chunks hold, in the singular.
        inputs: what a chunk is computed from, by its number.

    Returns:
        Of workers that work apart, the results of this one's share alone.

    Raises:
        OSError: another run fills the store, a chunk could not be written, or another rank's cannot be seen.
    """
    share = workers.share(len(sizes))
    with store.held(workers, share):
        finished = {number: content for number in share if (content := store.read(number)) is not None}
        total, done = sum(sizes[number] for number in share), sum(sizes[number] for number in finished)
        main = workers.rank == 0 or workers.apart
        if main and finished:
            inform(f"{description}: {done:,} of {total:,} {unit}s are on disk in {store.folder}.")
        calls, shown = len(share) - len(finished), progress if main else False
        with Progress(description, unit, total, done, calls, bar=shown, lines=main) as bar:

            def finish(numbers: range) -> None:
                missing = [number for number in numbers if number in share and number not in finished]
                for number, content in workers.spread(compute, inputs, missing):
                    finished[number] = content
                    store.write(number, content)
                    bar.add(sizes[number])

            if first:
                finish(range(first))
                workers.wait()
                check(_contents(store, finished, range(first)))
            finish(range(first, len(sizes)))
        workers.wait()
        return _contents(store, finished, share if workers.apart else range(len(sizes)))


def _is_of(workers: Workers, rank: str | None) -> bool:
    """Whether a file of no chunk is this process's: of its rank, or of all, which are rank 0's."""
    return not workers.apart and int(rank or 0) % workers.count == workers.rank


def _world_size() -> int:
    """Number of processes that torchrun or accelerate started; 1 where it is not said."""
    size = os.environ.get("WORLD_SIZE", "1")
    return int(size) if size.isdecimal() else 1


def _contents(store: ChunkStore, finished: Mapping[int, Any], numbers: range) -> list[Any]:
    """What chunks hold, those of other ranks read from the store."""
    contents = []
    for number in numbers:
        content = finished[number] if number in finished else store.read(number)
        if content is None:
            raise OSError(
                f"{store.path(number)} is not there although all workers are done: the folder must be one that all "
                "machines share; give such a folder."
            )
        contents.append(content)
    return contents
