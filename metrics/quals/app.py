"""The metric's Space: paste a document and a summary, see the score and the reasons. ``quals app`` runs it anywhere."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from threading import Lock
from typing import Any

import evaluate
import gradio as gr

if not __package__:  # a Space runs this file as a script: its folder is registered as the package
    spec = ModuleSpec("quals", None, is_package=True)
    spec.submodule_search_locations = [str(Path(__file__).parent)]
    sys.modules["quals"] = module_from_spec(spec)
    __package__ = "quals"

from .app_files import MOST_BYTES, MOST_ROWS, SUFFIXES, read_table, write_scored
from .app_view import STYLE, Scored, pair_detail, pair_label, problem, reading, table_reading
from .example_texts import EXAMPLES
from .markup import depth
from .published import PUBLISHED
from .results import ScoredPair

MOST_CHARACTERS = {"document": 100_000, "summary": 5_000}
_WAITING = 20  # visitors; more are told to come again
_BATCH = 8  # rows between two looks of the progress bar
_KEPT = 3600  # seconds that uploaded and scored files stay
_HIDDEN: dict[str, Any] = {"api_visibility": "private"}
# Out of the queue, and of several clicks the last counts.
_CHEAP: dict[str, Any] = {"queue": False, "show_progress": "hidden", "trigger_mode": "always_last", **_HIDDEN}
_MODEL: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1, **_HIDDEN}
_PAPER = "https://arxiv.org/abs/2105.04623"
_FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
# Gradio has no option for it: screen readers say what changes in these.
_ANNOUNCE = """
() => {
  const announce = () => ["reading", "detail", "file-reading"].forEach((id) => {
    const part = document.getElementById(id);
    if (part && !part.hasAttribute("aria-live")) { part.setAttribute("aria-live", "polite"); }
  });
  announce();
  new MutationObserver(announce).observe(document.body, { childList: true, subtree: true });
}
"""


class App:
    """The metric behind the page.

    Args:
        checkpoint: QAGen; None is the metric's own.
        device: where it computes; None is the best there is.
    """

    def __init__(self, checkpoint: str | None = None, device: str | None = None) -> None:
        self._metric: Any = evaluate.load(str(Path(__file__).with_name("quals.py")), checkpoint)
        self._device = device
        self._lock = Lock()  # evaluate's metrics take one computation at a time
        example = next(iter(EXAMPLES.values()))
        self.score(*example)  # a device that is not there is known at once, and the first visitor does not wait

    def score(self, document: str, summary: str) -> Scored:
        """Score one summary.

        Raises:
            ValueError: a text is missing or too long; the message says what to do.
        """
        for name, text in (("document", document), ("summary", summary)):
            if not text.strip():
                raise ValueError(f"There is no {name}: paste one, or pick an example.")
            _check_length(name, text, "paste a part of it")
        found = self._compute([summary], [document], token_log_probs=True)
        pairs = sorted((ScoredPair.from_dict(pair) for pair in found["pairs"][0]), key=lambda pair: pair.score)
        windows = "The document was read in overlapping windows; each pair counts with the one that supports it best."
        cut = "The end of the summary was not read."
        notes = [
            note for note, holds in ((windows, found["windowed_sources"]), (cut, found["truncated_summaries"])) if holds
        ]
        return Scored(document, summary, found["scores"][0], tuple(pairs), tuple(notes), found["signature"])

    def score_file(self, path: Path, told: Callable[[int, int], object]) -> tuple[list[float], Path]:
        """Score a file's rows; returns the scores, and the file with them.

        Args:
            path: what was uploaded.
            told: called now and then with the rows done, and all.

        Raises:
            ValueError: the file cannot be scored; the message says what to do.
        """
        table = read_table(path)
        total = len(table.sources)
        for number, (source, summary) in enumerate(zip(table.sources, table.summaries, strict=True), start=1):
            _check_length("document", source, f"cut it in row {number}")
            _check_length("summary", summary, f"cut it in row {number}")
        scores: list[float] = []
        num_pairs: list[int] = []
        for first in range(0, total, _BATCH):
            part = slice(first, first + _BATCH)
            found = self._compute(list(table.summaries[part]), list(table.sources[part]))
            scores += found["scores"]
            num_pairs += found["num_pairs"]
            told(len(scores), total)
        # Within Gradio's own folder, which it clears of old files.
        cache = Path(gr.utils.get_upload_folder())
        cache.mkdir(parents=True, exist_ok=True)
        return scores, write_scored(table, scores, num_pairs, Path(tempfile.mkdtemp(dir=cache)))

    def _compute(self, summaries: list[str], sources: list[str], **options: Any) -> dict[str, Any]:
        with self._lock:
            found: dict[str, Any] = self._metric.compute(
                predictions=summaries, sources=sources, device=self._device, progress=False, **options
            )
        return found


def build(app: App) -> gr.Blocks:
    """The page."""

    def on_score(document: str, summary: str) -> tuple[Any, ...]:
        try:
            scored = app.score(document or "", summary or "")
        except ValueError as error:
            return problem(str(error)), gr.Radio(choices=[], visible=False), "", None
        choices = [(pair_label(pair), place) for place, pair in enumerate(scored.pairs)]
        pairs = gr.Radio(choices=choices, value=0 if choices else None, visible=bool(choices))
        return reading(scored), pairs, _detail(scored, 0), scored

    def on_pair(place: int | None, scored: Scored | None) -> str:
        return "" if scored is None or place is None else _detail(scored, place)

    def on_file(path: str | None, progress: gr.Progress = gr.Progress()) -> tuple[str, Any]:  # noqa: B008  # as Gradio wants it
        if path is None:
            return problem("There is no file: choose one first."), gr.DownloadButton(visible=False)
        try:
            scores, scored = app.score_file(Path(path), lambda done, of: progress((done, of), unit="rows"))
        except ValueError as error:
            return problem(str(error)), gr.DownloadButton(visible=False)
        return table_reading(scores), gr.DownloadButton(value=scored, visible=True)

    with gr.Blocks(title="QUALS", analytics_enabled=False, delete_cache=(_KEPT, _KEPT)) as page:
        gr.Markdown(_introduction())
        with gr.Tab("One summary"):
            example = gr.Dropdown(list(EXAMPLES), value=None, label="Example; or paste texts of your own below")
            with gr.Row():
                document = gr.Textbox(label="Document", lines=10, max_lines=16, min_width=320)
                summary = gr.Textbox(label="Summary", lines=10, max_lines=16, min_width=320)
            button = gr.Button("Score the summary", variant="primary")
            state = gr.State()
            result = gr.HTML(elem_id="reading")
            pairs = gr.Radio(label="Question-answer pairs, worst first", visible=False, elem_id="pairs")
            detail = gr.HTML(elem_id="detail")
            example.input(lambda name: EXAMPLES.get(name, ("", "")), example, [document, summary], **_CHEAP)
            button.click(on_score, [document, summary], [result, pairs, detail, state], **_MODEL)
            pairs.input(on_pair, [pairs, state], detail, **_CHEAP)
        with gr.Tab("A file of many"):
            gr.Markdown(
                f"CSV or JSON lines with columns `source` and `summary`, {MOST_ROWS} rows and "
                f"{MOST_BYTES // 1_000_000} MB at most. You get it back with the columns `quals` and `num_pairs`."
            )
            upload = gr.File(label="File", file_types=list(SUFFIXES), type="filepath")
            start = gr.Button("Score the file", variant="primary")
            file_result = gr.HTML(elem_id="file-reading")
            download = gr.DownloadButton("Download the scores", visible=False)
            start.click(on_file, upload, [file_result, download], **_MODEL)
        gr.Markdown(_caveats())
    page.queue(max_size=_WAITING, api_open=False)
    return page


def launch(checkpoint: str | None = None, device: str | None = None, **options: Any) -> None:
    """Serve the page until it is stopped; options as for Gradio's ``launch``."""
    build(App(checkpoint, device)).launch(
        css=STYLE,
        js=_ANNOUNCE,
        theme=gr.themes.Default(font=_FONTS),
        max_file_size=MOST_BYTES,
        ssr_mode=False,
        footer_links=["gradio", "settings"],
        **options,
    )


def _detail(scored: Scored, place: int) -> str:
    return pair_detail(scored, place, depth(scored.pairs)) if scored.pairs else ""


def _check_length(name: str, text: str, advice: str) -> None:
    if len(text) > MOST_CHARACTERS[name]:
        raise ValueError(
            f"The {name} has {len(text):,} characters, and here it may have {MOST_CHARACTERS[name]:,}: {advice}, or "
            "score it with `quals score`, which has no such limit."
        )


def _introduction() -> str:
    return (
        "# QUALS\n\nDoes a summary state what its document states? A model asks questions of the summary, answers them "
        "from it, and compares how likely the same questions and answers are given the document "
        f"([Nan et al. 2021]({_PAPER}))."
    )


def _caveats() -> str:
    space = os.environ.get("SPACE_ID")
    links = [f"[The metric's card](https://huggingface.co/spaces/{space}/blob/main/README.md)"] if space else []
    if PUBLISHED is not None:
        links.append(f"[its model](https://huggingface.co/{PUBLISHED[0]}/tree/{PUBLISHED[1]})")
    return (
        "A score is no verdict. Wording weighs in it, English only is read, and order, direction and who did what to "
        f"whom are often missed. {', '.join(links)}"
    )


if __name__ == "__main__":
    launch()
