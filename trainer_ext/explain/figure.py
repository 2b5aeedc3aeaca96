"""A result's worst pairs as a picture: two bars per word, one given the summary and one given the source."""

from __future__ import annotations

import math
import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quals.markup import BLUE, NO_PAIRS, ORANGE, depth, grid_step, headline, judgement, signed, with_minus
from quals.words import ScoredWord, printable, scored_words, unsupported_words

from trainer_ext.io.atomic import replacing

if TYPE_CHECKING:
    from quals.results import QualsResult

FIGURE_SUFFIXES = (".png", ".svg")

_PAIRS = 3
_WIDTH, _LEFT, _ROOM = 8.0, 0.55, 7.25  # inches, as all lengths here; the words' line has _ROOM
_BARS, _TITLE, _WORDS, _LINE = 0.85, 0.34, 0.4, 0.2  # heights of bars, title, words and a line of text
_SCALE = "A bar shows how unexpected a word is: its negative log-probability in nats."
_LETTER, _PAD, _LONGEST = 0.078, 0.14, 24  # width of a letter, room around a word, letters shown of a word
_DPI = 160
_LIGHT = {"ink": "#1b1f24", "muted": "#5b636d", "paper": "#ffffff", "tint": "#eef1f4", "line": "#dfe3e8"}
_LIGHT |= {"summary": BLUE, "source": ORANGE, "mark": "#fbd9a8"}
_DARK = {"ink": "#e8eaed", "muted": "#a3abb5", "paper": "#0d1117", "tint": "#20262e", "line": "#343b44"}
_DARK |= {"summary": "#56b4e9", "source": "#f0a030", "mark": "#6b4412"}
# matplotlib's own font lacks these scripts; those of the fonts that are installed fill in.
_FALLBACK_FONTS = ("Noto Sans CJK SC", "WenQuanYi Zen Hei", "PingFang SC", "Microsoft YaHei", "Noto Sans Arabic")


def write_figure(result: QualsResult, path: Path, dark: bool = False) -> None:
    """Draw a result's worst three pairs as PNG or SVG, by the suffix; ``path`` changes only on success.

    The same result gives the same bytes.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: the file could not be written.
    """
    import matplotlib
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    settings: dict[Any, Any] = {"svg.hashsalt": "quals", "text.parse_math": False, "font.size": 9}
    settings["font.family"] = ["DejaVu Sans", *(name for name in _FALLBACK_FONTS if name in installed)]
    kind = path.suffix.lower().removeprefix(".")
    with matplotlib.rc_context(settings), warnings.catch_warnings(), replacing(path) as file:
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")  # a box for a letter that no font has is enough
        figure = _figure(result, _DARK if dark else _LIGHT)
        figure.savefig(file, format=kind, dpi=_DPI, metadata={"Date": None} if kind == "svg" else None)


def _figure(result: QualsResult, colors: dict[str, str]) -> Any:
    from matplotlib.figure import Figure

    pairs = result.worst_first[:_PAIRS]
    strips = [(pair, part, line) for pair in pairs for part, line in enumerate(_lines(scored_words(pair)))]
    heights = [_BARS + _WORDS + (0 if part else _TITLE) for _, part, _ in strips]
    sentences = [judgement(result.pairs), *result.notes, _SCALE] if pairs else [NO_PAIRS, *result.notes]
    lines = [line for sentence in sentences for line in textwrap.wrap(sentence, 105)]
    summary = textwrap.wrap(printable(result.summary), 92, max_lines=4, placeholder=" \N{HORIZONTAL ELLIPSIS}")
    head = _LINE * (len(lines) + 1.2 * len(summary) + (3.6 if pairs else 2.2))
    height = head + sum(heights)
    figure = Figure(figsize=(_WIDTH, height), facecolor=colors["paper"])
    longest = depth(pairs)
    _header(_axes(figure, 0.0, head, _ROOM), result, lines, summary, colors)
    top = head
    for (pair, part, line), taken in zip(strips, heights, strict=True):
        axes = _axes(figure, top + (0 if part else _TITLE), _BARS, line[-1][0] + line[-1][1])
        if not part:
            said = printable(f"{pair.question} \N{RIGHTWARDS ARROW} {pair.answer}")
            title = f"{with_minus(signed(pair.score))} {said}"
            axes.set_title(
                textwrap.shorten(title, 88, placeholder="..."),
                loc="left",
                fontsize=10,
                weight="bold",
                color=colors["ink"],
            )
        _bars(axes, line, longest, colors)
        top += taken
    return figure


