"""Serving a study to raters' browsers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection
from ipaddress import ip_address

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from trainer_ext.study.app import make_app
from trainer_ext.study.store import Study

_MOST_CONNECTIONS = 256
_LAST_PORT = 65535
_LAST_REQUESTS = 5  # seconds for them when the server is told to end


class _Impatient(H11Protocol):
    """Closes a connection that sends no whole head of a request in time.

    uvicorn waits forever for a connection's first head, and for a later one that comes byte by byte, so that a few
    hundred silent connections would keep everybody else out.
    """

    patience: float

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_head()

    def _await_head(self) -> None:
        self.loop.call_later(self.patience, self._close_if_silent, self.cycle)

    def _close_if_silent(self, last: object) -> None:
        if self.cycle is last and not self.transport.is_closing():
            self.transport.abort()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def serve(
    study: Study,
    host: str,
    port: int,
    hostnames: Collection[str],
    ready: Callable[[str], None],
    patience: float = 10.0,
) -> None:
    """Answer requests until interrupted.

    Args:
        study: the study to serve.
        host: the address to listen on.
        port: the port to listen on; 0 is any free one.
        hostnames: see :class:`~trainer_ext.study.guard.HostNames`.
        ready: called with the address for browsers as soon as connections are taken.
        patience: seconds to wait for the head of a request.

    Raises:
        ValueError: the address cannot be listened on, or there is no such port.
    """
    listener = _listen(host, port)
    shown = f"[{host}]" if ":" in host else host
    config = uvicorn.Config(
        make_app(study, hostnames),
        http=type("Impatient", (_Impatient,), {"patience": patience}),
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_LAST_REQUESTS,
    )
    with listener:
        ready(f"http://{shown}:{listener.getsockname()[1]}/")
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= _LAST_PORT:
        raise ValueError(f"--port is {port}: give 1 to {_LAST_PORT}, or 0 for any free one.")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_MOST_CONNECTIONS)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(
            f"{host}, port {port}, cannot be listened on ({reason}): give another --host or --port; --port 0 takes any "
            "free one."
        ) from error
