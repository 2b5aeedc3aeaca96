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

from trainer_ext.io.pictures import picture_file

if TYPE_CHECKING:
    from quals.results import QualsResult

_PAIRS, _LONGEST = 3, 24  # pairs in the picture, letters shown of a word
_WIDTH, _ROOM, _LETTER, _LINE, _STRIP = 8.0, 7.2, 0.078, 0.24, 1.5  # inches: picture, words, letter, text line, bars
_SCALE = "A bar shows how unexpected a word is: its negative log-probability in nats."
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
    from matplotlib.font_manager import fontManager

    colors, installed = _DARK if dark else _LIGHT, {font.name for font in fontManager.ttflist}
    settings: dict[str, Any] = {
        "font.family": ["DejaVu Sans", *(name for name in _FALLBACK_FONTS if name in installed)]
    }
    settings |= {"text.color": colors["ink"], "axes.labelcolor": colors["muted"], "grid.color": colors["line"]}
    with picture_file(path, settings) as save, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")  # a box for a letter that no font has is enough
        save(_figure(result, colors))


def _figure(result: QualsResult, colors: dict[str, str]) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    pairs = result.worst_first[:_PAIRS]
    strips = [(pair, part, line) for pair in pairs for part, line in enumerate(_lines(scored_words(pair)))]
    sentences = [judgement(result.pairs), *result.notes, _SCALE] if pairs else [NO_PAIRS, *result.notes]
    notes = [line for sentence in sentences for line in textwrap.wrap(sentence, 105)]
    summary = textwrap.wrap(printable(result.summary), 92, max_lines=4, placeholder=" \N{HORIZONTAL ELLIPSIS}")
    head = _LINE * (len(notes) + len(summary) + 3)
    layout = ConstrainedLayoutEngine(h_pad=0.09, w_pad=0.12)
    figure = Figure((_WIDTH, head + _STRIP * len(strips)), facecolor=colors["paper"], layout=layout)
    top, *rows = figure.subplots(1 + len(strips), 1, squeeze=False, height_ratios=[head] + [_STRIP] * len(strips))[:, 0]
    _header(top, result, notes, summary, colors)
    for axes, (pair, part, line) in zip(rows, strips, strict=True):
        if not part:
            said = printable(f"{pair.question} \N{RIGHTWARDS ARROW} {pair.answer}")
            title = f"{with_minus(signed(pair.score))} {said}"
            axes.set_title(textwrap.shorten(title, 88, placeholder="..."), loc="left", fontsize=10, weight="bold")
        _bars(axes, line, depth(pairs), colors)
    return figure


def _header(axes: Any, result: QualsResult, notes: list[str], summary: list[str], colors: dict[str, str]) -> None:
    """The score, sentences on it, the summary with its unsupported words marked, and the legend."""
    from matplotlib.offsetbox import AnchoredOffsetbox, HPacker, TextArea, VPacker
    from matplotlib.patches import Patch

    axes.set_axis_off()
    marks = {result.summary[word.start : word.end] for word in unsupported_words(result.summary, result.pairs)}
    marked: dict[str, Any] = {"weight": "bold", "bbox": {"facecolor": colors["mark"], "edgecolor": "none", "pad": 1.5}}
    title = with_minus(headline(result.score, result.pairs)) if result.pairs else "QUALS undefined"
    rows: list[Any] = [TextArea(title, textprops={"size": 14, "weight": "bold"})]
    rows += [TextArea(note, textprops={"color": colors["muted"]}) for note in notes]
    for line in summary:
        looks = [(word, marked if word.strip(".,;:!?\"'()") in marks else {}) for word in line.split(" ")]
        words: list[Any] = [TextArea(word, textprops={"size": 10, **look}) for word, look in looks]
        rows.append(HPacker(children=words, pad=0, sep=3.5))
    child = VPacker(children=rows, pad=0, sep=5)
    axes.add_artist(AnchoredOffsetbox("upper left", child=child, pad=0, borderpad=0, frameon=False))
    if result.pairs:
        names = {"summary": "given the summary", "source": "given the source"}
        names |= {"mark": "far less likely given the source"}
        handles = [Patch(color=colors[color], label=name) for color, name in names.items()]
        axes.legend(
            handles=handles, ncols=3, loc="lower left", frameon=False, borderaxespad=0, borderpad=0, handlelength=1
        )


def _lines(words: Sequence[ScoredWord]) -> list[list[tuple[float, float, ScoredWord]]]:
    """The words in lines that fit, each with its left edge and its width; a long pair breaks before its arrow."""
    widths = [max(0.36, _LETTER * min(_LONGEST, len(word.text)) + 0.14) for word in words]
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
    axes.set(xlim=(0, _ROOM), ylim=(0, longest), ylabel="nats", facecolor="none")
    axes.set_yticks(range(0, longest + 1, grid_step(longest)))
    axes.set_xticks(middles, [textwrap.shorten(word.text, _LONGEST) or word.text[:_LONGEST] for _, _, word in line])
    axes.grid(axis="y", linewidth=0.6, zorder=1)
    axes.tick_params(length=0, labelcolor=colors["muted"])
    axes.spines[:].set_visible(False)
    for label, (left, width, word) in zip(axes.get_xticklabels(), line, strict=True):
        label.set_color(colors["muted" if word.is_mark else "ink"])
        if word.is_answer and not word.is_mark:
            label.set_weight("bold")
            axes.axvspan(left, left + width, color=colors["tint"], zorder=0)
        if word.is_deciding:
            label.set_bbox({"facecolor": colors["mark"], "edgecolor": "none", "pad": 1.5})
