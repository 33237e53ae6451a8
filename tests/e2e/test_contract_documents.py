"""The HTTP contract of documents and queries, against a whole running service."""

import gzip
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from api.client import LearnerSession
from tests.support import library
from tests.support.service import Service, eventually
from tests.support.wire import BOUNDARY, slow_upload

DOCUMENTS = "/v1/sessions/current/documents"
QUERIES = "/v1/sessions/current/queries"
KEEPER = b"The lighthouse keeper of Saint Amand breeds blue newts in the rain barrel behind the tower."


@pytest.fixture
def http(service: Service, learner: LearnerSession) -> Iterator[httpx2.Client]:
    with service.client(learner.signed_in.token) as client:
        yield client


def upload(http: httpx2.Client, *contents: bytes, **headers: str) -> httpx2.Response:
    files = [("file", (f"note {number}.txt", content, "text/plain")) for number, content in enumerate(contents)]
    return http.post(DOCUMENTS, files=files, headers=headers)


def settled(http: httpx2.Client, document_id: str) -> dict[str, Any]:
    def is_settled() -> bool:
        return http.get(f"{DOCUMENTS}/{document_id}").json()["status"] in {"ready", "failed"}

    assert eventually(is_settled, seconds=60)
    return http.get(f"{DOCUMENTS}/{document_id}").json()


def ready(http: httpx2.Client, content: bytes = KEEPER) -> dict[str, Any]:
    document = settled(http, upload(http, content).json()["documents"][0]["document_id"])
    assert (document["status"], document["error"]) == ("ready", None)
    return document


def code(reply: httpx2.Response) -> tuple[int, str]:
    assert reply.headers["content-type"] == "application/problem+json"
    return reply.status_code, reply.json()["code"]


def test_an_upload_is_taken_read_and_found(http: httpx2.Client) -> None:
    accepted = upload(http, KEEPER)
    document = settled(http, accepted.json()["documents"][0]["document_id"])
    answer = http.post(QUERIES, json={"text": "What does the lighthouse keeper breed?"}).json()

    assert accepted.status_code == 202
    assert (document["status"], document["filename"], document["bytes"]) == ("ready", "note 0.txt", len(KEEPER))
    assert (document["pages"], document["chunks"], document["progress"]) == (1, 1, 1.0)
    assert set(document["timings"]) == {"extracting", "chunking", "embedding"}
    assert all((stage["pages_done"], stage["pages_known"]) == (1, 1) for stage in document["timings"].values())
    passage = answer["passages"][0]
    assert (passage["document_id"], passage["page"], passage["rank"]) == (document["document_id"], 1, 1)
    assert "blue newts" in passage["text"]
    assert passage["relevance"] in {"high", "medium", "low"}
    assert answer["nothing_relevant"] is False


def test_a_grant_finds_what_the_learner_uploaded(service: Service, http: httpx2.Client) -> None:
    ready(http)
    grant = http.post("/v1/sessions/current/grants").json()["token"]

    with service.client(grant) as tutor:
        answer = tutor.post(QUERIES, json={"text": "What does the lighthouse keeper breed?"})

    assert "blue newts" in answer.json()["passages"][0]["text"]


def test_several_files_of_one_request_are_listed_in_their_order(http: httpx2.Client) -> None:
    made = [document["document_id"] for document in upload(http, b"one", b"two", b"three").json()["documents"]]

    listed = [document["document_id"] for document in http.get(DOCUMENTS).json()["documents"]]

    assert listed == made
    assert len(set(made)) == 3


def test_the_same_idempotency_key_with_the_same_bytes_is_one_document(http: httpx2.Client) -> None:
    first, second = (upload(http, KEEPER, **{"Idempotency-Key": "k1"}) for _ in range(2))

    assert first.json()["documents"][0]["document_id"] == second.json()["documents"][0]["document_id"]
    assert len(http.get(DOCUMENTS).json()["documents"]) == 1


def test_the_same_idempotency_key_with_other_bytes_is_a_conflict(http: httpx2.Client) -> None:
    upload(http, KEEPER, **{"Idempotency-Key": "k1"})

    assert code(upload(http, b"other", **{"Idempotency-Key": "k1"})) == (409, "idempotency_conflict")
    assert len(http.get(DOCUMENTS).json()["documents"]) == 1


