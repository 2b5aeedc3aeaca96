"""The options that say who computes: this process, or the workers of a Ray cluster."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_RAY_ONLY = ("address", "workers", "threads")


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that :func:`engine` reads."""
    group: Any = parser.add_argument_group("engine")
    add = group.add_argument
    add("--engine", choices=["local", "ray"], default="local", help="place to compute: this process, or workers of Ray")
    text = "Ray cluster to join, such as auto or HOST:6379; if not given, one is started on this machine"
    add("--address", help=text)
    text = "number of Ray workers, each with a model; if not given, one per GPU, and without GPUs one per CPU"
    add("--workers", type=int, help=text)
    add("--threads", type=int, help="threads of a Ray worker without a GPU; 1 if not given")


@contextmanager
def engine(arguments: argparse.Namespace) -> Iterator[Any]:
    """A pool of Ray's workers in the block; None where this process computes.

    Loading models here, for the pool to send, needs no GPU: ``arguments.device`` becomes the CPU.

    Raises:
        OptionError: an option is out of range, or is for the other engine.
        MissingExtraError: Ray is not installed.
    """
    from quals.errors import OptionError

    if arguments.engine == "local":
        given = [name for name in _RAY_ONLY if getattr(arguments, name) is not None]
        if given:
            raise OptionError(f"--{given[0]} is an option of Ray's workers: add --engine ray, or leave it out.")
        yield None
        return
    if arguments.processes != 1:
        raise OptionError("--processes is of this machine alone: with --engine ray, say the number as --workers.")
    from trainer_ext.scale import RayPool

    device, arguments.device = arguments.device, "cpu"
    threads = 1 if arguments.threads is None else arguments.threads
    with RayPool(arguments.workers, address=arguments.address, threads=threads, device=device) as pool:
        yield pool
