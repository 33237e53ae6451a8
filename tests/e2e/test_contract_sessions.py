"""The HTTP contract of accounts, sessions, grants and receipts, against a whole running service."""

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import httpx2
import pytest

from api.receipts import PublishedKey, is_valid
from tests.support.service import Service, eventually

PASSWORD = "correct horse battery"


def sign_up(client: httpx2.Client) -> dict[str, Any]:
    name = f"learner-{secrets.token_hex(6)}"
    account = {"username": name, "email": f"{name}@example.org", "password": PASSWORD, "primary_language": "en"}
    made = client.post("/v1/accounts", json=account | {"target_languages": ["fr"]})
    assert made.status_code == 201
    return account | made.json()


def sign_in(client: httpx2.Client, account: dict[str, Any], password: str = PASSWORD) -> dict[str, Any]:
    reply = client.post("/v1/sessions", json={"email": account["email"], "password": password})
    assert reply.status_code == 201, reply.text
    return reply.json()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def http(service: Service) -> Iterator[httpx2.Client]:
    with service.client() as client:
        yield client


@pytest.fixture
def account(http: httpx2.Client) -> dict[str, Any]:
    return sign_up(http)


@pytest.fixture
def session(http: httpx2.Client, account: dict[str, Any]) -> dict[str, Any]:
    return sign_in(http, account)


def test_signing_in_tells_when_the_session_ends(session: dict[str, Any]) -> None:
    assert set(session) == {
        "session_id",
        "token",
        "token_type",
        "expires_at",
        "idle_timeout_seconds",
        "absolute_timeout_seconds",
        "receipt_id",
        "log",
    }
    assert session["token_type"] == "Bearer"


def test_an_empty_session_holds_nothing(http: httpx2.Client, session: dict[str, Any]) -> None:
    held = http.get("/v1/sessions/current", headers=bearer(session["token"])).json()

    assert held["session_id"] == session["session_id"]
    assert (held["documents"], held["chunks"], held["bytes"], held["quarantined_files"]) == (0, 0, 0, 0)


def test_looking_does_not_keep_a_session_alive_and_using_does(http: httpx2.Client, session: dict[str, Any]) -> None:
    def end() -> datetime:
        told = http.get("/v1/sessions/current", headers=bearer(session["token"])).json()
        return datetime.fromisoformat(told["expires_at"])

    first, began = end(), time.monotonic()
    assert eventually(lambda: end() and time.monotonic() - began > 1, seconds=60)
    looked_at = end()
    http.post("/v1/sessions/current/grants", headers=bearer(session["token"]))
    used = end()

    # The end is told as a moment, which is worked out anew each time.
    assert abs((looked_at - first).total_seconds()) < 0.5
    assert (used - first).total_seconds() > 0.5


def test_signing_out_answers_with_a_receipt_that_anyone_can_check(http: httpx2.Client, session: dict[str, Any]) -> None:
    reply = http.delete("/v1/sessions/current", headers=bearer(session["token"]))
    receipt = reply.json()
    key = http.get("/v1/receipts/key").json()
    kept = http.get(f"/v1/receipts/{receipt['statement']['receipt_id']}").json()

    assert reply.status_code == 200
    assert reply.headers["clear-site-data"] == '"cache", "cookies", "storage"'
    assert receipt["statement"]["session_id"] == session["session_id"]
    assert receipt["statement"]["reason"] == "sign_out"
    assert kept == receipt
    published = PublishedKey(**key)
    assert is_valid(receipt, published)
    changed = receipt | {"statement": receipt["statement"] | {"chunks_purged": 7}}
    assert not is_valid(changed, published)


def test_a_token_is_dead_from_the_moment_sign_out_was_answered(http: httpx2.Client, session: dict[str, Any]) -> None:
    alive = http.get("/v1/sessions/current", headers=bearer(session["token"]))
    http.delete("/v1/sessions/current", headers=bearer(session["token"]))

    dead = http.get("/v1/sessions/current", headers=bearer(session["token"]))

    assert (alive.status_code, dead.status_code, dead.json()["code"]) == (200, 401, "session_expired")


def test_signing_out_many_times_at_once_makes_one_purge_and_one_receipt(
    service: Service, http: httpx2.Client, session: dict[str, Any]
) -> None:
    def sign_out(_: int) -> httpx2.Response:
        return httpx2.delete(
            f"{service.url}/v1/sessions/current", headers=bearer(session["token"]), trust_env=False, timeout=60
        )

    with ThreadPoolExecutor(12) as pool:
        replies = list(pool.map(sign_out, range(12)))

    receipts = {reply.text for reply in replies if reply.status_code == 200}
    assert len(receipts) == 1
    assert {reply.status_code for reply in replies} <= {200, 401}


def test_the_hook_ends_a_session_and_says_so_again(service: Service, session: dict[str, Any]) -> None:
    first = service.hook(session["session_id"])
    again = service.hook(session["session_id"])

    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert first.json()["statement"]["reason"] == "hook"


def test_the_hook_after_sign_out_answers_with_the_receipt_of_the_sign_out(
    service: Service, http: httpx2.Client, session: dict[str, Any]
) -> None:
    receipt = http.delete("/v1/sessions/current", headers=bearer(session["token"])).json()

    reply = service.hook(session["session_id"])

    assert reply.json() == receipt


def test_a_session_nobody_knows_cannot_be_ended(service: Service) -> None:
    reply = service.hook("0" * 32)

    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("secret", ["x", "wrong", "x" * 1000])