def test_the_same_idempotency_key_twice_at_once_is_one_document(http: httpx2.Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: upload(http, KEEPER * 50, **{"Idempotency-Key": "k2"}), range(8)))

    assert {reply.status_code for reply in replies} <= {202, 409}
    assert len(http.get(DOCUMENTS).json()["documents"]) == 1


def test_a_malformed_idempotency_key_is_refused(http: httpx2.Client) -> None:
    reply = upload(http, KEEPER, **{"Idempotency-Key": "not/allowed"})

    assert code(reply) == (422, "invalid_request")
    assert reply.json()["errors"] == [{"pointer": "/idempotency-key", "code": "string_pattern_mismatch"}]


def test_events_tell_the_progress_until_the_document_is_ready(http: httpx2.Client) -> None:
    document = upload(http, KEEPER * 40).json()["documents"][0]

    with http.stream("GET", f"{DOCUMENTS}/{document['document_id']}/events") as stream:
        lines = [line for line in stream.iter_lines() if line.startswith("data: ")]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]

    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.headers["cache-control"] == "no-store"
    assert events[-1]["status"] == "ready"
    assert events[-1]["progress"] == 1.0
    progress = [event["progress"] for event in events]
    assert progress == sorted(progress)
    assert all(set(event) == {"document_id", "status", "progress", "error", "timings"} for event in events)


def test_events_count_the_pages_of_each_stage(http: httpx2.Client) -> None:
    book = library.long_pdf(40, fact="The bell of the lighthouse weighs nine stone.", on_page=7)
    sent = http.post(DOCUMENTS, files=[("file", (book.name, book.data, book.media_type))])
    document_id = sent.json()["documents"][0]["document_id"]

    with http.stream("GET", f"{DOCUMENTS}/{document_id}/events") as stream:
        lines = [line for line in stream.iter_lines() if line.startswith("data: ")]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]

    for stage in ("extracting", "chunking", "embedding"):
        told = [event["timings"][stage] for event in events if stage in event["timings"]]
        done = [each["pages_done"] for each in told]
        assert done == sorted(done)
        assert (done[-1], told[-1]["pages_known"]) == (40, 40)
        assert all(each["pages_done"] <= each["pages_known"] for each in told)
    assert len({event["timings"]["embedding"]["pages_done"] for event in events if "embedding" in event["timings"]}) > 2


def test_events_of_a_document_that_is_done_end_at_once(http: httpx2.Client) -> None:
    document = ready(http)

    stream = http.get(f"{DOCUMENTS}/{document['document_id']}/events")

    assert stream.text.count("data: ") == 1


def test_a_deleted_document_is_found_no_more(http: httpx2.Client) -> None:
    document = ready(http)
    before = http.post(QUERIES, json={"text": "blue newts"}).json()

    removed = http.delete(f"{DOCUMENTS}/{document['document_id']}")

    assert before["passages"]
    assert removed.json() == {
        "document_id": document["document_id"],
        "pages": 1,
        "chunks": 1,
        "bytes": len(KEEPER),
    }
    assert code(http.get(f"{DOCUMENTS}/{document['document_id']}")) == (404, "not_found")
    assert code(http.post(QUERIES, json={"text": "blue newts"})) == (409, "nothing_indexed")
    assert http.get("/v1/sessions/current").json()["bytes"] == 0


def test_an_unknown_a_foreign_and_a_deleted_document_get_the_same_answer(
    service: Service, http: httpx2.Client, client: Any
) -> None:
    from tests.conftest import new_learner

    deleted = ready(http)["document_id"]
    http.delete(f"{DOCUMENTS}/{deleted}")
    with new_learner(client) as other, service.client(other.signed_in.token) as foreign_http:
        foreign = ready(foreign_http)["document_id"]
        ids = ["unknown", "0" * 32, deleted, foreign]
        answers = [
            (reply.status_code, reply.text)
            for document_id in ids
            for reply in (
                http.get(f"{DOCUMENTS}/{document_id}"),
                http.get(f"{DOCUMENTS}/{document_id}/events"),
                http.delete(f"{DOCUMENTS}/{document_id}"),
            )
        ]
        asked = [code(http.post(QUERIES, json={"text": "newts", "document_ids": [document_id]})) for document_id in ids]

    assert {status for status, _ in answers} == {404}
    assert len({text for _, text in answers}) == 1
    assert len(set(asked)) == 1


