"""Data sets of the Hub as tables: one split of one version, by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quals.errors import DataError

if TYPE_CHECKING:
    import datasets

PREFIX = "hub:"  # before a data set's name, where a file's path may stand too
_TABLES = ("arrow", "csv", "json", "parquet")  # datasets reads 30 kinds of files; a summary is in none of the others


@dataclass(frozen=True)
class HubTable:
    """A split of a data set on the Hub, or of a folder that is laid out like one.

    Args:
        path: ``hub:ORG/NAME``, or ``hub:FOLDER``.
        config: its configuration; None is the default one.
        split: its split, or a part of one, such as ``"test[:100]"``; None is the only one.
        revision: branch, tag or commit; None is the newest version.
    """

    path: Path
    config: str | None = None
    split: str | None = None
    revision: str | None = None

    def read(self) -> datasets.Dataset:
        """The rows, which lie on disk in the cache of ``datasets``.

        Without the Hub the newest version in the cache is read, which a warning says. Where ``revision`` is given, no
        other version ever is.

        Raises:
            DataError: there is no such data set, configuration, split or version, it has no rows, or the Hub cannot be
                reached.
        """
        import datasets

        from trainer_ext.io.progress import without_noise

        name, several = str(self.path).removeprefix(PREFIX), list[str]()
        try:
            with without_noise():
                builder = datasets.load_dataset_builder(name, self.config, revision=self.revision)
                kind = type(builder).__module__.split(".")[-1]
                # Seen in 5.2, see findings/datasets-gives-another-revision-offline.sh.
                if kind == "cache" and self.revision not in (None, builder.hash):
                    raise ConnectionError(f"the Hub is not reached, and the cache has the version {builder.hash}")
                if kind not in (*_TABLES, "cache"):
                    raise DataError(f"its files are of the kind {kind}")
                builder.download_and_prepare()
                several = list(builder.info.splits or [])
                split = self.split if self.split is not None or len(several) != 1 else several[0]
                rows = None if split is None else builder.as_dataset(split=split)
        except Exception as error:  # whatever a loader raises
            told = error.__cause__ if isinstance(error, datasets.exceptions.DatasetGenerationError) else error
            lines = str(told).strip().splitlines() or [type(told).__name__]
            raise DataError(
                f"{self.path} cannot be loaded ({' '.join(lines[:2]).rstrip('.')}): check the name, --dataset-config, "
                "--dataset-split and --dataset-revision."
            ) from error
        if rows is None:
            raise DataError(f"{self.path} has the splits {', '.join(several)}: choose one with --dataset-split.")
        if not len(rows):
            raise DataError(f"{self.path} holds no rows: there is nothing to score.")
        return rows
