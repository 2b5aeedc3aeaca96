"""The page of the metric: paste a document and a summary, see the score and its reasons; or upload a file of many."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import gradio as gr

from .example_texts import EXAMPLES
from .markup import depth
from .page_files import KEPT, MOST_BYTES, MOST_ROWS, SUFFIXES, check_length, read_upload, uploads_folder, write_scored
from .page_view import STYLE, pair_detail, pair_label, problem, progress, reading, table_reading
from .page_visitors import bound_visitors
from .published import PUBLISHED
from .results import QualsResult
from .scorer import QualsScorer

_FIRST = "The ice: wrong country, wrong year"  # the example that the page starts with
_WAITING = 20  # calls; visitors with more are told to come again
_MOST = {"texts": 4, "files": 2}  # calls of one visitor that wait or run
_REFUSED = (
    "This was not scored. Either the server failed, or too much is waiting. One visitor may have "
    f"{_MOST['texts']} texts and {_MOST['files']} files there. Try again later."
)
_BATCH = 4  # rows between two looks of the progress bar, and between a file and other visitors' texts
_HIDDEN: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
# Out of the queue, and of several clicks the last counts.
_CHEAP: dict[str, Any] = {"queue": False, "trigger_mode": "always_last", **_HIDDEN}
# Files wait for files only, and texts for texts; what computes takes turns.
_TEXTS: dict[str, Any] = {"concurrency_id": "texts", "concurrency_limit": 1, **_HIDDEN}
_FILES: dict[str, Any] = {"concurrency_id": "files", "concurrency_limit": 1, **_HIDDEN}
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
    """The scorer behind the page.

    Args:
        checkpoint: folder or Hub name of a QAGen; None is the metric's own.
        device: where it computes; None is the best there is.

    Attributes:
        example: the result that the page starts with.

    Raises:
        ValueError: the checkpoint or the device cannot be used.
    """

    def __init__(self, checkpoint: str | None = None, device: str | None = None) -> None:
        self._scorer = QualsScorer(checkpoint, device=device)
        self._turns = Lock()
        self.example = self.score(*EXAMPLES[_FIRST])  # which warms the model up, too

    def score(self, document: str, summary: str) -> QualsResult:
        """Score one summary.

        Raises:
            ValueError: a text is missing or too long; the message says what to do.
        """
        for name, text in (("document", document), ("summary", summary)):
            if not text.strip():
                raise ValueError(f"There is no {name}: paste one, or pick an example.")
            check_length(name, text, "paste a part of it")
        return self.score_rows([document], [summary])[0]

    def score_rows(self, documents: list[str], summaries: list[str]) -> list[QualsResult]:
        """Score several summaries, when it is their turn."""
        with self._turns:
            return self._scorer.score(documents, summaries, progress=False)


def build(app: App) -> gr.Blocks:
    """The page."""

    def on_score(document: str | None, summary: str | None) -> tuple[Any, ...]:
        try:
            return _shown(app.score(document or "", summary or ""))
        except ValueError as error:
            return problem(str(error)), _pairs(None), "", None

    def on_pair(place: int | None, result: QualsResult | None) -> str:
        return "" if result is None or place is None else _detail(result, place)

    def on_file(path: str | None) -> Iterator[tuple[str, Any]]:
        hidden = gr.DownloadButton(visible=False)
        if path is None:
            yield problem("There is no file: choose one first."), hidden
            return
        try:
            upload = read_upload(Path(path))
            results: list[QualsResult] = []
            total = len(upload.rows)
            for first in range(0, total, _BATCH):
                # Gradio stops here once the visitor has left.
                yield progress(len(results), total, "rows"), hidden
                part = slice(first, first + _BATCH)
                results += app.score_rows(list(upload.sources[part]), list(upload.summaries[part]))
            scored = write_scored(upload, results, Path(gr.utils.get_upload_folder()))
        except ValueError as error:
            yield problem(str(error)), hidden
            return
        yield table_reading([result.score for result in results]), gr.DownloadButton(value=scored, visible=True)

    document_text, summary_text = EXAMPLES[_FIRST]
    with gr.Blocks(title="QUALS", analytics_enabled=False, delete_cache=(KEPT, KEPT)) as page:
        gr.Markdown(_introduction())
        with gr.Tab("One summary"):
            example = gr.Dropdown(list(EXAMPLES), value=_FIRST, label="Example; or paste your own texts below")
            with gr.Row():
                document = gr.Textbox(document_text, label="Document", lines=10, max_lines=16, min_width=320)
                summary = gr.Textbox(summary_text, label="Summary", lines=10, max_lines=16, min_width=320)
            button = gr.Button("Score the summary", variant="primary")
            state = gr.State(app.example)
            result = gr.HTML(reading(app.example), elem_id="reading")
            pairs = _pairs(app.example)
            detail = gr.HTML(_detail(app.example, 0), elem_id="detail")
            shown = [result, pairs, detail, state]
            example.input(lambda name: EXAMPLES.get(name, ("", "")), example, [document, summary], **_CHEAP)
            waiting = button.click(lambda: (progress(0, 1, "summary"), _pairs(None), "", None), None, shown, **_CHEAP)
            scored = waiting.then(on_score, [document, summary], shown, **_TEXTS)
            scored.failure(lambda: problem(_REFUSED), None, result, **_CHEAP)
            pairs.input(on_pair, [pairs, state], detail, **_CHEAP)
        with gr.Tab("A file of many"):
            gr.Markdown(
                f"CSV, TSV or JSON lines with columns `source` and `summary`, at most {MOST_ROWS} rows and "
                f"{MOST_BYTES // 1_000_000} MB. You get it back with the columns `quals` and `num_pairs`. The server "
                "keeps it for an hour."
            )
            upload = gr.File(label="File", file_types=list(SUFFIXES), type="filepath")
            start = gr.Button("Score the file", variant="primary")
            file_result = gr.HTML(elem_id="file-reading")
            download = gr.DownloadButton("Download the scores", visible=False)
            sent = start.click(lambda: progress(0, MOST_ROWS, "rows"), None, file_result, **_CHEAP)
            read = sent.then(on_file, upload, [file_result, download], **_FILES)
            read.failure(lambda: problem(_REFUSED), None, file_result, **_CHEAP)
        gr.Markdown(_caveats())
    page.queue(max_size=_WAITING, api_open=False)
    bound_visitors(page, _MOST)
    return page


def launch(checkpoint: str | None = None, device: str | None = None, **options: Any) -> None:
    """Serve the page until it is stopped.

    Args:
        checkpoint, device: as for :class:`App`.
        options: as for Gradio's ``launch``.
    """
    os.environ.setdefault("GRADIO_TEMP_DIR", str(uploads_folder()))
    if "run_history" in inspect.signature(gr.Blocks.launch).parameters:  # newer than Gradio 6.0
        options.setdefault("run_history", False)
    build(App(checkpoint, device)).launch(
        css=STYLE,
        js=_ANNOUNCE,
        theme=gr.themes.Default(font=_FONTS),
        max_file_size=MOST_BYTES,
        ssr_mode=False,
        footer_links=["gradio", "settings"],
        **options,
    )


def _shown(result: QualsResult) -> tuple[Any, ...]:
    return reading(result), _pairs(result), _detail(result, 0), result


def _pairs(result: QualsResult | None) -> gr.Radio:
    """The choice of a pair, worst first."""
    choices = [(pair_label(pair), place) for place, pair in enumerate(result.worst_first)] if result else []
    value, visible = (0, True) if choices else (None, False)
    label = "Question-answer pairs, worst first"
    return gr.Radio(choices=choices, value=value, visible=visible, label=label, elem_id="pairs")


def _detail(result: QualsResult, place: int) -> str:
    pairs = result.worst_first
    return pair_detail(result, pairs[place], depth(pairs)) if pairs else ""


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
        "A score is not a verdict. Wording matters, only English is read, and order, direction and who did what to "
        f"whom are often missed. {', '.join(links)}"
    )
