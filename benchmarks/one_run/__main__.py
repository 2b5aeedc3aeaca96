"""Fine-tune a small summarizer, mine it, train it away from its own worst summaries, and measure before and after.

    python -m benchmarks.one_run news.jsonl more.jsonl --work build/one-run

The files have a ``document`` and a ``summary`` in each line. It takes hours on two CPU cores; if it is killed, the same
command resumes it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import quals
from quals import QualsScorer
from quals.checkpoint import EMBEDDED
from transformers import AutoTokenizer

from benchmarks.common.command import command_parser, exit_status
from benchmarks.common.differences import RESAMPLES, difference, mean_of
from benchmarks.common.examples import Example, read_examples, split, tokenized
from benchmarks.common.judging import free_judges, judged, scorer_judge
from benchmarks.common.summarizers import summarized
from benchmarks.common.work_folder import DONE, keep_to
from benchmarks.one_run.stages import Settings, contrastive, control, fine_tuned
from trainer_ext.study.statistics import Floats

ARMS = ("before", "control", "after")


def main(argv: Sequence[str] | None = None) -> int:
    """Run; a mistake of the user's is one line on standard error and exit status 2."""
    parser = command_parser("benchmarks.one_run", __doc__)
    add = parser.add_argument
    add("pairs", type=Path, nargs="+", help="JSON lines with document and summary")
    add("--work", type=Path, required=True, help="folder for checkpoints, mined candidates and summaries")
    add("--model", help="model to fine-tune; without it the embedded QAGen, which can read and copy")
    add("--test-documents", type=int, default=300, help="number of documents that are kept apart and never trained on")
    add("--documents", type=int, default=1500, help="most documents to mine")
    add("--mle-epochs", type=float, default=6.0, help="passes of fine-tuning by likelihood")
    add("--mle-learning-rate", type=float, default=3e-4, help="learning rate of that fine-tuning")
    add("--epochs", type=float, default=2.0, help="passes of contrastive training")
    add(
        "--learning-rate",
        type=float,
        default=3e-5,
        help="learning rate of contrastive training",
    )
    add("--loss", default="unlikelihood", help="contrastive loss")
    add("--weight", type=float, default=1.0, help="weight of the contrastive loss")
    add("--samples", type=int, default=6, help="number of test documents whose summaries are printed")
    arguments = parser.parse_args(argv)
    return exit_status("one_run", partial(run, arguments))


def run(arguments: argparse.Namespace) -> None:
    """Run all stages, then print the tables."""
    model = arguments.model or str(Path(quals.__file__).parent / EMBEDDED)
    settings = Settings(
        model=model,
        work=arguments.work,
        mle_epochs=arguments.mle_epochs,
        mle_learning_rate=arguments.mle_learning_rate,
        epochs=arguments.epochs,
        learning_rate=arguments.learning_rate,
        documents=arguments.documents,
        loss=arguments.loss,
        weight=arguments.weight,
    )
    examples = read_examples(arguments.pairs)
    train, test = split(examples, arguments.test_documents)
    scorer = QualsScorer()
    keep_to(settings.work, settings.note(examples, arguments.test_documents, scorer.signature))
    tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
    rows = tokenized(train, tokenizer, settings.max_source, settings.max_target)
    folders = {"before": fine_tuned(settings, rows, tokenizer)}
    folders["after"] = contrastive(settings, folders["before"], rows, tokenizer)
    folders["control"] = control(settings, folders["before"], folders["after"], tokenizer)

    judges = {"quals": scorer_judge("QUALS, nats per token", scorer), **free_judges()}
    dataset = tokenized(test, tokenizer, settings.max_source, settings.max_target)
    summaries = {arm: summarized(folders[arm], dataset, tokenizer, settings.max_target) for arm in ARMS}
    scores = {arm: judged(judges, summaries[arm], test, settings.work / "scores") for arm in ARMS}
    mining = json.loads((folders["after"] / DONE).read_text(encoding="utf-8"))
    print(f"{len(train):,} training documents, {len(test):,} test documents.\n")
    print(mining_table(mining["mining"]), "\n")
    print(quality_table(scores, {name: judge.label for name, judge in judges.items()}))
    print(f"\nIn brackets: 95 % intervals, {RESAMPLES:,} resamples of documents. QUALS: {judges['quals'].signature}\n")
    print(samples(test[: arguments.samples], summaries))


def mining_table(mining: Mapping[str, object]) -> str:
    """What was mined, as a table."""
    lines = ["| mining | |", "|---|---:|"]
    for name, value in mining.items():
        shown = f"{value:.3f}" if isinstance(value, float) else str(value)
        lines.append(f"| {name.replace('_', ' ')} | {shown} |")
    return "\n".join(lines)


def quality_table(scores: Mapping[str, Mapping[str, Floats]], labels: Mapping[str, str]) -> str:
    """Means of each arm, and what contrastive training changed, with intervals over documents."""
    lines = [
        "| | before: likelihood | control: more likelihood | after: contrastive | after minus before "
        "| after minus control |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, label in labels.items():
        cells = [f"{mean_of(scores[arm][name]):.3f}" for arm in ARMS]
        for other in ("before", "control"):
            change, low, high = difference(scores["after"][name], scores[other][name])
            cells.append(f"{change:+.3f} [{low:+.3f}, {high:+.3f}]")
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def samples(examples: Sequence[Example], summaries: Mapping[str, Sequence[str]]) -> str:
    """Each document's summaries, for a person to read."""
    parts = []
    for number, example in enumerate(examples):
        parts.append(f"Document: {' '.join(example.document.split()[:60])} ...\n")
        parts.append(f"- reference: {example.summary}")
        parts += [f"- {arm}: {summaries[arm][number]}" for arm in ARMS]
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    raise SystemExit(main())
