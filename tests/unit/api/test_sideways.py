"""What an error says to the log and to the client, what every reply wears, and what a browser is left with."""

import io
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api import logging, problems
from api.settings import LogSettings
from models.errors import MayflyError
from tests.support import inspection
from tests.support.residue import in_bytes, new_marker

# Section 5.1 of what a reply must wear, value by value.
HEADERS = {
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), browsing-topics=()",
    "cache-control": "no-store",
}
UNFORESEEN = [ValueError, KeyError, OSError, MemoryError, RecursionError, UnicodeError, AssertionError, TimeoutError]
KINDS: list[type[Exception]] = [*problems.known_problems().values(), *UNFORESEEN]


def serve(client: TestClient, path: str, route: Callable[[], object]) -> None:
    client.app.get(path)(route)  # type: ignore[attr-defined]  # It is a FastAPI.


def raised(kind: type[Exception], marker: str) -> Exception:
    """Return an error with the marker wherever an error may hold something."""
    error = kind() if issubclass(kind, MayflyError) else kind(marker, {"file": f"{marker}.pdf"})
    error.add_note(marker)
    error.__cause__ = RuntimeError(marker)
    return error


def test_an_error_of_any_class_says_nothing_of_what_was_at_hand_when_it_was_raised(client: TestClient) -> None:
    marker, stream = new_marker(), io.StringIO()
    kinds = iter(KINDS)

    def explode() -> None:
        held = {"question": marker}
        assert held
        raise raised(next(kinds), marker)

    serve(client, "/boom", explode)
    logging.configure(LogSettings(level="debug"), stream=stream)

    replies = [client.get("/boom") for _ in KINDS]

    statuses = [problems.status_of(kind()) if issubclass(kind, MayflyError) else 500 for kind in KINDS]
    assert [reply.status_code for reply in replies] == statuses
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    requests = [event["request_id"] for event in events if event["event"] == "request"]
    assert requests == [reply.headers["x-request-id"] for reply in replies]
    assert [event["error"] for event in events if event["event"] == "unforeseen_error"] == [
        kind.__name__ for kind in UNFORESEEN
    ]
    told = stream.getvalue() + "".join(reply.text + repr(reply.headers) for reply in replies)
    assert in_bytes(told.encode(), marker) == 0


REPLIES: list[tuple[str, str, dict[str, Any], int]] = [
    ("GET", "/v1/limits", {}, 200),
    ("GET", "/metrics", {}, 200),
    ("POST", "/v1/accounts", {"json": {"username": "a", "email": "a@b.example", "password": "correct horse",
                                       "primary_language": "en"}}, 201),
    ("GET", "/v1/limits?a=b", {}, 400),
    ("GET", "/v1/sessions/current", {}, 401),
    ("GET", "/nowhere", {}, 404),
    ("PUT", "/v1/accounts", {}, 405),
    ("POST", "/v1/accounts", {"content": "x" * 2_000_000, "headers": {"Content-Type": "application/json"}}, 413),
    ("POST", "/v1/accounts", {"content": "x"}, 415),
    ("POST", "/v1/accounts", {"json": {}}, 422),
    ("GET", "/boom", {}, 500),
    ("GET", "/health/ready", {}, 503),
]  # fmt: skip


def test_a_reply_of_any_status_wears_every_security_header_and_names_no_server(client: TestClient) -> None:
    def explode() -> None:
        raise ZeroDivisionError

    serve(client, "/boom", explode)

    for method, path, options, status in REPLIES:
        reply = client.request(method, path, **options)

        assert reply.status_code == status, path
        assert {name: reply.headers.get(name) for name in HEADERS} == HEADERS, path
        assert {"server", "via", "x-powered-by", "set-cookie"} & set(reply.headers) == set(), path
        shown = repr(reply.headers).lower()
        assert not any(name in shown for name in ("uvicorn", "starlette", "fastapi", "python")), path


def test_no_route_serves_a_page_sets_a_cookie_or_lets_anything_be_kept() -> None:
    """A browser is left with nothing of ours: there is no page, no script and no worker that could keep something."""
    kinds = {
        kind
        for item in inspection.openapi()["paths"].values()
        for operation in item.values()
        for answer in operation["responses"].values()
        for kind in answer.get("content", {})
    }
    headers = {
        name.lower()
        for item in inspection.openapi()["paths"].values()
        for operation in item.values()
        for answer in operation["responses"].values()
        for name in answer.get("headers", {})
    }

    assert {"application/json", problems.MEDIA_TYPE} <= kinds
    assert not [kind for kind in kinds if "html" in kind or "javascript" in kind or "svg" in kind]
    assert headers & {"set-cookie", "service-worker-allowed", "etag", "last-modified"} == set()


@pytest.mark.parametrize("name", ["sentry_sdk", "ddtrace", "newrelic", "rollbar", "bugsnag"])
def test_no_error_reporter_is_installed_that_could_be_switched_on(name: str) -> None:
    from importlib.util import find_spec

    assert find_spec("structlog") is not None, "nothing is found, so the absence below would prove nothing"
    assert find_spec(name) is None
    assert name not in sys.modules
