"""How fast QUALS is against the straightforward way: same model, same texts, one run.

    python -m benchmarks.speed news.jsonl
    python -m benchmarks.speed news.jsonl --baseline 4b264c3 --long cnndm.jsonl --samples samples.jsonl
    python -m benchmarks.speed news.jsonl --processes 2

The files have a source (``source`` or ``document``) and a ``summary`` in each line. With ``--baseline`` the working
tree is compared with another commit instead, on rows of the given files; the samples are what ``quals mine --steps
sample`` wrote.
"""

from __future__ import annotations

import argparse
import math
import platform
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from qags import QAGSScorer
from quals import QualsScorer
from quals.inputs import whole_number

from benchmarks.common.command import command_parser, exit_status
from benchmarks.speed.baseline import Workload, compare_with_commit, cut
from benchmarks.speed.cheaper import cheaper
from benchmarks.speed.many import compare_processes
from benchmarks.speed.measure import flops, matrix_rate, seconds
from benchmarks.speed.memory import memory
from benchmarks.speed.plain import PlainResult, Techniques
from benchmarks.speed.rival import compare_with_qags
from benchmarks.speed.ways import Texts, read_samples, read_texts, run_alone, run_batches, run_ours, run_plain

LADDER = {
    "plain: one summary, 60 repeated rows, whole vocabulary, text encoded per pair": Techniques(),
    "+ encoder states shared by the rows": Techniques(shared_states=True),
    "+ choices among the top tokens": Techniques(shared_states=True, top_tokens=True),
    "+ each text encoded once": Techniques(shared_states=True, top_tokens=True, text_once=True),
}
OURS = "+ float32 products by oneDNN: QualsScorer"

SAME = 1e-4  # nats: scores that differ by less are equal, and choices closer than this are near ties
_COUNTED = 8  # summaries whose FLOPs are counted
_LENGTHS = 16  # summaries for each source length


def main(argv: Sequence[str] | None = None) -> int:
    """Run; a user's mistake, and scores that differ, are one line on standard error and exit status 2."""
    parser = command_parser("benchmarks.speed", __doc__)
    add = parser.add_argument
    add("texts", type=Path, help="table of sources and summaries, such as news")
    add("--checkpoint", help="QAGen to use; without it the embedded one")
    add("--summaries", type=int, default=48, help="number of texts in the comparison")
    add("--many", type=int, nargs="*", default=[10, 100, 1000], help="numbers of summaries per call to measure")
    add("--words", type=int, nargs="*", default=[100, 500, 1000, 2000, 4000], help="source lengths to measure")
    add(
        "--cheaper",
        action="store_true",
        help="compare bfloat16 and fewer pairs with the default, instead of the plain way",
    )
    add("--other", action="append", default=[], help="further QAGen for --cheaper, such as one with fewer pieces")
    add("--pipeline", help="spaCy pipeline for QAGS, which is compared too where this is given")
    add("--questioner", help="question generator of QAGS; without it the embedded one")
    add("--reader", help="reader of QAGS; without it the embedded one")
    add("--baseline", metavar="COMMIT", help="commit to compare this working tree with, instead of the plain way")
    add("--long", type=Path, help="table of longer texts for --baseline, such as CNN/DM")
    add("--samples", type=Path, help="table of sampled summaries for --baseline: the mining workload")
    add(
        "--rows",
        type=int,
        default=64,
        help="rows per workload of --baseline; mining takes half as many sources",
    )
    add("--rounds", type=int, default=3, help="number of rounds of --baseline and --processes")
    add("--processes", type=int, help="number of processes to compare with one, instead of the plain way")
    arguments = parser.parse_args(argv)
    return exit_status("speed", partial(run, arguments))


def run(arguments: argparse.Namespace) -> None:
    """Print the tables.

    Raises:
        ValueError: there are too few texts, or the plain way's scores and ours differ.
    """
    if arguments.baseline is not None:
        compare_with_commit(
            arguments.baseline, _workloads(arguments), checkpoint=arguments.checkpoint, rounds=arguments.rounds
        )
        return
    if arguments.processes is not None:
        whole_number("--processes", arguments.processes, 2)
        news = _workloads(arguments)[0].rows
        compare_processes(arguments.checkpoint, news, arguments.processes, arguments.rounds)
        return
    if arguments.cheaper:
        cheaper(arguments.checkpoint, read_texts(arguments.texts)[: arguments.summaries], arguments.other)
        return
    qags = _qags(arguments)
    texts = read_texts(arguments.texts)
    needed = max(arguments.summaries, _LENGTHS)
    if len(texts) < needed:
        raise ValueError(f"{arguments.texts} has {len(texts)} texts and {needed} are needed: give more.")
    # Both ways read as much of a source as the model takes at once.
    scorer = QualsScorer(arguments.checkpoint, long_sources="truncate")
    print(
        f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}\n"
    )
    compare(scorer, texts[: arguments.summaries])
    if qags is not None:
        compare_with_qags(QualsScorer(scorer.qagen), qags, texts[: arguments.summaries])
    scale_summaries(scorer, texts, arguments.many)
    scale_sources(arguments.checkpoint, texts, arguments.words)
    memory(arguments.checkpoint, texts[: min(16, arguments.summaries)])


