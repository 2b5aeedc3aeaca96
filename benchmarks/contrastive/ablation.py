"""Vary the contrastive stage of a run that `python -m benchmarks.contrastive` made, on its own mined candidates.

    python -m benchmarks.contrastive.ablation PAIRS.jsonl [PAIRS.jsonl ...] --work FOLDER \\
        --variant learning_rate=1e-4 --variant learning_rate=1e-4,loss=margin

Nothing is sampled or ranked again: a variant costs its training, and the scoring of its summaries. The test documents
are split in two halves: choose by the first, believe the second. Killed, it goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

from quals import QualsScorer
from transformers import AutoTokenizer

from benchmarks.command import exit_status
from benchmarks.contrastive.data import read_examples, split, tokenized
from benchmarks.contrastive.differences import difference
from benchmarks.contrastive.judging import Judge, free_judges, judged, scorer_judge
from benchmarks.contrastive.stages import Settings, contrastive, summarized
from benchmarks.contrastive.work_folder import SETTINGS
from trainer_ext.bootstrap import Floats
from trainer_ext.losses import LOSSES


@dataclass(frozen=True)
class Variant:
    """What differs from the run's own contrastive stage.

    Attributes:
        learning_rate, epochs, loss, weight: as in :class:`~benchmarks.contrastive.stages.Settings`; None is the run's.
        fraction: of documents selected on either side.
        negatives: worst candidates of a document that are trained away from.
    """

    learning_rate: float | None = None
    epochs: float | None = None
    loss: str | None = None
    weight: float | None = None
    fraction: float = 0.3
    negatives: int = 1

    @staticmethod
    def of(text: str) -> Variant:
        """Read from ``name=value,name=value``.

        Raises:
            ValueError: a name or a value is not known.
        """
        kinds = {"loss": str, "negatives": int}
        values: dict[str, object] = {}
        for part in text.split(","):
            name, _, value = part.partition("=")
            if name not in {field.name for field in fields(Variant)}:
                raise ValueError(
                    f"--variant has {part!r}: give {', '.join(f.name for f in fields(Variant))} = a value."
                )
            try:
                values[name] = kinds.get(name, float)(value)
            except ValueError:
                raise ValueError(f"--variant has {part!r}: {name} takes a number.") from None
        if values.get("loss", "margin") not in LOSSES:
            raise ValueError(f"--variant has loss={values['loss']}: give one of {', '.join(LOSSES)}.")
        return Variant(**values)  # type: ignore[arg-type]


def main(argv: Sequence[str] | None = None) -> int:
    """Run; a mistake of the user's is one line on standard error and exit status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("pairs", type=Path, nargs="+", help="the files of the run")
    add("--work", type=Path, required=True, help="the folder of the run")
    add("--test-documents", type=int, default=300, help="as in the run")
    add("--variant", action="append", required=True, help="NAME=VALUE[,NAME=VALUE], what differs; may be given again")
    arguments = parser.parse_args(argv)
    return exit_status("ablation", partial(run, arguments))


def run(arguments: argparse.Namespace) -> None:
    """Train and measure every variant, then print the table.

    Raises:
        ValueError: a variant is none, or the folder holds no finished run.
    """
    variants = {text: Variant.of(text) for text in arguments.variant}
    settings = _settings(arguments.work)
    train, test = split(read_examples(arguments.pairs), arguments.test_documents)
    tokenizer = AutoTokenizer.from_pretrained(settings.model)
    sizes = settings.max_source, settings.max_target
    rows, unseen = tokenized(train, tokenizer, *sizes), tokenized(test, tokenizer, *sizes)
    judges = {"quals": scorer_judge("QUALS", QualsScorer()), **free_judges()}
    before = settings.work / "before"
    folders = {"before": before, "the run": settings.work / "after"}
    for text, variant in variants.items():
        own = {
            name: getattr(variant, name)
            for name in ("learning_rate", "epochs", "loss", "weight")
            if getattr(variant, name) is not None
        }
        folders[text] = contrastive(
            replace(settings, **own),
            before,
            rows,
            tokenizer,
            name=f"variant-{text}",
            mining_folder=str(settings.work / "after" / "_mining"),
            selection_fraction=variant.fraction,
            num_negatives=variant.negatives,
        )
    kept = settings.work / "scores"
    found = {
        name: judged(judges, summarized(settings, folder, unseen, tokenizer), test, kept)
        for name, folder in folders.items()
    }
    print(table(found, judges, _steps(folders)))


def table(found: Mapping[str, Mapping[str, Floats]], judges: Mapping[str, Judge], steps: Mapping[str, int]) -> str:
    """What each variant changed: QUALS with intervals on either half, the others' means over all."""
    others = [name for name in judges if name != "quals"]
    half = len(found["before"]["quals"]) // 2
    lines = [
        f"| | steps | QUALS, change on the first {half} | on the others | "
        + " | ".join(judges[name].label for name in others)
        + " |",
        "|---|---:|" + "---:|" * (2 + len(others)),
    ]
    base = found["before"]
    for name, mine in found.items():
        cells = [f"{steps[name]:,}"]
        for part in (slice(half), slice(half, None)):
            if name == "before":
                cells.append("")
                continue
            change, low, high = difference(mine["quals"][part], base["quals"][part])
            cells.append(f"{change:+.3f} [{low:+.3f}, {high:+.3f}]")
        cells += [f"{mine[other].mean():.3f}" for other in others]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _settings(work: Path) -> Settings:
    """Those of the run in the folder.

    Raises:
        ValueError: there is none, or it is not finished.
    """
    note = work / SETTINGS
    if not note.is_file() or not (work / "after" / "done.json").is_file():
        raise ValueError(f"{work} holds no finished run: make one with python -m benchmarks.contrastive.")
    known = json.loads(note.read_text(encoding="utf-8"))
    kinds = {field.name: str(field.type) for field in fields(Settings)}
    read = {"float": float, "int": int}
    values = {name: read.get(kinds[name], str)(value) for name, value in known.items()}
    return Settings(work=work, **values)


def _steps(folders: Mapping[str, Path]) -> dict[str, int]:
    notes = {name: json.loads((folder / "done.json").read_text(encoding="utf-8")) for name, folder in folders.items()}
    return {name: int(note["steps"]) for name, note in notes.items()}


if __name__ == "__main__":
    raise SystemExit(main())
