"""Fit a map from scores to the probability that a summary is consistent, on summaries that people judged.

The map holds for texts and systems like those of the files. With several files, each is also tried with a map of the
others, which shows how far it carries. If the run is killed, start it again with the same arguments.

Example: quals calibrate judged.jsonl --output calibration.json --figure reliability.png
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer_ext.cli.options.scorer import add_processes_argument, add_scorer_arguments, make_scorer
from trainer_ext.io.terminal import say

if TYPE_CHECKING:
    from trainer_ext.calibration.quality import Quality
    from trainer_ext.io.tables import Rows

_LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "False": 0, "True": 1}  # as str() writes them
_LABEL_COLUMNS = ("label", "consistent")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    text = "JSON lines, JSON, CSV, TSV or parquet file with a judged summary per row; each file is a set"
    add("files", nargs="+", type=Path, metavar="FILE", help=text)
    add("--output", type=Path, required=True, help="file for the map (.json), replaced at the end")
    add("--source-column", help="column of the source texts; found by its name (source, document, ...) if not given")
    add("--summary-column", help="column of the summaries; found by its name (summary, ...) if not given")
    add("--label-column", help="column of the labels, 1 (consistent) or 0; label or consistent if not given")
    add("--figure", type=Path, help="file for a reliability diagram (.png, .svg)")
    add("--resamples", type=int, default=1000, help="number of bootstrap resamples of documents")
    add("--seed", type=int, default=0, help="random seed of folds and resamples")
    add_processes_argument(parser)
    add_scorer_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    from quals.errors import require_extra
    from quals.inputs import whole_number

    from trainer_ext.io.ahead import ahead
    from trainer_ext.io.chunks import ALONE
    from trainer_ext.io.tables import check_output
    from trainer_ext.scale.rows import ScoreRows
    from trainer_ext.scale.table import CHUNK, Scoring, Texts

    require_extra("calibrate", "scipy")
    if arguments.figure is not None:
        require_extra("plot", "matplotlib")
    import numpy as np
    from quals.calibration import Calibration
    from quals.errors import DataError

    from trainer_ext.calibration.figure import write_figure
    from trainer_ext.calibration.fit import Judged, by_other_sets, crossfitted, logistic_map
    from trainer_ext.calibration.quality import Quality
    from trainer_ext.io.atomic import replacing
    from trainer_ext.io.pictures import PICTURE_SUFFIXES

    whole_number("--resamples", arguments.resamples, 1)
    whole_number("--seed", arguments.seed, 0)
    sources, summaries, labels, sets = _read(arguments)
    check_output(arguments.output, (".json",), arguments.files)
    if arguments.figure is not None:
        check_output(arguments.figure, PICTURE_SUFFIXES, arguments.files)
    # What scoring cannot mend is said before it.
    Judged(np.zeros(len(labels)), np.array(labels), sources, sets).require_enough()
    scorer = make_scorer(arguments, CHUNK)
    texts = Texts("the judged rows", [], range(len(sources)), sources, summaries)
    scoring = Scoring(texts, ScoreRows(scorer), arguments.output)
    store = scoring.folder.open("scores", scoring.made_from, ALONE)
    results = scoring.run(store, ahead(ALONE, arguments.processes))
    scores = np.array([result["quals"] for result in results], dtype=np.float64)  # NaN where there is none
    known = np.flatnonzero(~np.isnan(scores))
    judged = Judged(scores[known], np.array(labels)[known], [sources[i] for i in known], [sets[i] for i in known])
    judged.require_enough()
    slope, intercept = logistic_map(judged.scores, judged.labels)
    if slope <= 0:
        raise DataError(
            "A higher score does not go with consistent summaries in these rows, so that there is nothing to map: "
            "check that label 1 is consistent, or give other rows."
        )
    names, documents = tuple(dict.fromkeys(judged.sets)), len(set(judged.documents))
    calibration = Calibration(
        slope, intercept, scorer.signature, names, len(judged), documents, round(judged.base_rate, 6)
    )

    def quality(probabilities: Any, places: Any) -> Quality:
        own = [judged.documents[place] for place in places]
        scores, labels = judged.scores[places], judged.labels[places]
        return Quality.of(probabilities, scores, labels, own, arguments.resamples, arguments.seed)

    whole = quality(crossfitted(judged, arguments.seed), np.arange(len(judged)))
    tried = {name: by_other_sets(judged, name) for name in names} if len(names) > 1 else {}
    others = {name: None if rows is None else quality(*rows) for name, rows in tried.items()}
    with replacing(arguments.output) as file:
        file.write(calibration.to_json())
    if arguments.figure is not None:
        write_figure(whole, arguments.figure)
    scoring.folder.remove_used()
    say(_report(calibration, whole, others, len(labels)))
    for path in filter(None, (arguments.output, arguments.figure)):
        say(f"written to {path}")


def _read(arguments: argparse.Namespace) -> tuple[list[str], list[str], list[int], list[str]]:
    """Sources, summaries, labels and sets of all files' rows."""
    from quals.errors import OptionError
    from quals.rows import REFERENCE_COLUMNS, SOURCE_COLUMNS

    from trainer_ext.io.tables import named_column, read_table, text_column

    names = [path.name.split(".")[0] for path in arguments.files]
    if len(set(names)) < len(names):
        names = [str(path) for path in arguments.files]
    if len(set(names)) < len(names):
        raise OptionError("A file is given twice: give each once.")
    sources, summaries, labels, sets = [], [], [], []
    for name, path in zip(names, arguments.files, strict=True):
        rows = read_table(path)
        source = named_column(rows, arguments.source_column, SOURCE_COLUMNS, "--source-column", path)
        summary = named_column(rows, arguments.summary_column, REFERENCE_COLUMNS, "--summary-column", path)
        label = named_column(rows, arguments.label_column, _LABEL_COLUMNS, "--label-column", path)
        sources += text_column(rows, source, "--source-column", path)
        summaries += text_column(rows, summary, "--summary-column", path)
        labels += _labels(rows, label, path)
        sets += [name] * len(rows)
    return sources, summaries, labels, sets


