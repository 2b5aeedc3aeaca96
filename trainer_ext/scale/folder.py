"""A folder of files to score, one after another: each gets its own output, and a manifest says what is in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quals.errors import DataError, OptionError, QualsError
from quals.rows import JSON_LINES, file_format

from trainer_ext.io.atomic import replacing
from trainer_ext.io.chunks import ALONE, Workers
from trainer_ext.io.keyed_file import KeyedFile
from trainer_ext.io.progress import Progress, inform
from trainer_ext.io.tables import READABLE, WRITABLE
from trainer_ext.scale.rows import ScoreRows
from trainer_ext.scale.table import Reading, Result, Scoring, Texts, check_writable

MANIFEST = "manifest.json"
_DONE = ".done"  # a note of each finished file, in the folder of the outputs


@dataclass(frozen=True)
class FolderScoring:
    """The scoring of a folder's files. A file that is finished is not scored again.

    Args:
        folder: holds the files, JSON lines, JSON, CSV, TSV or parquet; folders in it are not read.
        output: the folder for the outputs, made where it is missing: parquet of parquet, else JSON lines.
        reading: how the files are read.
        work: how rows are scored.

    Raises:
        DataError: there is no file.
        OptionError: the output is the folder itself.
    """

    folder: Path
    output: Path
    reading: Reading
    work: ScoreRows

    def __post_init__(self) -> None:
        if self.output.resolve() == self.folder.resolve():
            raise OptionError(f"The output {self.output} is the input: give another folder, so that nothing is lost.")
        if self.output.is_file():
            raise OptionError(f"The output {self.output} is a file, and {self.folder} is a folder: give a folder.")

    def run(self, workers: Workers = ALONE, shard: Workers = ALONE) -> list[dict[str, Any]]:
        """Score the files of this shard that are not finished, and say of each what is in its output.

        Args:
            workers: who computes.
            shard: a share of the files, by ``apart``; the others are another process's.

        Raises:
            DataError: files cannot be scored; the others are.
            OSError: an output could not be written, or another run works at it.
        """
        files = files_in(self.folder)
        share = shard.share(len(files))
        if shard.count > len(files):
            raise OptionError(
                f"{self.folder} has {len(files)} files, too few for {shard.count} shards: a shard is of whole files."
            )
        self.output.mkdir(parents=True, exist_ok=True)
        done, problems = list[dict[str, Any]](), list[QualsError]()
        with Progress(f"Scoring {self.folder}", "file", len(share), bar=False) as progress:
            for number in share:
                name = f"Scoring {files[number].name} ({number + 1} of {len(files)})"
                try:
                    is_new, summary = self._score(files[number], workers, name)
                except QualsError as error:
                    problems.append(error)
                    progress.skip(1)
                    inform(f"{error} The other files go on.")
                else:
                    done.append(summary)
                    (progress.add if is_new else progress.skip)(1)
            if problems:
                more = f" {len(problems)} of {len(share)} files failed; the others are done." * (len(share) > 1)
                raise DataError(f"{problems[0]}{more}")
        return done

    def target(self, file: Path) -> Path:
        """The output of a file."""
        return self.output / (file.name if file.suffix.lower() in WRITABLE else file.name + JSON_LINES[0])

    def join(self) -> list[dict[str, Any]]:
        """Write the manifest, if every file is finished: what is in which output.

        Raises:
            DataError: some are not; the message says which.
        """
        files, done, missing = files_in(self.folder), list[dict[str, Any]](), list[int]()
        for number, file in enumerate(files):
            note = self._note(file, Scoring(self.reading.read(file), self.work, self.target(file)))
            found = note.read() if self.target(file).is_file() else None
            if found is None:
                missing.append(number)
            else:
                done.append(found)
        if missing:
            first = files[missing[0]].name
            raise DataError(
                f"{len(missing)} of {len(files)} files of {self.folder} are not scored yet, {first} among them: run "
                "this command with --shard 1/1 instead of --join, or the shards that were not done, then join again."
            )
        self._write_manifest(done)
        return done

    def _write_manifest(self, done: Sequence[dict[str, Any]]) -> None:
        with replacing(self.output / MANIFEST) as file:
            file.write((json.dumps({"signature": self.work.scorer.signature, "files": done}, indent=1) + "\n").encode())

    def _score(self, file: Path, workers: Workers, name: str) -> tuple[bool, dict[str, Any]]:
        """What is in the file's output, and whether that was made now."""
        texts, target = self.reading.read(file), self.target(file)
        scoring = Scoring(texts, self.work, target)
        note = self._note(file, scoring)
        found = note.read() if target.is_file() else None
        if found is not None:
            return False, dict(found)
        if note.is_of_another_key():
            raise OptionError(
                f"{self.output} holds the scores of another {file.name}, or with other settings: give another --output."
            )
        check_writable(target, texts, self.work.columns, [file])
        results = scoring.run(scoring.store(resume=True), workers, name)
        summary = summary_of(texts, results) | {"file": file.name, "output": target.name}
        scoring.write(results)
        note.write(summary)
        scoring.folder.remove_used()
        return True, summary

    def _note(self, file: Path, scoring: Scoring) -> KeyedFile:
        return KeyedFile(self.output / _DONE / f"{file.name}.json", scoring.made_from)


def summary_of(texts: Texts, results: Sequence[Result]) -> dict[str, Any]:
    """What is in an output: rows, those left out, those with a score, and the scores' mean in nats per token."""
    scores = [result["quals"] for result in results if result["quals"] is not None]
    mean = sum(scores) / len(scores) if scores else None
    return {"rows": len(texts.rows), "left_out": len(texts.rows) - len(results), "scored": len(scores), "mean": mean}


def files_in(folder: Path) -> list[Path]:
    """The files of a folder that can be scored, in the order of their names.

    Raises:
        DataError: there is none.
    """
    found = [path for path in folder.iterdir() if path.is_file() and file_format(path) in READABLE]
    files = sorted(path for path in found if path.name[0] not in "._" and path.name != MANIFEST)
    if not files:
        raise DataError(f"{folder} holds no file that ends in {', '.join(READABLE)}: give another folder.")
    return files
