import dataclasses
import gc
import weakref
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from api import problems
from api.resources import hook_secret
from api.settings import Settings
from models import errors
from models.errors import MayflyError
from models.keyfile import KeyFileRefused

CANARY = "zzCANARYzz"
AS_JSON = {"Content-Type": "application/json"}
GZIPPED = {"Content-Encoding": "gzip"}
NOT_JSON = "unsupported_content_type"
ACCOUNT = {"username": "ana", "email": "ana@example.org", "password": "correct horse", "primary_language": "fr"}


def assert_problem(reply: Response, status: int, code: str) -> None:
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["type"] == f"urn:mayfly:problem:{code}"
    assert reply.json()["status"] == status
    assert set(reply.json()) <= {"type", "title", "status", "code", "errors"}
    assert reply.headers["cache-control"] == "no-store"


def test_every_error_has_exactly_one_status() -> None:
    families = problems.STATUS_OF_FAMILY

    for kind in problems.known_problems().values():
        named = [base for base in kind.__mro__ if base in families and base is not MayflyError]
        assert len(named) == 1 or kind is MayflyError, kind


@pytest.mark.parametrize("error", [errors.SessionExpired(), errors.InvalidCredentials(), problems.InvalidHookSecret()])
def test_who_is_not_known_is_told_how_to_authenticate(error: MayflyError) -> None:
    assert problems.headers_of(error) == {"WWW-Authenticate": 'Bearer realm="mayfly"'}


@pytest.mark.parametrize("error", [errors.QueueFull(retry_after_seconds=7), errors.HostFull(retry_after_seconds=7)])
def test_who_has_to_wait_is_told_how_long(error: MayflyError) -> None:
    assert problems.headers_of(error) == {"Retry-After": "7"}


def test_who_has_to_wait_is_told_something_even_when_nobody_knows_how_long() -> None:
    assert int(problems.headers_of(errors.QueueFull())["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("GET", f"/{CANARY}", {}, 404, "not_found"),
        ("GET", "/docs", {}, 404, "not_found"),
        ("GET", "/openapi.json", {}, 404, "not_found"),
        ("GET", f"/v1/receipts/{CANARY}", {}, 404, "not_found"),
        ("GET", "/v1/limits/", {}, 404, "not_found"),
        ("PUT", "/v1/accounts", {}, 405, "method_not_allowed"),
        ("TRACE", "/v1/limits", {}, 405, "method_not_allowed"),
        ("HEAD", "/v1/limits", {}, 405, "method_not_allowed"),
        ("GET", f"/v1/limits?token={CANARY}", {}, 400, "query_not_allowed"),
        ("GET", "/v1/limits", {"headers": {"Host": f"{CANARY}.example"}}, 400, "unknown_host"),
        ("POST", "/v1/accounts", {"content": f'{{"{CANARY}', "headers": AS_JSON}, 400, "malformed_body"),
        ("POST", "/v1/accounts", {"content": "[" * 60_000, "headers": AS_JSON}, 400, "malformed_body"),
        ("POST", "/v1/accounts", {"content": b'"\xff\xfe"', "headers": AS_JSON}, 400, "malformed_body"),
        ("POST", "/v1/accounts", {"content": CANARY, "headers": {"Content-Type": "text/plain"}}, 415, NOT_JSON),
        ("POST", "/v1/accounts", {"content": CANARY}, 415, NOT_JSON),
        ("POST", "/v1/accounts", {"data": {"email": CANARY}}, 415, NOT_JSON),
        ("POST", "/v1/accounts", {"json": ACCOUNT, "headers": GZIPPED}, 415, "unsupported_encoding"),
        ("POST", "/v1/accounts", {"json": {"username": CANARY * 10_000}}, 413, "too_large"),
        ("POST", "/v1/accounts", {}, 422, "invalid_request"),
        ("POST", "/v1/accounts", {"json": CANARY}, 422, "invalid_request"),
        ("POST", "/v1/accounts", {"json": {**ACCOUNT, CANARY: CANARY}}, 422, "invalid_request"),
        ("POST", "/v1/accounts", {"json": {**ACCOUNT, "password": "short"}}, 422, "invalid_request"),
        ("POST", "/v1/accounts", {"json": {**ACCOUNT, "primary_language": CANARY}}, 422, "invalid_request"),
        ("POST", "/v1/sessions", {"json": {"email": CANARY, "password": CANARY}}, 401, "invalid_credentials"),
        ("GET", "/v1/sessions/current", {}, 401, "session_expired"),
        ("GET", "/v1/sessions/current", {"headers": {"Authorization": f"Basic {CANARY}"}}, 401, "session_expired"),
        ("GET", "/v1/sessions/current", {"headers": {"Authorization": f"Bearer {CANARY}"}}, 401, "session_expired"),
        ("GET", "/v1/sessions/current", {"headers": {"Authorization": CANARY * 50}}, 401, "session_expired"),
        ("POST", "/v1/sessions/current/documents", {}, 401, "session_expired"),
        ("POST", "/v1/sessions/current/queries", {"json": {"text": CANARY}}, 401, "session_expired"),
        ("POST", f"/v1/sessions/{CANARY}/end", {}, 401, "invalid_hook_secret"),
        ("GET", "/health/ready", {}, 503, "unavailable"),
    ],
)  # fmt: skip
def test_each_refusal_is_a_problem_that_repeats_nothing(
    client: TestClient, method: str, path: str, options: dict[str, object], status: int, code: str
) -> None:
    reply = client.request(method, path, **options)  # type: ignore[arg-type]

    if method == "HEAD":
        assert reply.status_code == status
    else:
        assert_problem(reply, status, code)
    assert CANARY not in reply.text + str(reply.headers)


