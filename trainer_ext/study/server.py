"""Serving a study to raters' browsers."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection
from ipaddress import ip_address

import uvicorn

from trainer_ext.study.app import make_app
from trainer_ext.study.store import Study

_MOST_CONNECTIONS = 256
_LAST_PORT = 65535
_LAST_REQUESTS = 5  # seconds for them when the server is told to end


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def serve(study: Study, host: str, port: int, hostnames: Collection[str], ready: Callable[[str], None]) -> None:
    """Answer requests until interrupted.

    Args:
        study: what is served.
        host: the address to listen on.
        port: 0 is any free one.
        hostnames: see :class:`~trainer_ext.study.guard.Guard`.
        ready: called with the address for browsers as soon as connections are taken.

    Raises:
        ValueError: the address cannot be listened on, or there is no such port.
    """
    listener = _listen(host, port)
    shown = f"[{host}]" if ":" in host else host
    config = uvicorn.Config(
        make_app(study, hostnames),
        http="h11",
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
