"""Work in chunks, each on disk before the next: killed at any moment, a run goes on with what is missing."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from trainer_ext.io.atomic import json_line, replacing
from trainer_ext.io.hashing import hash_json

_TEMPORARY = re.compile(r"\.(?:chunk-(\d{6,})|settings)\.json\.\d+\.tmp")  # as io.atomic.replacing names them


@dataclass(frozen=True)
class Workers:
    """The processes that share the work: chunk i is the work of rank ``i % count``.

    Args:
        rank: of this process.
        count: of all.
        wait: returns when all ranks have called it, as ``torch.distributed.barrier`` does.

    Raises:
        ValueError: no such rank.
    """

    rank: int = 0
    count: int = 1
    wait: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.count:
            raise ValueError(f"The rank is {self.rank} of {self.count}: ranks are 0 to count - 1.")


ALONE = Workers()


class ChunkStore:
    """Results of numbered chunks: one JSON file each, ``chunk-000012.json``, whole or absent.

    A file says of which store and chunk it is and has a checksum, so that a torn, altered or misplaced one counts as
    absent.

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
            found = json.loads(self.path(number).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        if not isinstance(found, dict) or "content" not in found:
            return None
        content = found.pop("content")
        return content if found == self._label(number, content) else None

    def write(self, number: int, content: Any) -> None:
        """Put a chunk's result, plain JSON values, in its place at once.

        Raises:
            OSError: it could not be written; the chunks before it stay.
        """
        if self.folder is None:
            self._memory[number] = content
            return
        with replacing(self.path(number)) as file:
            file.write(json_line({**self._label(number, content), "content": content}))

    def clean(self, workers: Workers) -> None:
        """Remove what killed runs left half written of this rank's chunks."""
        for path in self.folder.iterdir() if self.folder else ():
            match = _TEMPORARY.fullmatch(path.name)
            if match and int(match[1] or 0) % workers.count == workers.rank:
                path.unlink(missing_ok=True)

    def path(self, number: int) -> Path:
        """Of a chunk's file."""
        return (self.folder or Path()) / f"chunk-{number:06d}.json"

    def _label(self, number: int, content: Any) -> dict[str, Any]:
        digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
        return {"store": self.folder.name if self.folder else "", "chunk": number, "sha256": digest}


def open_store(folder: Path | None, kind: str, made_from: Mapping[str, Any], workers: Workers) -> ChunkStore:
    """The store for work made from just this: ``folder/KIND-<16 hexadecimal digits>``, with a note of what from.

    Args:
        folder: where stores lie; made if it is not there. None: a store in memory.
        kind: of work, the beginning of the name.
        made_from: plain JSON values; whatever the work depends on.
        workers: rank 0 writes the note, ``settings.json``.

    Raises:
        ValueError: several workers have no folder to share.
        OSError: the folder cannot be made.
    """
    if folder is None:
        if workers.count > 1:
            raise ValueError(f"{workers.count} workers share their chunks in a folder: give one.")
        return ChunkStore(None)
    place = folder / f"{kind}-{hash_json(**made_from)[:16]}"
    place.mkdir(parents=True, exist_ok=True)
    store = ChunkStore(place)
    store.clean(workers)
    if workers.rank == 0:
        with replacing(place / "settings.json") as file:
            file.write(json.dumps(dict(made_from), indent=2, sort_keys=True, default=str).encode() + b"\n")
    return store


def run_chunks(
    store: ChunkStore,
    sizes: Sequence[int],
    compute: Callable[[int], Any],
    workers: Workers,
    description: str,
    progress: bool | None = None,
) -> list[Any]:
    """Results of all chunks, in order: those in the store, and the others computed, this rank's here.

    Args:
        store: where results go, and come from.
        sizes: documents of each chunk, for the progress bar.
        compute: result of a chunk by its number, as plain JSON values.
        workers: who computes which.
        description: of the bar.
        progress: show a bar; None shows one on a terminal. Only rank 0 has one, of its own share.

    Raises:
        OSError: a chunk could not be written, or another rank's is not to be seen.
    """
    mine = range(workers.rank, len(sizes), workers.count)
    finished = {number: content for number in mine if (content := store.read(number)) is not None}
    # tqdm: None shows a bar on a terminal only.
    disable = True if workers.rank > 0 else None if progress is None else not progress
    total, initial = sum(sizes[number] for number in mine), sum(sizes[number] for number in finished)
    with tqdm(total=total, initial=initial, desc=description, unit="document", disable=disable) as bar:
        for number in mine:
            if number not in finished:
                finished[number] = compute(number)
                store.write(number, finished[number])
                bar.update(sizes[number])
    workers.wait()
    return list(_all_chunks(store, finished, len(sizes)))


def _all_chunks(store: ChunkStore, finished: Mapping[int, Any], count: int) -> Iterator[Any]:
    for number in range(count):
        content = finished[number] if number in finished else store.read(number)
        if content is None:
            raise OSError(
                f"{store.path(number)} is not there although all workers are done: the folder must be one that all "
                "machines share; give such a folder."
            )
        yield content