def _workloads(arguments: argparse.Namespace) -> list[Workload]:
    """The workloads of ``--baseline`` for which files were given."""
    for name in ("rows", "rounds"):
        whole_number(f"--{name}", getattr(arguments, name), 1)
    news = cut(read_texts(arguments.texts), arguments.rows, 300, 25)
    workloads = [Workload("news", news)]
    if arguments.long is not None:
        workloads.append(Workload("long", cut(read_texts(arguments.long), arguments.rows, 400, 60)))
    if arguments.samples is not None:
        sources = read_samples(arguments.samples)[: max(1, arguments.rows // 2)]
        rows = [(source, summary) for source, summaries in sources for summary in summaries]
        workloads.append(Workload("mining: samples and reference of each source", rows))
    return [*workloads, Workload("one row, cold: load and score", news[:1], cold=True)]


def _qags(arguments: argparse.Namespace) -> QAGSScorer | None:
    """QAGS, loaded before the work, so that a missing part is known at once."""
    if arguments.pipeline is None:
        if arguments.questioner or arguments.reader:
            raise ValueError("--questioner and --reader belong to QAGS, which needs --pipeline too: give it.")
        return None
    return QAGSScorer(arguments.questioner, arguments.reader, pipeline=arguments.pipeline)


def compare(scorer: QualsScorer, texts: Texts) -> None:
    """Print the ladder from the plain way to ours, and whether the scores agree."""
    run_ours(scorer, texts[:2])  # first calls pay for set-up
    rungs = {name: partial(run_plain, scorer, techniques, texts) for name, techniques in LADDER.items()}
    ours = {
        "+ equal prefixes once, ended rows dropped": partial(run_alone, scorer, texts),
        "+ all summaries in batches": partial(run_batches, scorer, texts),
        OURS: partial(run_ours, scorer, texts),
    }
    rate = matrix_rate()
    print(
        f"| {len(texts)} summaries | faster than the line above | faster than plain | FLOPs of plain | machine's rate |"
    )
    print("|---|---:|---:|---:|---:|")
    first = previous = work_first = 0.0
    results = {}
    for name, work in (rungs | ours).items():
        time, results[name] = seconds(work)
        few = texts[:_COUNTED]
        count = flops(partial(work.func, *work.args[:-1], few)) / len(few) * len(texts)
        first, work_first, previous = first or time, work_first or count, previous or time
        print(
            f"| {name} | {previous / time:.2f}x | {first / time:.2f}x | {count / work_first:.0%} | "
            f"{count / time / rate:.0%} |",
            flush=True,
        )
        previous = time
    print(
        f"\nFLOPs are counted over the first {min(_COUNTED, len(texts))} summaries. The machine's rate is "
        f"what a 2048 x 2048 float32 product reached in this run, {rate / 1e9:.0f} GFLOP/s."
    )
    plain_results = next(iter(results.values()))
    agree(plain_results, results[OURS])


def agree(plain: list[PlainResult], ours: list[float]) -> None:
    """Print how far the scores differ where no choice was a near tie.

    Raises:
        ValueError: they differ by ``SAME`` or more.
    """
    clear = [(p.score, o) for p, o in zip(plain, ours, strict=True) if p.smallest_gap > SAME]
    worst = max((_difference(p, o) for p, o in clear), default=0.0)
    print(
        f"Largest difference of a score from the plain way's: {worst:.1e} over {len(clear)} "
        f"summaries; in the other {len(plain) - len(clear)} some choice was closer than {SAME:g}.\n"
    )
    if worst >= SAME:
        raise ValueError(f"The scores of the plain way and ours differ by {worst:.1e}, which is more than rounding.")


def _difference(one: float, other: float) -> float:
    if math.isnan(one) or math.isnan(other):
        return 0.0 if math.isnan(one) and math.isnan(other) else math.inf
    return abs(one - other)


def scale_summaries(scorer: QualsScorer, texts: Texts, counts: list[int]) -> None:
    """Print the cost per summary in calls of different size."""
    print("| summaries per call | different sources | time per summary, relative to the first line |\n|---:|---:|---:|")
    base = 0.0
    for count in counts:
        chosen = [texts[i % len(texts)] for i in range(count)]
        # Repeated texts would be scored once: make each summary another text.
        chosen = [(d, s if i < len(texts) else f"{s} {i}") for i, (d, s) in enumerate(chosen)]
        time, _ = seconds(partial(run_ours, scorer, chosen))
        base = base or time / count
        print(f"| {count:,} | {min(count, len(texts)):,} | {time / count / base:.2f} |", flush=True)
    print()


def scale_sources(checkpoint: str | None, texts: Texts, lengths: list[int]) -> None:
    """Print the cost of longer sources, read whole in windows."""
    scorer = QualsScorer(checkpoint, long_sources="windows")
    words = " ".join(document for document, _ in texts).split()
    longest = len(words) - 97 * _LENGTHS
    if any(length > longest for length in lengths):
        raise ValueError(f"The texts have {len(words)} words, too few for sources of {max(lengths)}: give more.")
    print(
        "| source words (windows) | time per summary, relative to the first line | per source word |\n|---:|---:|---:|"
    )
    base = 0.0
    for length in lengths:
        sources = [" ".join(words[i * 97 : i * 97 + length]) for i in range(_LENGTHS)]
        chosen = list(zip(sources, [summary for _, summary in texts[:_LENGTHS]], strict=True))
        time, _ = seconds(partial(run_ours, scorer, chosen))
        base = base or time
        print(f"| {length:,} | {time / base:.2f} | {time / base / length * lengths[0]:.2f} |", flush=True)
    print()


if __name__ == "__main__":
    sys.exit(main())
