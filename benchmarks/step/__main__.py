"""Compare what training steps cost: plain likelihood, ours with negatives, and two full passes, side by side.

    python -m benchmarks.step --negatives 1 4

All ways train on the same positives, in turn, and the medians over the rounds count.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import quals
import torch
from quals.checkpoint import EMBEDDED

from benchmarks.common.command import command_parser, exit_status
from benchmarks.speed.measure import peak_memory, seconds
from benchmarks.step.ways import Shape, load, make_step, only_load, random_batch, two_steps

WAYS = ("plain", "ours", "two passes")
_NAMES = {
    "plain": "likelihood of the positives alone (Seq2SeqTrainer)",
    "ours": "positives and negatives, sources encoded once (ContrastiveSeq2SeqTrainer)",
    "two passes": "positives and negatives, a full pass of the model for each",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run; a user's mistake is one line on standard error and exit status 2."""
    parser = command_parser("benchmarks.step", __doc__)
    parser.add_argument("--model", help="encoder-decoder to train; without it the embedded QAGen")
    parser.add_argument("--documents", type=int, default=4, help="documents per batch")
    parser.add_argument("--source", type=int, default=400, help="tokens of a source")
    parser.add_argument("--target", type=int, default=60, help="tokens of a summary")
    parser.add_argument("--negatives", type=int, nargs="*", default=[1, 4], help="numbers of negatives to measure")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of one step of every way; the median counts")
    arguments = parser.parse_args(argv)
    return exit_status("step", partial(run, arguments))


def run(arguments: argparse.Namespace) -> None:
    """Print the table."""
    model = arguments.model or str(Path(quals.__file__).parent / EMBEDDED)
    device = "cuda" if torch.cuda.is_available() else f"cpu, {torch.get_num_threads()} threads"
    print(f"{device}, torch {torch.__version__}, float32")
    print(f"{arguments.documents} documents of {arguments.source} tokens, summaries of {arguments.target}\n")
    print("| step | negatives | time relative to the plain step | peak memory above the model |\n|---|---:|---:|---:|")
    for negatives in arguments.negatives:
        shape = Shape(arguments.documents, arguments.source, arguments.target, negatives)
        times = timings(model, shape, arguments.rounds)
        loaded = peak_memory(only_load, model)
        for way in WAYS:
            ratio = statistics.median(a / b for a, b in zip(times[way], times["plain"], strict=True))
            memory = (peak_memory(two_steps, model, shape, way) - loaded) / 2**20
            print(
                f"| {_NAMES[way]} | {0 if way == 'plain' else negatives} | {ratio:.2f}x | {memory:,.0f} MiB |",
                flush=True,
            )


def timings(model: str, shape: Shape, rounds: int) -> dict[str, list[float]]:
    """Seconds of each way's step, round by round, after a warm-up round."""
    steps = {}
    for way in WAYS:
        loaded = load(model)
        steps[way] = make_step(way, loaded, random_batch(shape, loaded.config.vocab_size))
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(rounds + 1):
        for way, step in steps.items():
            taken, _ = seconds(step)
            if number:
                times[way].append(taken)
    return times


if __name__ == "__main__":
    raise SystemExit(main())
