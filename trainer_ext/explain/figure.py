"""A score's pairs as a figure: under every token two bars, one for the summary and one for the source."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quals.markup import BLUE, ORANGE, printable, signed, token_texts

from trainer_ext.explain import NO_PAIRS, Explanation
from trainer_ext.io.atomic import replacing

if TYPE_CHECKING:
    from matplotlib.font_manager import FontProperties
    from quals.results import ScoredPair

FIGURE_SUFFIXES = (".png", ".svg")

# Inches.
_WIDTH, _MARGIN, _GUTTER = 11.0, 0.45, 0.4
_BARS = 1.1  # height of the bars' area
_BAR, _CELL = 0.14, 0.4  # width of a bar, least width of a token
_WORD_ROW, _STRIP_GAP, _PAIR_GAP = 0.28, 0.16, 0.42
_LONGEST_WORD = 2.2
_DPI = 160
_LONGEST_SIDE = 60_000  # pixels; the renderer takes 2^16

_INK, _MUTED, _GRID, _TINT = "#1b1f24", "#626a73", "#dfe3e8", "#f3f5f7"
# matplotlib's own font lacks these scripts; where one of the fonts is installed, it fills in.
_FALLBACK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
    "Noto Emoji",
    "Symbola",
)


def require_matplotlib() -> None:
    """Find out before the work whether a figure can be drawn.

    Raises:
        ValueError: matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ValueError(
            "PNG and SVG need matplotlib, which is not installed: pip install 'quals[plot]', or give an output that "
            "ends in .html."
        ) from error


def write_figure(explanation: Explanation, path: Path) -> None:
    """Draw an explanation as PNG or SVG, by the suffix; ``path`` changes only on success.

    Raises:
        ValueError: matplotlib is not installed.
        OSError: the file could not be written.
    """
    require_matplotlib()
    import matplotlib

    kind = path.suffix.lower().removeprefix(".")
    # The same explanation gives the same bytes (no date, no random ids); without hinting a text is as wide as measured.
    settings: dict[Any, Any] = {"svg.hashsalt": "quals", "text.hinting": "none"}
    with matplotlib.rc_context(settings), warnings.catch_warnings(), replacing(path) as file:
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")  # a box for a letter that no font has is enough
        page = _Page(explanation)
        dpi = min(_DPI, _LONGEST_SIDE / page.height)
        page.figure.savefig(file, format=kind, dpi=dpi, metadata={"Date": None} if kind == "svg" else None)


@dataclass(frozen=True)
class _Cell:
    """A token on the page: its text, width in inches, log-probabilities, and whether it is of the answer."""

    text: str
    width: float
    values: tuple[float, float]
    is_answer: bool
    is_mark: bool


