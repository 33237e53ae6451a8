"""What happens to every request before and after its route, as plain ASGI.

From the outside in: ``Observed`` (request id, access log, metrics), ``Dressed`` (security headers), ``LastResort`` (no
exception leaves without a problem), ``Gate`` (host, query string, start-up), ``Intake`` (size, pace and encoding of
bodies).
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import logging, problems
from api.intake import drain, first_header
from api.metrics import Metrics
from models.errors import FileTooLarge, MayflyError

UPLOAD_PATH = "/v1/sessions/current/documents"
RESUMABLE_PATH = "/v1/sessions/current/uploads"
_OPEN_WHILE_STARTING = frozenset({"/health/live", "/health/ready", "/metrics"})

SECURITY_HEADERS = (
    (b"strict-transport-security", b"max-age=63072000; includeSubDomains"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-embedder-policy", b"require-corp"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), browsing-topics=()"),
    (b"cache-control", b"no-store"),
)


class Observed:
    """Give the request an id of our own, log it by its route template, count it."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        seen = {"status": 499}
        scope["mayfly.request_id"] = uuid.uuid4().hex

        async def note_status(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            self._tell(scope, seen["status"], time.perf_counter() - started)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = route_template(scope)
        problem = scope.get("mayfly.problem")
        self._metrics.observe(route=route, method=scope["method"], status=status, seconds=seconds)
        if problem is not None:
            self._metrics.problems.labels(problem).inc()
        logging.get().info(
            "request",
            request_id=scope["mayfly.request_id"],
            route=route or "none",
            method=scope["method"],
            status=status,
            duration_ms=round(seconds * 1000, 1),
            problem=problem,
        )


class Dressed:
    """Add the headers every reply carries, errors too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def dress(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = dressed(message.get("headers", ()), scope.get("mayfly.request_id", ""))
                if scope["path"].startswith(RESUMABLE_PATH):
                    message["headers"].append((b"tus-resumable", problems.TUS_VERSION.encode()))
            await send(message)

        await self._app(scope, receive, dress)


class LastResort:
    """Turn an exception nobody foresaw into a bare problem; log its type and code location, never its words."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        started = False

        async def note_start(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, note_start)
        except ClientDisconnect:
            scope["mayfly.problem"] = "client_gone"
        except Exception as error:  # noqa: BLE001  # The last resort: anything that escaped the handlers.
            await _answer_unforeseen(error, started, scope, receive, send)


async def _answer_unforeseen(error: Exception, started: bool, scope: Scope, receive: Receive, send: Send) -> None:
    known = isinstance(error, MayflyError)
    refusal = error if isinstance(error, MayflyError) else MayflyError()
    scope["mayfly.problem"] = refusal.slug
    if not known:
        logging.get().error(
            "unforeseen_error",
            error=type(error).__name__,
            where=logging.where(error),
            request_id=scope.get("mayfly.request_id"),
        )
    problems.forget_frames(error)
    if not started:
        await problems.response_of(refusal)(scope, receive, send)


class Gate:
    """Refuse foreign hosts, query strings, and everything but health until the service has started."""

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str], is_open: Callable[[], bool]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            self._check(scope)
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        if not {"*", _hostname(first_header(scope, b"host") or "")} & self._hosts:
            raise problems.UnknownHost
        if scope["query_string"] and scope["path"].startswith("/v1/"):
            raise problems.QueryNotAllowed
        if scope["path"] not in _OPEN_WHILE_STARTING and not self._is_open():
            raise problems.Starting(retry_after_seconds=1)


class Intake:
    """Take bodies whole, small, plain and in time before a route sees them; uploads pass through as they arrive."""

    def __init__(self, app: ASGIApp, *, max_bytes: int, idle_seconds: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._idle_seconds = idle_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises ``UnsupportedEncoding``, ``FileTooLarge``, ``TooSlow``."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if (first_header(scope, b"content-encoding") or "identity").lower() != "identity":
            await drain(receive)
            raise problems.UnsupportedEncoding
        if _is_upload(scope["method"], scope["path"]):
            await self._app(scope, receive, send)
            return
        body = await self._read(receive)
        await self._app(scope, _replay(body, receive), send)

    async def _read(self, receive: Receive) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(self._idle_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    body += message.get("body", b"")
                    if len(body) > self._max_bytes:
                        await drain(receive)
                        raise FileTooLarge
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError as error:
            raise problems.TooSlow from error


def _is_upload(method: str, path: str) -> bool:
    if method == "PATCH":
        return path.startswith(RESUMABLE_PATH + "/")
    return method == "POST" and path in {UPLOAD_PATH, RESUMABLE_PATH}


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def dressed(headers: Iterable[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    """Return reply headers with the security headers and the request id added, keeping what a route set itself."""
    # FastAPI's event streams say no-cache, which lets a cache keep what it must ask about.
    own = [(name, value) for name, value in headers if name.lower() != b"cache-control"]
    present = {name.lower() for name, _ in own}
    added = [*SECURITY_HEADERS, (b"x-request-id", request_id.encode())]
    return own + [(name, value) for name, value in added if name not in present and value]


def route_template(scope: Scope) -> str | None:
    """Return the template of the route that matched, like ``/v1/receipts/{receipt_id}``; ``None`` when none did."""
    route: Any = scope.get("route")
    return getattr(route, "path", None)


def _hostname(host: str) -> str:
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdigit() else host.lower()
