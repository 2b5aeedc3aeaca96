"""How fast QUALS is here against the straightforward way: same model, same texts, one run.

    python -m benchmarks.speed TEXTS.jsonl

TEXTS.jsonl has a ``document`` and a ``summary`` in each line.
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

from benchmarks.common.command import exit_status
from benchmarks.speed.measure import flops, matrix_rate, seconds
from benchmarks.speed.memory import memory
from benchmarks.speed.plain import PlainResult, Techniques
from benchmarks.speed.precision import precision
from benchmarks.speed.rival import compare_with_qags
from benchmarks.speed.ways import Texts, read_texts, run_alone, run_batches, run_ours, run_plain

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
    """Run; a mistake of the user's, and scores that differ, are one line on standard error and exit status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", type=Path, help="JSON lines with document and summary")
    parser.add_argument("--checkpoint", help="a QAGen; without it the embedded one")
    parser.add_argument("--summaries", type=int, default=48, help="texts of the comparison")
    parser.add_argument("--many", type=int, nargs="*", default=[10, 100, 1000], help="numbers of summaries to scale to")
    parser.add_argument("--words", type=int, nargs="*", default=[100, 500, 1000, 2000, 4000], help="source lengths")
    parser.add_argument("--precision", action="store_true", help="compare bfloat16 with float32 too")
    parser.add_argument("--pipeline", help="compare with QAGS too, whose answers this spaCy pipeline finds")
    parser.add_argument("--questioner", help="QAGS's question generator; without it the embedded one")
    parser.add_argument("--reader", help="QAGS's reader; without it the embedded one")
    arguments = parser.parse_args(argv)
    return exit_status("speed", partial(run, arguments))


def run(arguments: argparse.Namespace) -> None:
    """Print every table.

    Raises:
        ValueError: there are too few texts, or the plain way's scores and ours differ.
    """
    qags = _qags(arguments)
    texts = read_texts(arguments.texts)
    needed = max(arguments.summaries, _LENGTHS)
    if len(texts) < needed:
        raise ValueError(f"{arguments.texts} has {len(texts)} texts, and {needed} are needed: give more.")
    # Both ways read as much of a source as the model takes at once.
    scorer = QualsScorer(arguments.checkpoint, long_sources="truncate")
    print(
        f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}\n"
    )
    compare(scorer, texts[: arguments.summaries])
    if qags is not None:
        compare_with_qags(QualsScorer(scorer.qagen), qags, texts[: arguments.summaries])
    if arguments.precision:
        precision(arguments.checkpoint, texts[: arguments.summaries])
    scale_summaries(scorer, texts, arguments.many)
    scale_sources(arguments.checkpoint, texts, arguments.words)
    memory(arguments.checkpoint, texts[: min(16, arguments.summaries)])


def _qags(arguments: argparse.Namespace) -> QAGSScorer | None:
    """Loaded before the work, so that a part that is missing is known at once."""
    if arguments.pipeline is None:
        if arguments.questioner or arguments.reader:
            raise ValueError("--questioner and --reader are QAGS's, which needs --pipeline too: give it.")
        return None
    return QAGSScorer(arguments.questioner, arguments.reader, pipeline=arguments.pipeline)


def compare(scorer: QualsScorer, texts: Texts) -> None:
    """The ladder from the plain way to ours, and whether the scores agree."""
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
        f"what a 2048 x 2048 float32 product reached in this run as QualsScorer multiplies, {rate / 1e9:.0f} GFLOP/s."
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
        raise ValueError(f"The scores of the plain way and ours differ by {worst:.1e}, which is no rounding.")


def _difference(one: float, other: float) -> float:
    if math.isnan(one) or math.isnan(other):
        return 0.0 if math.isnan(one) and math.isnan(other) else math.inf
    return abs(one - other)


def scale_summaries(scorer: QualsScorer, texts: Texts, counts: list[int]) -> None:
    """Cost of a summary in calls of different size."""
    print("| summaries in a call | different sources | time a summary, of the first line's |\n|---:|---:|---:|")
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
    """Cost of a source's length, read whole in windows."""
    scorer = QualsScorer(checkpoint, long_sources="windows")
    words = " ".join(document for document, _ in texts).split()
    longest = len(words) - 97 * _LENGTHS
    if any(length > longest for length in lengths):
        raise ValueError(f"The texts have {len(words)} words, too few for sources of {max(lengths)}: give more.")
    print("| source words (windows) | time a summary, of the first line's | of that a source word |\n|---:|---:|---:|")
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