def _labels(rows: Rows, column: str, path: Path) -> list[int]:
    from quals.errors import DataError

    labels = []
    for number, row in enumerate(rows, start=1):
        label = _LABELS.get(str(row.get(column)))
        if label is None:
            raise DataError(
                f"{path}, row {number}: {column!r} is {str(row.get(column))[:40]!r}, not a label: give 1 (consistent) "
                "or 0, or name another column with --label-column."
            )
        labels.append(label)
    return labels


def _report(calibration: Any, whole: Quality, others: dict[str, Quality | None], total: int) -> str:
    lines = [f"rows       {total:,}, of which {whole.rows:,} have a score, of {whole.documents:,} documents"]
    sign = "-" if calibration.intercept < 0 else "+"
    lines += [f"map        log-odds = {calibration.slope:.3f} * score {sign} {abs(calibration.intercept):.3f}"]
    lines += [f"signature  {calibration.signature}", ""]
    lines += ["| rows | n | base rate | Brier | Brier of base rate | gain | calibration error | AUROC |"]
    lines += ["|---|---:|---:|---:|---:|---:|---:|---:|"]
    lines += [_line("all, cross-fitted by document", whole)]
    carried = {name: quality for name, quality in others.items() if quality is not None}
    lines += [_line(f"{name}, by the others' map", quality) for name, quality in carried.items()]
    lines += ["", "In brackets: 95 % intervals over resampled documents. Gain: how far Brier is below that of the base"]
    lines += ["rate. A calibration error of few rows is above 0 for a perfect map too.", ""]
    if whole.gain.interval[0] > 0:
        lines += ["On documents like these, the map says more than the base rate alone."]
    else:
        lines += ["The map is not shown to say more than the base rate alone: do not rely on its probabilities."]
    if carried:
        beaten = sum(quality.gain.interval[0] > 0 for quality in carried.values())
        lines += [f"Maps of the other files beat the base rate on {beaten} of {len(carried)} files."]
    if untried := sorted(others.keys() - carried.keys()):
        lines += [
            f"Not tried by the others' map: {', '.join(untried)}. The others have too few rows of other documents."
        ]
    return "\n".join(lines)


def _line(name: str, quality: Quality) -> str:
    values = (quality.brier, quality.base_brier, quality.gain, quality.error, quality.auroc)
    cells = [name, f"{quality.rows:,}", f"{quality.base_rate:.2f}", *map(str, values)]
    return f"| {' | '.join(cells)} |"