def _axes(figure: Any, top: float, height: float, width: float) -> Any:
    """Axes from ``top`` down, with inches as the unit of x."""
    whole = figure.get_size_inches()[1]
    box = (_LEFT / _WIDTH, 1 - (top + height) / whole, width / _WIDTH, height / whole)
    axes = figure.add_axes(box, xlim=(0, width), facecolor="none")
    axes.spines[:].set_visible(False)
    return axes


def _header(axes: Any, result: QualsResult, lines: list[str], summary: list[str], colors: dict[str, str]) -> None:
    """The score, one sentence on it, the summary with its unsupported words marked, and the legend."""
    from matplotlib.offsetbox import AnchoredOffsetbox, HPacker, TextArea, VPacker
    from matplotlib.patches import Patch

    def text(words: str, size: float = 9, color: str = "ink", **options: Any) -> Any:
        return TextArea(words, textprops={"size": size, "color": colors[color], **options})

    marks = {result.summary[word.start : word.end] for word in unsupported_words(result.summary, result.pairs)}
    marked: dict[str, Any] = {"weight": "bold", "bbox": {"facecolor": colors["mark"], "edgecolor": "none", "pad": 1.5}}
    title = with_minus(headline(result.score, result.pairs)) if result.pairs else "QUALS undefined"
    rows = [text(title, 14, weight="bold"), *(text(line, color="muted") for line in lines)]
    for line in summary:
        words = [text(word, 10, **(marked if word.strip(".,;:!?\"'()") in marks else {})) for word in line.split(" ")]
        rows.append(HPacker(children=words, pad=0, sep=3.5))
    place: dict[str, Any] = {"pad": 0, "borderpad": 0, "frameon": False, "bbox_transform": axes.transAxes}
    child = VPacker(children=rows, pad=0, sep=5)
    axes.add_artist(AnchoredOffsetbox("upper left", child=child, bbox_to_anchor=(-0.03, 0.95), **place))
    axes.set_axis_off()
    if result.pairs:
        names = {"summary": "given the summary", "source": "given the source"}
        names["mark"] = "far less likely given the source"
        style = {"fontsize": 9, "labelcolor": colors["ink"], "handlelength": 0.9, "handleheight": 0.9}
        handles = [Patch(color=colors[color], label=name) for color, name in names.items()]
        where = {"loc": "lower left", "bbox_to_anchor": (-0.035, 0), "frameon": False, "borderpad": 0}
        axes.legend(handles=handles, ncols=3, columnspacing=1.4, **style, **where)


def _lines(words: Sequence[ScoredWord]) -> list[list[tuple[float, float, ScoredWord]]]:
    """The words in lines that fit, each with its left edge and its width; a long pair breaks before its arrow."""
    widths = [max(0.36, _LETTER * min(_LONGEST, len(word.text)) + _PAD) for word in words]
    is_long = sum(widths) > _ROOM
    lines: list[list[tuple[float, float, ScoredWord]]] = []
    left = math.inf
    for word, width in zip(words, widths, strict=True):
        if left + width > _ROOM or (is_long and word.is_mark and not word.is_answer):
            lines.append([])
            left = 0.0
        lines[-1].append((left, width, word))
        left += width
    return lines


def _bars(axes: Any, line: list[tuple[float, float, ScoredWord]], longest: int, colors: dict[str, str]) -> None:
    """Two bars per word, and the words below them."""
    middles = [left + width / 2 for left, width, _ in line]
    for side, name in ((-0.07, "summary"), (0.07, "source")):
        values = [min(longest, -getattr(word, name)) for _, _, word in line]
        axes.bar([x + side for x in middles], values, width=0.13, color=colors[name], zorder=2)
    for left, width, word in line:
        if word.is_answer and not word.is_mark:
            axes.axvspan(left, left + width, color=colors["tint"], zorder=0)
    step = grid_step(longest)
    axes.set_ylim(0, longest)
    axes.set_yticks(range(0, longest + 1, step))
    axes.grid(axis="y", color=colors["line"], linewidth=0.6, zorder=1)
    axes.axhline(0, color=colors["muted"], linewidth=0.8, zorder=3)
    axes.set_xticks(middles, [textwrap.shorten(word.text, _LONGEST) or word.text[:_LONGEST] for _, _, word in line])
    axes.tick_params(length=0, labelcolor=colors["muted"], labelsize=8)
    axes.set_ylabel("nats", color=colors["muted"], fontsize=8, labelpad=3)
    for label, (_, _, word) in zip(axes.get_xticklabels(), line, strict=True):
        label.set(color=colors["muted" if word.is_mark else "ink"], fontsize=9)
        if word.is_answer and not word.is_mark:
            label.set_weight("bold")
        if word.is_deciding:
            label.set_bbox({"facecolor": colors["mark"], "edgecolor": "none", "pad": 1.5})
