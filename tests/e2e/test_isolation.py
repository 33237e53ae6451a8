"""No request reaches another learner's session: not its documents or passages, not the fact that they exist (P4)."""

import re
import secrets
from collections.abc import Iterator

import httpx2
import pytest

from api.client import Client, LearnerSession, Question
from tests.conftest import new_learner
from tests.support import inspection, library
from tests.support.service import Service

TUS = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
# The public log is the same for everybody; its places and sizes are nobody's ids.
PUBLIC = "/v1/log/"
ROUTES = [
    (method, path)
    for method, path in inspection.every_route()
    if "{" in path and path.startswith("/v1") and not path.startswith(PUBLIC)
]


# What a route needs in its body before it looks at the id in its path.
BODIES: dict[str, dict[str, object]] = {"/v1/conversations/{conversation_id}/usage": {"tokens": 1, "cost": "0.1"}}
# Ids that come in a body instead of a path.
NAMED_IN_BODIES: list[tuple[str, dict[str, object], str]] = [
    ("/v1/searches/conversations", {}, "after"),
    ("/v1/searches/feedback", {}, "after"),
    ("/v1/searches/feedback", {}, "conversation_id"),
    ("/v1/feedback", {"feedback_type": "grammar", "score": 1}, "conversation_id"),
    ("/v1/usage", {"service_name": "chat", "cost": "0.1"}, "conversation_id"),
]


@pytest.fixture
def stranger(client: Client) -> Iterator[LearnerSession]:
    """Another learner, with a document of his own."""
    with new_learner(client) as session:
        upload(session, "The stranger's own note is about beekeeping in the hills.")
        yield session


def post(service: Service, session: LearnerSession, path: str, body: dict[str, object]) -> httpx2.Response:
    with service.client(session.signed_in.token) as http:
        return http.post(path, json=body)


def started_conversation(service: Service, session: LearnerSession) -> str:
    reply = post(service, session, "/v1/conversations", {"target_language": "fr"})
    assert reply.status_code == 201
    return reply.json()["conversation_id"]


def own_id(service: Service, session: LearnerSession, path: str) -> str:
    """Return an id of the learner's own that a path could name."""
    if "{session_id}" in path:
        return session.session_id
    if "{upload_id}" in path:
        return started_upload(service, session)
    if "feedback" in path and not path.endswith("conversation_id"):
        reply = post(service, session, "/v1/feedback", {"feedback_type": "grammar", "score": 1})
        return reply.json()["feedback_id"]
    if "conversation" in path:
        return started_conversation(service, session)
    return upload(session, library.ENGLISH[8])


def started_upload(service: Service, session: LearnerSession) -> str:
    """Start a resumable upload and return its id."""
    headers = {"Authorization": f"Bearer {session.signed_in.token}", "Upload-Length": "10"} | TUS
    reply = httpx2.post(f"{service.url}/v1/sessions/current/uploads", headers=headers, trust_env=False, timeout=60)
    assert reply.status_code == 201
    return reply.headers["location"].rpartition("/")[2]


def upload(session: LearnerSession, text: str) -> str:
    (document,) = session.upload(("note.txt", text.encode(), "text/plain"))
    assert session.wait(document.document_id).status == "ready"
    return document.document_id


def reply_to(service: Service, session: LearnerSession, route: tuple[str, str], named: str) -> tuple[object, ...]:
    """Call a route with an id in its path and return all of the reply that could tell something."""
    method, path = route
    path = re.sub(r"\{[a-z_]+\}", named, path)
    headers = {"Authorization": f"Bearer {session.signed_in.token}"} | (TUS if "/uploads/" in path else {})
    with service.client() as http:
        reply = http.request(method.upper(), path, headers=headers, json=BODIES.get(route[1]))
    told = {name: value for name, value in reply.headers.items() if name not in {"date", "x-request-id"}}
    return reply.status_code, reply.content, told


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_a_foreign_id_and_one_that_never_was_get_the_same_reply(
    service: Service, learner: LearnerSession, stranger: LearnerSession, route: tuple[str, str]
) -> None:
    foreign_id = own_id(service, learner, route[1])

    foreign = reply_to(service, stranger, route, foreign_id)
    unknown = reply_to(service, stranger, route, secrets.token_hex(16))

    assert foreign == unknown
    assert foreign[0] in {401, 404}


@pytest.mark.parametrize(("path", "body", "name"), NAMED_IN_BODIES)
def test_an_id_in_a_body_reaches_nobody_else_either(
    service: Service,
    learner: LearnerSession,
    stranger: LearnerSession,
    path: str,
    body: dict[str, object],
    name: str,
) -> None:
    foreign_id = own_id(service, learner, path + name)

    own, foreign, unknown = (
        post(service, session, path, body | {name: named})
        for session, named in ((learner, foreign_id), (stranger, foreign_id), (stranger, secrets.token_hex(16)))
    )

    assert own.is_success, own.text
    assert (foreign.status_code, foreign.content) == (404, unknown.content)


def test_the_exact_sentence_of_another_learner_finds_nothing_of_his(
    learner: LearnerSession, stranger: LearnerSession
) -> None:
    upload(learner, library.ENGLISH[8])
    assert library.ENGLISH_ANSWER in learner.ask(library.ENGLISH[8]).passages[0].text

    found = stranger.ask(library.ENGLISH[8]).passages

    assert not any(library.ENGLISH_ANSWER in passage.text for passage in found)


def test_a_question_cannot_name_another_learner_s_document(
    service: Service, learner: LearnerSession, stranger: LearnerSession
) -> None:
    document_id = upload(learner, library.ENGLISH[8])
    headers = {"Authorization": f"Bearer {stranger.signed_in.token}"}

    replies = [
        httpx2.post(
            f"{service.url}/v1/sessions/current/queries",
            json={"text": "ice crystals", "document_ids": [named]},
            headers=headers,
            trust_env=False,
            timeout=60,
        )
        for named in (document_id, secrets.token_hex(16))
    ]

    assert [reply.status_code for reply in replies] == [404, 404]
    assert replies[0].content == replies[1].content


def test_the_same_document_in_two_sessions_is_two_documents(learner: LearnerSession, stranger: LearnerSession) -> None:
    upload(stranger, library.ENGLISH[8])
    mine = upload(learner, library.ENGLISH[8])

    learner.delete(mine)

    question = Question(text=library.ENGLISH_QUESTION)
    assert library.ENGLISH_ANSWER in stranger.ask(question).passages[0].text
    assert stranger.sign_out()["statement"]["documents_purged"] == 2
