"""How much of the page's queue one visitor may take."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import gradio as gr


def bound_visitors(page: gr.Blocks, most: Mapping[str, int]) -> None:
    """Refuse what one visitor sends while ``most`` calls from the same address wait or run.

    Gradio bounds its queue for all visitors together, and one with twenty tabs fills that. It has no option for this,
    so its queue is asked here before it takes a call (Gradio 6.31).

    Args:
        page: its queue must have been configured.
        most: calls per address, by the queue's ``concurrency_id``; each is 1 or more.
    """
    queue = page._queue
    push = queue.push

    async def bounded(body: Any, request: Any, username: str | None) -> Any:
        kind = page.fns[body.fn_index].concurrency_id if body.fn_index in page.fns else ""
        running = [event for job in queue.active_jobs for event in job or ()]
        known = [
            *running,
            *(event for waiting in queue.event_queue_per_concurrency_id.values() for event in waiting.queue),
        ]
        visitor = address(request)
        own = sum(event.concurrency_id == kind and address(event.request) == visitor for event in known)
        if own >= most.get(kind or "", own + 1):
            # Not as a full queue: for that the page says a sentence of its own, that the server is busy.
            return False, f"{own} of your {kind} wait or are being scored: send the next when one is done.", "error"
        return await push(body=body, request=request, username=username)

    queue.push = bounded  # type: ignore[method-assign]


def address(request: Any) -> str:
    """Where a call comes from.

    In a Space that is what its proxy says, which a visitor can forge; elsewhere it is the other end of the connection.
    """
    forwarded = request.headers.get("x-forwarded-for", "") if os.environ.get("SPACE_ID") else ""
    return str(forwarded.split(",")[0].strip() or (request.client.host if request.client else ""))
