"""The checks that every request must pass and the headers of every answer: against other sites and injected scripts."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Nothing from elsewhere, nothing inline: should text ever slip through unescaped, it still runs nothing.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class HostNames:
    """Refuse requests for another host's name.

    Args:
        app: what answers the others.
        hostnames: names by which the server may be called, besides localhost and every numeric address.
        option: how to allow one, for the message.
    """

    def __init__(self, app: ASGIApp, hostnames: Collection[str], option: str) -> None:
        self._app, self._hostnames, self._option = app, hostnames, option

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = self._problem(Headers(scope=scope)) if scope["type"] == "http" else None
        if problem is None:
            await self._app(scope, receive, send)
        else:
            status, text = problem
            await JSONResponse({"error": text}, status)(scope, receive, send)

    def _problem(self, headers: Headers) -> tuple[int, str] | None:
        """Status and reason of a refusal."""
        if is_own_host(headers.get("host", ""), self._hostnames):
            return None
        return 421, f"This server does not answer to that host name; `{self._option}` allows one."


class Guard(HostNames):
    """Refuse requests for another host's name or from another site's page, and add the security headers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await super().__call__(scope, receive, send_with_headers)

    def _problem(self, headers: Headers) -> tuple[int, str] | None:
        origin = headers.get("origin")
        is_foreign = origin is not None and _netloc(origin) != headers.get("host", "").lower()
        crosses = headers.get("sec-fetch-site", "none") == "cross-site" and headers.get("sec-fetch-mode") != "navigate"
        foreign = (403, "This request comes from a page of another site.") if is_foreign or crosses else None
        return super()._problem(headers) or foreign


def is_own_host(host: str, hostnames: Collection[str]) -> bool:
    """Whether a Host header is localhost, a numeric address or one of ``hostnames``.

    A foreign site that lets its own name point to this machine (DNS rebinding) is thereby known.
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    if name in {"localhost", *(known.lower().rstrip(".") for known in hostnames)}:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
