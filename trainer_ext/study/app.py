"""The pages and the four addresses behind them.

A rater's token stands behind the ``#`` of their link, so that it is in no log and no referrer, and comes as a header,
which another site's page cannot send: there is no cookie to abuse.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Collection
from dataclasses import asdict
from functools import cache
from importlib import resources
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from trainer_ext.study import ATTRIBUTES, CHOICES
from trainer_ext.study.guard import Guard
from trainer_ext.study.store import Study

LARGEST_BODY = 1024  # bytes; an answer has about 20
_BODY_SECONDS = 10.0  # to wait for a body
_MOST_SAVERS = 16  # threads
_LONGEST_TOKEN = 200
_MOST_DIGITS = 9  # digits of a place; SQLite takes 18
_KEYS = {attribute.key for attribute in ATTRIBUTES}
_ASSETS = {"/": "index.html", "/study.css": "study.css", "/study.js": "study.js"}
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


def make_app(study: Study, hostnames: Collection[str] = ()) -> ASGIApp:
    """The application.

    Args:
        study: the study to serve; it stays open.
        hostnames: see :class:`~trainer_ext.study.guard.HostNames`.
    """
    routes = [Route(path, _asset(name)) for path, name in _ASSETS.items()]
    routes += [
        Route("/api/session", _session),
        Route("/api/tasks/{place}", _task),
        Route("/api/tasks/{place}/{attribute}", _answer, methods=["PUT"]),
    ]
    handlers: Any = {HTTPException: _explain, OSError: _not_now}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    app.state.study = study
    # Around the whole application: as its middleware it would stand within the one that answers a defect of ours.
    return Guard(app, hostnames, "quals study serve --hostname")


def _asset(name: str) -> Any:
    """An endpoint for a file of the package; its name is never taken from a request."""
    content = (resources.files("trainer_ext.study") / "assets" / name).read_bytes()
    media_type = _TYPES[name[name.rindex(".") :]]

    async def endpoint(request: Request) -> Response:
        return Response(content, media_type=media_type)

    return endpoint


def _session(request: Request) -> Response:
    study, rater = _who(request)
    tasks, answers = study.answers(rater)
    return JSONResponse(
        {"attributes": [asdict(attribute) for attribute in ATTRIBUTES], "tasks": tasks, "answers": answers}
    )


def _task(request: Request) -> Response:
    study, rater = _who(request)
    task = study.task(rater, _place(request))
    if task is None:
        raise _no_such_task()
    return JSONResponse(task)


async def _answer(request: Request) -> Response:
    try:
        body = await asyncio.wait_for(_body(request), _BODY_SECONDS)
    except asyncio.TimeoutError as error:
        raise HTTPException(408, "The body did not come in time.") from error
    # In threads of their own: where the file is locked, those who save wait, and those who read do not.
    return await to_thread.run_sync(_save, request, body, limiter=_savers())


@cache
def _savers() -> CapacityLimiter:
    return CapacityLimiter(_MOST_SAVERS)


def _save(request: Request, body: bytes) -> Response:
    study, rater = _who(request)
    place, attribute = _place(request), request.path_params["attribute"]
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    choice = content.get("choice") if isinstance(content, dict) and len(content) == 1 else None
    if choice not in CHOICES:
        raise HTTPException(400, f'The body must be {{"choice": ...}} with one of {", ".join(CHOICES)}.')
    if attribute not in _KEYS:
        raise HTTPException(404, "There is no such attribute.")
    try:
        study.save(rater, place, attribute, choice)
    except ValueError as error:
        raise _no_such_task() from error
    return Response(status_code=204)


def _who(request: Request) -> tuple[Study, int]:
    """The study, and the rater whose token the request carries.

    Raises:
        HTTPException: it carries none that opens anything.
    """
    study: Study = request.app.state.study
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    rater = study.rater(token) if scheme.lower() == "bearer" and 0 < len(token) <= _LONGEST_TOKEN else None
    if rater is None:
        raise HTTPException(401, "This link opens no study: ask for yours again.")
    return study, rater


def _place(request: Request) -> int:
    text: str = request.path_params["place"]
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise _no_such_task()
    return int(text)


def _no_such_task() -> HTTPException:
    return HTTPException(404, "You have no such task.")


async def _body(request: Request) -> bytes:
    """The body, read only as far as it may reach.

    Raises:
        HTTPException: it is not declared as JSON, or too long.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "The body must be application/json.")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise HTTPException(413, f"The body may have {LARGEST_BODY} bytes.")
    return body


async def _explain(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):  # starlette's type for handlers is wider than what it gives them
        raise error
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def _not_now(request: Request, error: Exception) -> Response:
    """The file cannot be written now; the page keeps the answer and tries again, and whoever serves reads why."""
    logging.getLogger("uvicorn.error").error("An answer could not be read or saved: %s", error)
    return JSONResponse({"error": "The study's file cannot be used at the moment."}, 503)