def test_the_hook_needs_its_secret(service: Service, http: httpx2.Client, session: dict[str, Any], secret: str) -> None:
    reply = http.post(f"/v1/sessions/{session['session_id']}/end", headers=bearer(secret))
    held = http.get("/v1/sessions/current", headers=bearer(session["token"]))

    assert (reply.status_code, held.status_code) == (401, 200)
    assert reply.headers["www-authenticate"] == 'Bearer realm="mayfly"'


def test_a_session_token_is_no_hook_secret_and_the_hook_secret_no_token(
    service: Service, http: httpx2.Client, session: dict[str, Any]
) -> None:
    as_hook = http.post(f"/v1/sessions/{session['session_id']}/end", headers=bearer(session["token"]))
    as_token = http.get("/v1/sessions/current", headers=bearer(service.hook_secret))

    assert (as_hook.status_code, as_token.status_code) == (401, 401)


def test_a_grant_may_ask_and_nothing_else(http: httpx2.Client, session: dict[str, Any]) -> None:
    grant = http.post("/v1/sessions/current/grants", headers=bearer(session["token"]), json={"ttl_seconds": 60}).json()

    asked = http.post("/v1/sessions/current/queries", headers=bearer(grant["token"]), json={"text": "Who?"})
    others = [
        http.request(method, f"/v1/sessions/current{path}", headers=bearer(grant["token"]))
        for method, path in [
            ("GET", ""),
            ("DELETE", ""),
            ("POST", "/grants"),
            ("GET", "/documents"),
            ("POST", "/documents"),
            ("DELETE", "/documents/abc"),
        ]
    ]
    export = http.get("/v1/accounts/me/export", headers=bearer(grant["token"]))
    erase = http.delete("/v1/accounts/me", headers=bearer(grant["token"]))

    assert grant["scope"] == "retrieve"
    assert asked.json()["code"] == "nothing_indexed"
    assert {reply.status_code for reply in [*others, export, erase]} == {403}


def test_a_grant_with_a_wrong_secret_or_of_a_session_that_ended_is_refused(
    http: httpx2.Client, session: dict[str, Any]
) -> None:
    token = http.post("/v1/sessions/current/grants", headers=bearer(session["token"])).json()["token"]
    forged = token[:40] + ("A" if token[40] != "A" else "B") + token[41:]

    wrong = http.post("/v1/sessions/current/queries", headers=bearer(forged), json={"text": "Who?"})
    http.delete("/v1/sessions/current", headers=bearer(session["token"]))
    late = http.post("/v1/sessions/current/queries", headers=bearer(token), json={"text": "Who?"})

    assert (wrong.status_code, late.status_code) == (401, 401)


def test_a_recovery_code_sets_a_new_password_and_ends_open_sessions(
    http: httpx2.Client, account: dict[str, Any], session: dict[str, Any]
) -> None:
    wish = {"email": account["email"], "recovery_code": account["recovery_code"], "new_password": "a new password"}
    wrong = http.post("/v1/accounts/recovery", json=wish | {"recovery_code": "AAAA-AAAA"})

    recovered = http.post("/v1/accounts/recovery", json=wish)

    assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid_credentials")
    assert recovered.json() == {"user_id": account["user_id"], "sessions_ended": 1}
    assert http.get("/v1/sessions/current", headers=bearer(session["token"])).status_code == 401
    old = http.post("/v1/sessions", json={"email": account["email"], "password": PASSWORD})
    assert old.status_code == 401
    assert sign_in(http, account, "a new password")["token"]


def test_an_export_holds_every_row_and_an_erasure_leaves_none(
    http: httpx2.Client, account: dict[str, Any], session: dict[str, Any]
) -> None:
    earlier = sign_in(http, account)
    http.delete("/v1/sessions/current", headers=bearer(earlier["token"]))
    upload = {"file": ("notes.txt", b"The lighthouse keeper breeds newts.", "text/plain")}
    http.post("/v1/sessions/current/documents", headers=bearer(session["token"]), files=upload)

    export = http.get("/v1/accounts/me/export", headers=bearer(session["token"])).json()
    erased = http.delete("/v1/accounts/me", headers=bearer(session["token"]))

    assert export["user_id"] == account["user_id"]
    assert {row["session_id"] for row in export["sessions"]} == {session["session_id"], earlier["session_id"]}
    assert [row["filename"] for row in export["documents"]] == ["notes.txt"]
    assert [row["statement"]["session_id"] for row in export["receipts"]] == [earlier["session_id"]]
    assert erased.status_code == 200
    statement = erased.json()["statement"]
    assert (statement["kind"], statement["session_id"], statement["rows_erased"]) == ("erasure", "", 4)
    assert account["user_id"] not in erased.text
    again = http.post("/v1/sessions", json={"email": account["email"], "password": PASSWORD})
    assert again.status_code == 401


def test_an_export_shows_the_learners_own_names(
    http: httpx2.Client, account: dict[str, Any], session: dict[str, Any]
) -> None:
    export = http.get("/v1/accounts/me/export", headers=bearer(session["token"])).json()

    assert (export["username"], export["email"]) == (account["username"], account["email"])


def test_what_this_host_guarantees_is_published(http: httpx2.Client) -> None:
    assurance = http.get("/v1/assurance").json()

    assert assurance["runtime_directory"]["ram_backed"] is True
    assert assurance["core_dumps"] == {"dumpable": False, "limit_bytes": 0, "possible": False}
    assert assurance["memory_scrubbed_on_free"] is True
    assert len(assurance["model"]["sha256"]) == 64
    assert assurance["jail"]["walls"]
    assert assurance["receipt_key_id"] == http.get("/v1/receipts/key").json()["key_id"]
