"""The client against a small real HTTP server that answers what it is told to."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from api.client import Client, LearnerSession, Problem, Question, SignedIn, SignUp, Unreachable

PROBLEM = {"type": "about:blank", "title": "Too many documents are waiting", "status": 429, "code": "queue_full"}
DOCUMENT = {"document_id": "d1", "filename": "n.txt", "status": "queued", "progress": 0.0, "of a later version": 1}


@dataclass(frozen=True)
class Reply:
    body: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, value: Any, status: int = 200, **headers: str) -> "Reply":
        return cls(json.dumps(value).encode(), status, {name.replace("_", "-"): text for name, text in headers.items()})


@dataclass
class Told:
    """Replies by "METHOD path", in turn, the last one again and again; and what was asked."""

    url: str
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def told() -> Iterator[Told]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            route = f"{self.command} {self.path}"
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            told.asked.append((route, {name.lower(): text for name, text in self.headers.items()}, body))
            replies = told.replies[route]
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
            self.send_response(reply.status)
            for name, text in ({"Content-Length": str(len(reply.body))} | reply.headers).items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told = Told(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(told: Told) -> Iterator[Client]:
    with Client(told.url, timeout_seconds=60) as client:
        yield client


@pytest.fixture
def session(client: Client, told: Told) -> LearnerSession:
    told.replies["POST /v1/sessions"] = [
        Reply.of(
            {"session_id": "s", "token": "t", "token_type": "Bearer", "expires_at": "z", "idle_timeout_seconds": 1}
        )
    ]
    return client.sign_in("ada@example.org", "password")


def test_a_refusal_carries_status_code_title_and_patience(client: Client, told: Told) -> None:
    told.replies["GET /v1/limits"] = [Reply.of(PROBLEM, 429, Retry_After="7")]

    with pytest.raises(Problem) as refusal:
        client.limits()

    assert (refusal.value.status, refusal.value.code) == (429, "queue_full")
    assert (refusal.value.title, refusal.value.retry_after_seconds) == (PROBLEM["title"], 7)


@pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"", b"[]", b"\xff"])
def test_a_refusal_that_is_no_problem_document_is_one_all_the_same(client: Client, told: Told, body: bytes) -> None:
    told.replies["GET /v1/limits"] = [Reply(body, 502, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})]

    with pytest.raises(Problem) as refusal:
        client.limits()

    assert (refusal.value.status, refusal.value.code, refusal.value.retry_after_seconds) == (502, "unknown", None)


def test_nobody_at_the_address_is_unreachable() -> None:
    with Client("http://127.0.0.1:1", timeout_seconds=5) as client:
        assert not client.is_ready()
        with pytest.raises(Unreachable):
            client.limits()


def test_a_service_that_is_starting_is_not_ready(client: Client, told: Told) -> None:
    told.replies["GET /health/ready"] = [Reply(status=503), Reply()]

    assert [client.is_ready(), client.is_ready()] == [False, True]


def test_several_files_go_in_one_request_with_their_key(session: LearnerSession, told: Told, tmp_path: Path) -> None:
    told.replies["POST /v1/sessions/current/documents"] = [Reply.of({"documents": [DOCUMENT]}, 202)]
    note = tmp_path / "note.md"
    note.write_text("# Head")

    (document,) = session.upload(note, ("b.txt", b"bytes", "text/plain"), idempotency_key="k")

    _, headers, body = told.asked[-1]
    assert document.document_id == "d1"
    assert headers["idempotency-key"] == "k"
    assert headers["authorization"] == "Bearer t"
    assert body.count(b'name="file"') == 2
    assert b"text/markdown" in body
    assert b"# Head" in body
    assert b"bytes" in body


def test_watching_yields_every_step_until_the_last(session: LearnerSession, told: Told) -> None:
    steps = [("queued", 0.0), ("extracting", 0.4), ("ready", 1.0)]
    stream = b"".join(
        b": ping\n\nevent: status\ndata: " + json.dumps({"status": status, "progress": progress}).encode() + b"\n\n"
        for status, progress in steps
    )
    told.replies["GET /v1/sessions/current/documents/d1/events"] = [
        Reply(stream, headers={"Content-Type": "text/event-stream"})
    ]

    assert [(step.status, step.progress) for step in session.watch("d1")] == steps


def test_watching_goes_on_when_the_stream_ends_too_early(session: LearnerSession, told: Told) -> None:
    kind = {"Content-Type": "text/event-stream"}
    told.replies["GET /v1/sessions/current/documents/d1/events"] = [
        Reply(b'data: {"status": "embedding", "progress": 0.5}\n\n', headers=kind),
        Reply(b'data: {"status": "failed", "progress": 0.5}\n\n', headers=kind),
    ]

    assert [step.status for step in session.watch("d1")] == ["embedding", "failed"]


def test_watching_does_not_spin_on_an_empty_stream(session: LearnerSession, told: Told) -> None:
    told.replies["GET /v1/sessions/current/documents/d1/events"] = [
        Reply(b"", headers={"Content-Type": "text/event-stream"})
    ]

    with pytest.raises(Unreachable):
        list(session.watch("d1"))
    assert len(told.asked) == 2


def test_watching_what_is_not_there_is_a_refusal(session: LearnerSession, told: Told) -> None:
    told.replies["GET /v1/sessions/current/documents/d1/events"] = [Reply.of(PROBLEM | {"code": "not_found"}, 404)]

    with pytest.raises(Problem) as refusal:
        list(session.watch("d1"))

    assert refusal.value.code == "not_found"


def test_leaving_the_session_signs_out_once(session: LearnerSession, told: Told) -> None:
    told.replies["DELETE /v1/sessions/current"] = [Reply.of({"statement": {}})]

    with session:
        receipt = session.sign_out()

    assert session.sign_out() == receipt == {"statement": {}}
    assert [route for route, _, _ in told.asked].count("DELETE /v1/sessions/current") == 1


def test_an_error_inside_the_session_is_not_hidden_by_a_failing_sign_out(session: LearnerSession, told: Told) -> None:
    told.replies["DELETE /v1/sessions/current"] = [Reply.of(PROBLEM, 503)]

    with pytest.raises(ZeroDivisionError), session:
        raise ZeroDivisionError
    with pytest.raises(Problem), session:
        pass


def test_a_grant_speaks_for_itself(client: Client, told: Told) -> None:
    told.replies["POST /v1/sessions/current/queries"] = [
        Reply.of({"passages": [], "nothing_relevant": True, "took_ms": 1.5})
    ]

    answer = client.ask("g", Question(text="why?", max_tokens=200))

    _, headers, body = told.asked[-1]
    assert answer.nothing_relevant
    assert headers["authorization"] == "Bearer g"
    assert json.loads(body) == {"text": "why?", "max_tokens": 200}


def test_no_secret_and_no_content_shows_in_a_repr() -> None:
    wish = SignUp(username="ada", email="ada@example.org", password="swordfish")
    signed_in = SignedIn("s", "swordfish", "Bearer", "z", 1)

    assert "swordfish" not in repr([wish, signed_in, Question(text="swordfish")])
