"""Pictures as files: PNG or SVG, the same picture in the same bytes, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer_ext.io.atomic import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURE_SUFFIXES = (".png", ".svg")
INK, MUTED, LINE = "#1b1f24", "#626a73", "#dfe3e8"
# Typed text is never read as mathematics.
_SETTINGS = {"svg.hashsalt": "quals", "text.parse_math": False, "font.family": "DejaVu Sans", "font.size": 9}


@contextmanager
def picture_file(path: Path, settings: Mapping[str, Any] | None = None) -> Iterator[Callable[[Figure], None]]:
    """What saves a figure, drawn in this context, as PNG or SVG by the suffix of ``path``.

    Args:
        path: changes only on success.
        settings: matplotlib's, beside those of all pictures here.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: the file could not be written.
    """
    import matplotlib

    kind = path.suffix.lower().removeprefix(".")
    looks: dict[Any, Any] = {**_SETTINGS, **(settings or {})}
    with matplotlib.rc_context(looks), replacing(path) as file:
        yield lambda figure: figure.savefig(
            file, format=kind, dpi=160, metadata={"Date": None} if kind == "svg" else None
        )
