"""Only the token that was handed out opens a session: no look-alike, no column of the record, only in its header."""

import base64
import json
import sqlite3
from contextlib import closing
from typing import Any

import httpx2
import pytest

from api.client import LearnerSession
from tests.support.service import Service

CURRENT = "/v1/sessions/current"
FOREIGN = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}


def part(claims: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


def signed_token(claims: Any, **header: Any) -> str:
    """Return what looks like a JSON web token."""
    return f"{part({'typ': 'JWT', 'alg': 'none'} | header)}.{part(claims)}."


LOOK_ALIKES = [
    signed_token({"sub": "ada"}),
    signed_token({"sub": "ada"}, alg="None"),
    signed_token({"sub": "ada"}, alg="HS256", kid="../../receipt-key"),
    signed_token({"sub": "ada"}, alg="ES256", jku="https://elsewhere.example/keys"),
    signed_token({"sub": "ada"}, alg="HS256", crit=["unknown"]),
    *(signed_token({"exp": end}) for end in ("tomorrow", 1.5, [1], 2**63)),
    "a" * 43,
    "a" * 10_000,
    "0" * 32 + "." + "A" * 43,
]


@pytest.mark.parametrize("token", LOOK_ALIKES, ids=range(len(LOOK_ALIKES)))
def test_what_only_looks_like_a_token_is_refused_like_garbage(
    service: Service, learner: LearnerSession, token: str
) -> None:
    with service.client(token) as impostor, service.client("garbage") as stranger:
        refused = impostor.post(f"{CURRENT}/queries", json={"text": "Who?"})
        garbage = stranger.post(f"{CURRENT}/queries", json={"text": "Who?"})

    assert learner.held()["session_id"] == learner.session_id
    assert (refused.status_code, refused.content) == (401, garbage.content)


def test_no_column_of_the_record_is_a_credential(service: Service, learner: LearnerSession) -> None:
    learner.upload(("note.txt", b"The harbour master keeps a parrot.", "text/plain"))
    values = {form for value in values_of(service, learner) for form in forms(value)}
    assert learner.session_id in values, "what belongs to the session was not read"
    assert any(len(value) == 64 for value in values), "not even the token's hash was tried"

    with service.client() as http:
        tried = {
            http.request(method, path, headers={"Authorization": f"Bearer {value}"}).status_code
            for value in sorted(values)
            for method, path in (("GET", CURRENT), ("POST", f"/v1/sessions/{learner.session_id}/end"))
        }
    assert tried <= {400, 401}
    assert learner.held()["documents"] == 1


def values_of(service: Service, learner: LearnerSession) -> set[str | bytes]:
    """Return every value of every row that has to do with one session, as a thief of the database reads them."""
    with closing(sqlite3.connect(service.data_dir / "record.sqlite")) as record:
        (user_id,) = record.execute(
            "SELECT user_id FROM sessions WHERE session_id = ?", (learner.session_id,)
        ).fetchone()
        rows: list[tuple[Any, ...]] = []
        for table in ("users", "sessions", "uploaded_content_metadata"):
            rows += record.execute(f"SELECT * FROM {table} WHERE user_id = ?", (user_id,)).fetchall()  # noqa: S608
    return {value for row in rows for value in row if isinstance(value, str | bytes)}


def forms(value: str | bytes) -> set[str]:
    """Return how a value could be sent in a header."""
    if isinstance(value, bytes):
        return {value.hex(), base64.urlsafe_b64encode(value).decode().rstrip("=")}
    words = {value} if value.isascii() and value.strip() and value.isprintable() else set[str]()
    if len(value) == 64 and all(digit in "0123456789abcdef" for digit in value):
        words.add(base64.urlsafe_b64encode(bytes.fromhex(value)).decode().rstrip("="))
    return words


@pytest.mark.parametrize("path", [f"{CURRENT}?token={{}}", f"{CURRENT}?access_token={{}}", "/v1/sessions/{}"])
def test_a_token_in_an_address_opens_nothing_and_is_not_logged(
    service: Service, learner: LearnerSession, path: str
) -> None:
    token = learner.signed_in.token

    with service.client() as http:
        refused = http.get(path.format(token))

    assert refused.status_code in {400, 404, 405}
    assert token not in refused.text
    assert any(event["event"] == "request" for event in service.events)
    assert token not in service.log


def test_another_site_gets_no_leave_and_has_no_right_of_its_own(service: Service, learner: LearnerSession) -> None:
    authorized = {"Authorization": f"Bearer {learner.signed_in.token}"}
    body = b'{"text": "Who?"}'
    with service.client() as http:
        preflight = http.options(f"{CURRENT}/queries", headers=FOREIGN | {"Access-Control-Request-Method": "POST"})
        as_form = http.delete(CURRENT, headers=FOREIGN | {"Cookie": f"token={learner.signed_in.token}"})
        as_text = http.post(
            f"{CURRENT}/grants", content=body, headers=FOREIGN | authorized | {"Content-Type": "text/plain"}
        )
        own = http.get(CURRENT, headers=FOREIGN | authorized)

    replies = [preflight, as_form, as_text, own]
    assert (preflight.status_code, as_form.status_code, as_text.status_code) == (405, 401, 415)
    assert own.json()["session_id"] == learner.session_id, "nothing changed"
    assert not any(allows(reply) or "set-cookie" in reply.headers for reply in replies)


def allows(reply: httpx2.Response) -> bool:
    return any(name.lower().startswith("access-control-") for name in reply.headers)