class _Page:
    """One sheet with x to the right and y down, both in inches, so that the content decides on its size."""

    def __init__(self, explanation: Explanation) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.font_manager import fontManager

        installed = {font.name for font in fontManager.ttflist}
        self._family = ["DejaVu Sans", *(name for name in _FALLBACK_FONTS if name in installed)]
        self.figure = Figure(figsize=(_WIDTH, 1.0), dpi=_DPI, facecolor="white")
        self._renderer = FigureCanvasAgg(self.figure).get_renderer()
        self._depth = explanation.depth
        self._axes: Any = self.figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()
        y = self._header(explanation, _MARGIN)
        for number, pair in enumerate(explanation.worst_first, start=1):
            y = self._pair(number, pair, y + _PAIR_GAP)
        self.height = y + _MARGIN
        self._axes.set(xlim=(0, _WIDTH), ylim=(self.height, 0))
        self.figure.set_size_inches(_WIDTH, self.height)

    def _header(self, explanation: Explanation, y: float) -> float:
        scored = bool(explanation.result.pairs)
        headline = explanation.headline.replace("-", "\N{MINUS SIGN}") if scored else "QUALS undefined"
        y = self._paragraph(headline, y, size=15, weight="bold")
        y = self._paragraph(f"\u201c{printable(explanation.summary)}\u201d", y + 0.04, size=10.5, lines=4)
        for note in explanation.notes:
            y = self._paragraph(note, y + 0.02, size=9, color=_MUTED)
        if not scored:
            return self._paragraph(NO_PAIRS, y + 0.25, size=11, color=_MUTED)
        y += 0.2
        x = _MARGIN
        for color, text in ((BLUE, "under the summary"), (ORANGE, "under the source")):
            self._bar(x, y - 0.06, 0.13, 0.13, color)
            x += 0.2 + self._text(x + 0.2, y, text, size=9.5) + 0.25
        self._text(x, y, "log-probability of each token in nats: the longer, the less expected", 9.5, color=_MUTED)
        return y + 0.1

    def _pair(self, number: int, pair: ScoredPair, y: float) -> float:
        title = f"{printable(pair.question)}  \N{RIGHTWARDS ARROW}  {printable(pair.answer)}"
        self._text(_MARGIN, y + _line_height(11.5) / 2, str(number), 11.5, weight="bold", color=_MUTED)
        y = self._paragraph(title, y, size=11.5, weight="bold", lines=3, indent=_GUTTER)
        likelihoods = f"source {signed(pair.log_likelihood_source)},  summary {signed(pair.log_likelihood_summary)}"
        numbers = f"difference {signed(pair.score)}   ({likelihoods})"
        y = self._paragraph(numbers.replace("-", "\N{MINUS SIGN}"), y + 0.01, size=9.5, color=_MUTED, indent=_GUTTER)
        for strip in self._strips(pair):
            y = self._strip(strip, y + _STRIP_GAP)
        return y

    def _strip(self, cells: Sequence[_Cell], y: float) -> float:
        """Draw tokens from left to right, their bars hanging from the line below them."""
        x, top = _MARGIN + _GUTTER, y + _WORD_ROW
        right = x + sum(cell.width for cell in cells)
        left = x
        for cell in cells:
            if cell.is_answer:
                self._bar(left, y, cell.width, _WORD_ROW + _BARS, _TINT, zorder=0)
            left += cell.width
        for tick in _ticks(self._depth):
            level = top + _BARS * tick / self._depth
            self._axes.plot([x, right], [level, level], color=_MUTED if tick == 0 else _GRID, linewidth=0.8, zorder=1)
            self._text(x - 0.08, level, f"\N{MINUS SIGN}{tick}" if tick else "0", size=8, color=_MUTED, align="right")
        for cell in cells:
            middle = x + cell.width / 2
            self._text(
                middle,
                y + _WORD_ROW / 2,
                cell.text,
                size=9.5,
                color=_MUTED if cell.is_mark else _INK,
                weight="bold" if cell.is_answer and not cell.is_mark else "normal",
                align="center",
            )
            for value, color, offset in zip(cell.values, (BLUE, ORANGE), (-_BAR - 0.01, 0.01), strict=True):
                depth = min(-value, self._depth) if not math.isnan(value) else 0.0
                self._bar(middle + offset, top, _BAR, max(0.012, _BARS * depth / self._depth), color, zorder=2)
            x += cell.width
        return top + _BARS

    def _strips(self, pair: ScoredPair) -> list[list[_Cell]]:
        """The pair's tokens in lines that fit the page; a pair that does not fit one breaks before its answer."""
        cells = self._cells(pair)
        room = _WIDTH - 2 * _MARGIN - _GUTTER
        if sum(cell.width for cell in cells) <= room:
            return [cells]
        strips: list[list[_Cell]] = []
        for part in (cells[: pair.answer_tokens], cells[pair.answer_tokens :]):
            strips.append([])
            for cell in part:
                if strips[-1] and sum(other.width for other in strips[-1]) + cell.width > room:
                    strips.append([])
                strips[-1].append(cell)
        return strips

    def _cells(self, pair: ScoredPair) -> list[_Cell]:
        cells = []
        values = zip(pair.token_log_probs_summary, pair.token_log_probs_source, strict=True)
        for place, (text, both) in enumerate(zip(token_texts(pair), values, strict=True)):
            is_answer = place >= pair.answer_tokens
            is_mark = place in (pair.answer_tokens - 1, len(pair.tokens) - 1)
            font = self._font(9.5, "bold" if is_answer and not is_mark else "normal")
            shown = self._shorten(text, _LONGEST_WORD, font)
            cells.append(_Cell(shown, max(_CELL, self._measure(shown, font) + 0.12), both, is_answer, is_mark))
        return cells

    def _paragraph(
        self,
        text: str,
        y: float,
        *,
        size: float,
        weight: str = "normal",
        color: str = _INK,
        lines: int = 2,
        indent: float = 0.0,
    ) -> float:
        """Wrapped text from ``y`` down; returns where it ends."""
        font, height = self._font(size, weight), _line_height(size)
        for line in self._wrap(text, _WIDTH - 2 * _MARGIN - indent, font, lines):
            self._text(_MARGIN + indent, y + height / 2, line, size, weight=weight, color=color)
            y += height
        return y

    def _wrap(self, text: str, room: float, font: FontProperties, most: int) -> list[str]:
        lines, line = [], ""
        for word in text.split(" "):
            if line and self._measure(f"{line} {word}", font) > room:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
            if len(lines) == most:
                break
        else:
            lines.append(line)
        if len(lines) == most and not text.endswith(lines[-1]):
            lines[-1] += " \N{HORIZONTAL ELLIPSIS}"
        return [self._shorten(line, room, font) for line in lines]

    def _shorten(self, text: str, room: float, font: FontProperties) -> str:
        """``text``, or as much of its beginning as fits, and an ellipsis."""
        if len(text) <= 400 and self._measure(text, font) <= room:
            return text
        fits, most = 0, min(len(text), 400)
        while fits < most:
            half = (fits + most + 1) // 2
            if self._measure(text[:half] + "\N{HORIZONTAL ELLIPSIS}", font) <= room:
                fits = half
            else:
                most = half - 1
        return text[:fits] + "\N{HORIZONTAL ELLIPSIS}"

    def _text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        *,
        weight: str = "normal",
        color: str = _INK,
        align: str = "left",
    ) -> float:
        """Draw one line around the height ``y``; returns its width in inches."""
        font = self._font(size, weight)
        # parse_math=False: a dollar sign is a dollar sign.
        self._axes.text(
            x, y, text, fontproperties=font, color=color, ha=align, va="center_baseline", parse_math=False, zorder=3
        )
        return self._measure(text, font)

    def _bar(self, x: float, y: float, width: float, height: float, color: str, zorder: int = 2) -> None:
        from matplotlib.patches import Rectangle

        # add_artist, because add_patch updates data limits that nobody reads, at half the cost of the figure.
        self._axes.add_artist(Rectangle((x, y), width, height, facecolor=color, edgecolor="none", zorder=zorder))

    def _measure(self, text: str, font: FontProperties) -> float:
        """Width in inches."""
        width, _, _ = self._renderer.get_text_width_height_descent(text, font, ismath=False)
        return float(width / self.figure.dpi)

    def _font(self, size: float, weight: str) -> FontProperties:
        from matplotlib.font_manager import FontProperties

        return FontProperties(family=self._family, size=size, weight=weight)


def _line_height(size: float) -> float:
    """Inches from one line to the next at a font size in points."""
    return size / 72 * 1.45


def _ticks(depth: int) -> list[int]:
    """Whole nats for the scale: 0, the end, and one or two between."""
    step = max(1, math.ceil(depth / 3))
    return [*range(0, depth - step // 2, step), depth]