def test_a_file_that_is_too_large_is_refused_and_nothing_of_it_kept(http: httpx2.Client) -> None:
    limit = http.get("/v1/limits").json()["file_bytes"]

    assert code(upload(http, b"x" * (limit + 1))) == (413, "too_large")
    held = http.get("/v1/sessions/current").json()
    assert (held["documents"], held["bytes"], held["quarantined_files"]) == (0, 0, 0)


def test_one_file_too_many_refuses_them_all(http: httpx2.Client) -> None:
    limit = http.get("/v1/limits").json()["files_per_session"]

    assert code(upload(http, *[b"x"] * (limit + 1))) == (413, "quota_exceeded")
    assert http.get("/v1/sessions/current").json()["documents"] == 0


@pytest.mark.parametrize(
    ("content", "headers", "expected"),
    [
        (b"x", {}, (415, "unsupported_content_type")),
        (b"", {}, (415, "unsupported_content_type")),
        (b"{}", {"Content-Type": "application/json"}, (415, "unsupported_content_type")),
        (b"x", {"Content-Type": "multipart/form-data"}, (400, "malformed_body")),
        (b"x", {"Content-Type": "multipart/form-data; boundary=b"}, (400, "malformed_body")),
        (b"--b--\r\n", {"Content-Type": "multipart/form-data; boundary=b"}, (422, "invalid_request")),
        (b"", {"Content-Type": "multipart/form-data; boundary=b"}, (400, "malformed_body")),
        (
            gzip.compress(b"x", mtime=0),
            {"Content-Type": "multipart/form-data; boundary=b", "Content-Encoding": "gzip"},
            (415, "unsupported_encoding"),
        ),
    ],
)
def test_what_is_no_form_with_a_file_is_refused(
    http: httpx2.Client, content: bytes, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    assert code(http.post(DOCUMENTS, content=content, headers=headers)) == expected
    assert http.get("/v1/sessions/current").json()["documents"] == 0


def test_a_client_that_goes_away_in_the_middle_leaves_nothing(
    service: Service, http: httpx2.Client, learner: LearnerSession
) -> None:
    def waiting() -> int:
        return http.get("/v1/sessions/current").json()["quarantined_files"]

    with slow_upload(service.url, learner.signed_in.token, KEEPER * 2000) as connection:
        assert eventually(lambda: waiting() == 1, seconds=60)
        connection.shutdown(socket.SHUT_RDWR)

    assert eventually(lambda: waiting() == 0, seconds=60)
    assert http.get(DOCUMENTS).json()["documents"] == []


def test_many_parts_without_an_end_cost_little_and_leave_nothing(http: httpx2.Client) -> None:
    part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n\r\n'.encode()

    reply = http.post(
        DOCUMENTS, content=part * 20_000, headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    )

    assert code(reply) == (413, "quota_exceeded")
    assert http.get("/v1/sessions/current").json()["quarantined_files"] == 0


@pytest.mark.parametrize(
    ("question", "pointer"),
    [
        ({}, "/text"),
        ({"text": ""}, "/text"),
        ({"text": "  "}, "/text"),
        ({"text": "x" * 4001}, "/text"),
        ({"text": "\ud800"}, "/text"),
        ({"text": "x", "top_k": 0}, "/top_k"),
        ({"text": "x", "top_k": 21}, "/top_k"),
        ({"text": "x", "max_tokens": 0}, "/max_tokens"),
        ({"text": "x", "document_ids": []}, "/document_ids"),
        ({"text": "x", "language": "english"}, "/language"),
        ({"text": "x", "grant": "y"}, ""),
    ],
)
def test_a_question_out_of_form_points_at_the_field(
    http: httpx2.Client, question: dict[str, Any], pointer: str
) -> None:
    reply = http.post(QUERIES, content=json.dumps(question), headers={"Content-Type": "application/json"})

    assert code(reply) == (422, "invalid_request")
    assert [field["pointer"] for field in reply.json()["errors"]] == [pointer]


def test_questions_are_bounded_as_they_ask(http: httpx2.Client) -> None:
    for number in range(4):
        ready(http, KEEPER + f" The barrel has the number {number}.".encode())

    few = http.post(QUERIES, json={"text": "blue newts in the barrel", "top_k": 2}).json()
    short = http.post(QUERIES, json={"text": "blue newts in the barrel", "top_k": 10, "max_tokens": 40}).json()

    assert len(few["passages"]) <= 2
    assert 1 <= len(short["passages"]) < 4
    assert [passage["rank"] for passage in few["passages"]] == list(range(1, len(few["passages"]) + 1))
