"""Hooks that a module has once: a copy of a module has its original's, and is not hooked again."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

import torch

_hooking = Lock()


def hook_once(module: torch.nn.Module, name: str, *registrations: Callable[[torch.nn.Module], Any]) -> None:
    """Register hooks on ``module``, for ever, unless this was done under this name.

    Args:
        module: a model is shared by all threads, so its hooks decide by a context of the call what to do.
        name: evaluate imports copies of files under other names, and each copy needs its own: give ``__name__``.
        registrations: each registers one.
    """
    with _hooking:
        # Copying and pickling a module keep its hooks, and so must they keep this.
        names = module.__dict__.setdefault("_quals_hooks", set())
        if name not in names:
            for register in registrations:
                register(module)
            names.add(name)