def test_a_method_that_is_not_allowed_names_those_that_are(client: TestClient) -> None:
    assert client.put("/v1/accounts").headers["allow"] == "POST"


def test_a_field_at_fault_is_pointed_at_and_its_value_is_not_shown(client: TestClient) -> None:
    reply = client.post("/v1/accounts", json=ACCOUNT | {"target_languages": ["fr", CANARY]})

    assert reply.json()["errors"] == [{"pointer": "/target_languages/1", "code": "unknown_language"}]


def test_a_field_nobody_declared_is_not_named(client: TestClient) -> None:
    reply = client.post("/v1/accounts", json=ACCOUNT | {CANARY: 1})

    assert reply.json()["errors"] == [{"pointer": "", "code": "extra_forbidden"}]


def test_an_error_nobody_foresaw_is_a_bare_problem_and_its_words_are_not_logged(
    client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    def explode() -> None:
        raise RuntimeError(CANARY)

    client.app.get("/boom")(explode)  # type: ignore[attr-defined]  # It is a FastAPI.
    from api import logging
    from api.settings import LogSettings

    logging.configure(LogSettings(level="debug"))

    reply = client.get("/boom")

    logged = capsys.readouterr().err
    assert_problem(reply, 500, "internal_error")
    assert "RuntimeError" in logged
    assert "test_problems.py" in logged
    assert CANARY not in logged + reply.text


def test_until_the_start_up_sweep_is_done_everything_but_health_is_refused(starting: TestClient) -> None:
    assert starting.get("/health/live").status_code == 200
    assert_problem(starting.get("/health/ready"), 503, "starting")
    assert_problem(starting.get("/v1/limits"), 503, "starting")
    assert "retry-after" in starting.get("/v1/limits").headers

    starting.app.state.progress.note_sweep()  # type: ignore[attr-defined]  # It is a FastAPI.

    assert starting.get("/v1/limits").status_code == 200


def test_a_wrong_hook_secret_and_none_get_the_same_answer(client: TestClient) -> None:
    none = client.post("/v1/sessions/abc/end")
    wrong = client.post("/v1/sessions/abc/end", headers={"Authorization": "Bearer wrong"})

    assert none.json() == wrong.json()


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer"}, {"Authorization": "Bearer "}])
def test_nothing_is_no_hook_secret_even_where_the_secret_is_nothing(
    client: TestClient, headers: dict[str, str]
) -> None:
    state = client.app.state  # type: ignore[attr-defined]  # It is a FastAPI.
    state.resources = dataclasses.replace(state.resources, hook_secret=b"")

    reply = client.post("/v1/sessions/abc/end", headers=headers)

    assert_problem(reply, 401, "invalid_hook_secret")


@pytest.mark.parametrize("content", [b"", b" \n", b"fifteen letters", b"  fifteen letters \n"])
def test_a_hook_secret_that_is_blank_or_short_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secret"
    file.touch(mode=0o600)
    file.write_bytes(content)

    with pytest.raises(KeyFileRefused, match="at least 16 bytes"):
        hook_secret(Settings(data_dir=tmp_path, hook_secret_file=file))


def test_a_hook_secret_of_sixteen_bytes_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.touch(mode=0o600)
    file.write_bytes(b"sixteen letters!\n")

    assert hook_secret(Settings(data_dir=tmp_path, hook_secret_file=file)) == b"sixteen letters!"


def test_the_right_hook_secret_for_a_session_nobody_knows_is_not_found(client: TestClient) -> None:
    secret: bytes = client.app.state.resources.hook_secret  # type: ignore[attr-defined]  # It is a FastAPI.

    reply = client.post("/v1/sessions/abc/end", headers={"Authorization": f"Bearer {secret.decode()}"})

    assert_problem(reply, 404, "not_found")


def test_sign_ins_to_an_account_are_limited_and_others_are_not_locked_out(client: TestClient) -> None:
    attempt = {"email": "ana@example.org", "password": "wrong"}
    tried = [client.post("/v1/sessions", json=attempt).status_code for _ in range(4)]

    other = client.post("/v1/sessions", json=attempt | {"email": "ben@example.org"})

    assert tried == [401, 401, 401, 429]
    assert other.status_code == 401


@pytest.mark.parametrize(("attempts", "status"), [(2, 401), (3, 401), (4, 429)])
def test_the_sign_in_past_the_configured_limit_is_told_when_to_come_back(
    client: TestClient, settings: Settings, attempts: int, status: int
) -> None:
    assert settings.accounts.sign_ins_per_minute == 3
    attempt = {"email": "ana@example.org", "password": "wrong"}

    last = [client.post("/v1/sessions", json=attempt) for _ in range(attempts)][-1]

    assert_problem(last, status, "rate_limited" if status == 429 else "invalid_credentials")
    assert ("retry-after" in last.headers) == (status == 429)
    assert 1 <= int(last.headers.get("retry-after", 1)) <= 61


def test_twins_of_an_address_share_its_limit(client: TestClient) -> None:
    twins = ["ana@example.org", "ANA@example.org", " ana@EXAMPLE.org", "ana@example.org"]

    tried = [client.post("/v1/sessions", json={"email": email, "password": "wrong"}) for email in twins]

    assert tried[-1].status_code == 429
    assert int(tried[-1].headers["retry-after"]) >= 1


def test_an_account_can_be_made_once(client: TestClient) -> None:
    first = client.post("/v1/accounts", json=ACCOUNT)
    again = client.post("/v1/accounts", json=ACCOUNT)

    assert first.status_code == 201
    assert set(first.json()) == {"user_id", "primary_language", "target_languages", "recovery_code"}
    assert_problem(again, 409, "account_exists")


def test_a_sign_in_without_a_host_is_refused_and_leaves_no_session(client: TestClient) -> None:
    client.post("/v1/accounts", json=ACCOUNT)

    reply = client.post("/v1/sessions", json={"email": ACCOUNT["email"], "password": ACCOUNT["password"]})

    assert_problem(reply, 503, "unavailable")
    assert "retry-after" in reply.headers


@pytest.mark.parametrize(("path", "status"), [("/v1/limits", 200), ("/nowhere", 404), ("/v1/sessions/current", 401)])
def test_every_reply_wears_the_security_headers(client: TestClient, path: str, status: int) -> None:
    reply = client.get(path)

    assert reply.status_code == status
    assert reply.headers["content-security-policy"].startswith("default-src 'none'")
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert "server" not in reply.headers


def test_an_error_in_a_circle_holds_nothing_of_what_it_refused() -> None:
    class Content:
        pass

    def refuse(content: Content) -> None:
        del content
        raise errors.NoSpace

    def hold() -> tuple[BaseException, weakref.ref[Content]]:
        content = Content()
        try:
            refuse(content)
        except errors.NoSpace as error:
            kept = error  # The frame holds the error, whose traceback holds the frame.
            return kept, weakref.ref(content)
        raise AssertionError

    gc.disable()
    try:
        error, content = hold()
        held = content() is not None
        problems.forget_frames(error)
        assert held, "nothing was held, so that nothing is held below would prove nothing"
        assert content() is None
    finally:
        gc.enable()
