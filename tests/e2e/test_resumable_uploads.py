"""Resumable uploads (tus 1.0) against a whole running service, with raw requests and with the real tus-js-client."""

import asyncio
import base64
import contextlib
import io
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx2
import pytest
from pypdf import PdfReader, PdfWriter

from api.client import Client, LearnerSession
from sessions.client import UploadStream
from tests.conftest import new_learner, serving
from tests.support import inspection, library, residue, tus_client
from tests.support.service import Service, eventually

UPLOADS = "/v1/sessions/current/uploads"
DOCUMENTS = "/v1/sessions/current/documents"
KEEPER = b"The lighthouse keeper of Saint Amand breeds blue newts in the rain barrel behind the tower."
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}
RESUME_SECONDS = 20


@pytest.fixture
def http(service: Service, learner: LearnerSession) -> Iterator[httpx2.Client]:
    with service.client(learner.signed_in.token) as client:
        yield client


@pytest.fixture(scope="module")
def impatient() -> Iterator[Service]:
    """A service that waits one second for the next byte, and not for long for a broken upload to go on."""
    with serving(MAYFLY_UPLOADS_IDLE_SECONDS="1", MAYFLY_UPLOADS_RESUME_SECONDS=str(RESUME_SECONDS)) as service:
        yield service


@pytest.fixture
def impatient_learner(impatient: Service) -> Iterator[LearnerSession]:
    with Client(impatient.url) as client, new_learner(client) as session:
        yield session


def said(name: str, media_type: str = "text/plain") -> str:
    pairs = {"filename": name, "filetype": media_type, "relativePath": "null"}
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())


def start(http: httpx2.Client, length: int, name: str = "note.txt", **more: str) -> str:
    reply = http.post(UPLOADS, headers=TUS | {"Upload-Length": str(length), "Upload-Metadata": said(name)} | more)
    assert reply.status_code == 201, reply.text
    return reply.headers["location"]


def patch(http: httpx2.Client, url: str, offset: int, data: Any) -> httpx2.Response:
    return http.patch(url, headers=TUS | BYTES | {"Upload-Offset": str(offset)}, content=data)


def offset_of(http: httpx2.Client, url: str) -> int:
    return int(http.head(url, headers=TUS).headers["upload-offset"])


def code(reply: httpx2.Response) -> tuple[int, str]:
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["tus-resumable"] == "1.0.0"
    assert reply.headers["cache-control"] == "no-store"
    return reply.status_code, reply.json()["code"]


def settled(http: httpx2.Client, document_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any]:
        return http.get(f"{DOCUMENTS}/{document_id}").json()

    assert eventually(lambda: look()["status"] in {"ready", "failed"}, seconds=60)
    return look()


def begin_patch(
    service: Service, token: str, url: str, content: bytes, *, length: int, offset: int = 0
) -> socket.socket:
    """Send the first part of a PATCH that announces ``length`` bytes, and return the connection, still open."""
    lines = (
        f"PATCH {url} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nTus-Resumable: 1.0.0\r\n"
        f"Content-Type: application/offset+octet-stream\r\nUpload-Offset: {offset}\r\nContent-Length: {length}\r\n\r\n"
    )
    connection = socket.create_connection(("127.0.0.1", service.port), timeout=60)
    connection.sendall(lines.encode() + content)
    return connection


# --- the way it should go --------------------------------------------------------------------------------------------


def test_a_tus_client_is_told_what_it_can_do_without_a_token(service: Service) -> None:
    with service.client() as nobody:
        reply = nobody.options(UPLOADS)
        largest = nobody.get("/v1/limits").json()

    assert (reply.status_code, reply.content) == (204, b"")
    assert reply.headers["tus-resumable"] == reply.headers["tus-version"] == "1.0.0"
    assert set(reply.headers["tus-extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "expiration",
        "termination",
    }
    assert int(reply.headers["tus-max-size"]) == largest["file_bytes"]
    assert largest["upload_resume_seconds"] == 600


def test_a_file_that_comes_in_parts_is_read_and_found(http: httpx2.Client) -> None:
    url = start(http, len(KEEPER), name="phare été.txt")

    first = patch(http, url, 0, KEEPER[:40])
    between = http.head(url, headers=TUS)
    last = patch(http, url, 40, KEEPER[40:])

    assert (first.status_code, first.headers["upload-offset"], first.content) == (204, "40", b"")
    assert (between.status_code, between.headers["upload-offset"]) == (204, "40")
    assert between.headers["upload-length"] == str(len(KEEPER))
    assert between.headers["upload-metadata"] == said("phare été.txt")
    assert between.headers["cache-control"] == "no-store"
    assert (last.status_code, last.headers["upload-offset"]) == (204, str(len(KEEPER)))
    document = settled(http, last.headers["mayfly-document-id"])
    assert (document["status"], document["filename"], document["bytes"]) == ("ready", "phare été.txt", len(KEEPER))
    assert "blue newts" in http.post("/v1/sessions/current/queries", json={"text": "blue newts"}).text
    assert http.get("/v1/sessions/current").json()["quarantined_files"] == 0


def test_the_first_bytes_may_come_with_the_start(http: httpx2.Client) -> None:
    headers = TUS | BYTES | {"Upload-Length": str(len(KEEPER)), "Upload-Metadata": said("n.txt")}

    part = http.post(UPLOADS, headers=headers, content=KEEPER[:10])
    whole = http.post(UPLOADS, headers=headers, content=KEEPER)

    assert (part.status_code, part.headers["upload-offset"]) == (201, "10")
    assert "mayfly-document-id" not in part.headers
    assert offset_of(http, part.headers["location"]) == 10
    assert (whole.status_code, whole.headers["upload-offset"]) == (201, str(len(KEEPER)))
    assert settled(http, whole.headers["mayfly-document-id"])["status"] == "ready"


@pytest.mark.parametrize("headers", [{}, BYTES])
def test_an_empty_file_is_a_document_that_says_so(http: httpx2.Client, headers: dict[str, str]) -> None:
    reply = http.post(UPLOADS, headers=TUS | headers | {"Upload-Length": "0"})

    assert reply.status_code == 201
    document = settled(http, reply.headers["mayfly-document-id"])
    assert (document["status"], document["error"], document["filename"]) == ("failed", "empty_document", "document")


def test_the_document_is_in_the_receipt(learner: LearnerSession, http: httpx2.Client) -> None:
    url = start(http, len(KEEPER))
    settled(http, patch(http, url, 0, KEEPER).headers["mayfly-document-id"])

    assert learner.sign_out()["statement"]["documents_purged"] == 1


@pytest.mark.parametrize("server_notices", [True, False], ids=["the server notices", "the server does not notice"])
@pytest.mark.parametrize("chunk_bytes", [1_000_000, 10**12], ids=["in chunks", "in one request"])
def test_the_real_tus_client_resumes_after_its_connection_broke(
    service: Service,
    learner: LearnerSession,
    http: httpx2.Client,
    tmp_path: Path,
    chunk_bytes: int,
    server_notices: bool,
) -> None:
    book = tmp_path / "book.pdf"
    book.write_bytes(padded(library.pdf([KEEPER.decode()]).data, 4_000_000))
    sealed = service.runtime_dir / "quarantine" / learner.session_id

    def has_arrived() -> bool:
        return sum(file.stat().st_size for file in sealed.rglob("*") if file.is_file()) > 1_100_000

    with tus_client.FrailWire(
        service.port, breaks_after_bytes=2_500_000, once=has_arrived, server_notices=server_notices
    ) as wire:
        seen = tus_client.upload(
            wire.url,
            learner.signed_in.token,
            book,
            filename="carnet été.pdf",
            media_type="application/pdf",
            chunk_bytes=chunk_bytes,
        )

    offsets = [int(offset) for method, offset in seen["requests"] if method == "PATCH"]
    assert seen["error"] is None
    assert wire.broke.is_set(), "nothing broke, so nothing was resumed"
    assert "HEAD" in [method for method, _ in seen["requests"]]
    assert len(offsets) >= 2
    assert offsets[-1] >= 1_000_000, "what had arrived was sent again"
    document = settled(http, seen["document_id"])
    assert (document["status"], document["filename"]) == ("ready", "carnet été.pdf")
    assert document["bytes"] == book.stat().st_size
    assert "blue newts" in http.post("/v1/sessions/current/queries", json={"text": "blue newts"}).text


def padded(pdf: bytes, size: int) -> bytes:
    """Return the same book with an attachment that makes it large and cannot be compressed."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf)))
    writer.add_attachment("noise.bin", os.urandom(size))
    book = io.BytesIO()
    writer.write(book)
    return book.getvalue()


# --- what breaks, and what is refused --------------------------------------------------------------------------------


def test_what_arrived_before_a_connection_broke_is_kept_sealed(
    service: Service, learner: LearnerSession, http: httpx2.Client
) -> None:
    marker = residue.new_marker()
    data = f"The {marker} nests in the old observatory.\n".encode() * 10_000
    url = start(http, len(data))
    half = len(data) // 2
    with begin_patch(service, learner.signed_in.token, url, data[:half], length=len(data)) as connection:
        assert eventually(lambda: offset_of(http, url) == half, seconds=60)
        in_files = residue.in_files(inspection.folders(service), marker)
        connection.shutdown(socket.SHUT_RDWR)

    assert in_files == []
    assert http.get("/v1/sessions/current").json()["quarantined_files"] == 1
    assert eventually(lambda: patch(http, url, half, b"").status_code == 204, seconds=60)
    reply = patch(http, url, half, data[half:])
    assert reply.headers["mayfly-document-id"]
    assert http.get(DOCUMENTS).json()["documents"][0]["bytes"] == len(data)


def test_an_upload_goes_on_while_its_broken_connection_still_looks_alive(
    service: Service, learner: LearnerSession, http: httpx2.Client
) -> None:
    url = start(http, len(KEEPER))
    with begin_patch(service, learner.signed_in.token, url, KEEPER[:40], length=len(KEEPER)):
        assert eventually(lambda: offset_of(http, url) == 40, seconds=60)

        assert eventually(lambda: patch(http, url, 40, KEEPER[40:]).status_code == 204, seconds=60)

    assert http.head(url, headers=TUS).headers["mayfly-document-id"]


def test_a_retry_of_the_last_request_finds_the_document_and_makes_no_other(http: httpx2.Client) -> None:
    url = start(http, len(KEEPER))
    first = patch(http, url, 0, KEEPER)

    assert code(patch(http, url, 0, KEEPER)) == (409, "offset_conflict")
    asked = http.head(url, headers=TUS)
    again = patch(http, url, len(KEEPER), b"")

    named = {reply.headers["mayfly-document-id"] for reply in (first, asked, again)}
    assert len(named) == 1
    assert (asked.headers["upload-offset"], again.status_code) == (str(len(KEEPER)), 204)
    assert len(http.get(DOCUMENTS).json()["documents"]) == 1


def test_a_document_that_its_last_request_did_not_come_to_write_down_is_written_down_when_asked_for(
    service: Service, learner: LearnerSession, http: httpx2.Client
) -> None:
    url = start(http, len(KEEPER))
    session_process = service.runtime_dir / "sessions" / f"{learner.session_id}.sock"

    async def complete_it_without_a_front() -> None:
        async with UploadStream(session_process) as upload:
            await upload.resume(url.rpartition("/")[2], 0)
            await upload.data(KEEPER)
            await upload.suspend()

    def recorded() -> str:
        return http.get("/v1/accounts/me/export").text

    asyncio.run(complete_it_without_a_front())
    (document,) = http.get(DOCUMENTS).json()["documents"]
    assert document["document_id"] not in recorded()

    for _ in range(2):
        assert http.head(url, headers=TUS).headers["mayfly-document-id"] == document["document_id"]

    assert recorded().count(document["document_id"]) == 1


def test_bytes_from_two_at_once_never_mix(http: httpx2.Client) -> None:
    data = bytes(range(256)) * 4000
    url = start(http, len(data))
    together = Barrier(4)

    def parts() -> Iterator[bytes]:
        yield data[:100_000]
        together.wait(60)
        yield data[100_000:]

    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: patch(http, url, 0, parts()), range(4)))

    refusals = [code(reply) for reply in replies if reply.status_code != 204]
    assert set(refusals) <= {(423, "upload_locked"), (409, "offset_conflict")}
    assert len(refusals) == 3
    assert [document["bytes"] for document in http.get(DOCUMENTS).json()["documents"]] == [len(data)]


@pytest.mark.parametrize(
    ("headers", "body", "refusal"),
    [
        ({}, b"", (412, "unsupported_tus_version")),
        ({"Tus-Resumable": "0.2.2", "Upload-Length": "5"}, b"", (412, "unsupported_tus_version")),
        (TUS, b"", (422, "invalid_request")),
        (TUS | {"Upload-Length": "-1"}, b"", (422, "invalid_request")),
        (TUS | {"Upload-Length": "many"}, b"", (422, "invalid_request")),
        (TUS | {"Upload-Defer-Length": "1"}, b"", (422, "invalid_request")),
        (TUS | {"Upload-Length": str(26_214_401)}, b"", (413, "too_large")),
        (TUS | {"Upload-Length": str(2**53)}, b"", (413, "too_large")),
        (TUS | {"Upload-Length": "5", "Upload-Metadata": "filename ä"}, b"", (422, "invalid_request")),
        (TUS | {"Upload-Length": "5", "Upload-Metadata": "filename /w=="}, b"", (422, "invalid_request")),
        (TUS | {"Upload-Length": "5", "Upload-Metadata": "filename YQ==,filename Yg=="}, b"", (422, "invalid_request")),
        (TUS | {"Upload-Length": "5"}, b"hello", (415, "unsupported_content_type")),
        (TUS | BYTES | {"Upload-Length": "5"}, b"hello!", (413, "too_large")),
        (TUS | BYTES | {"Upload-Length": "0"}, b"hello!", (413, "too_large")),
        (TUS | BYTES | {"Upload-Length": "5", "Content-Encoding": "gzip"}, b"hello", (415, "unsupported_encoding")),
    ],
)
def test_a_start_out_of_form_is_refused_and_leaves_nothing(
    http: httpx2.Client, headers: dict[str, str], body: bytes, refusal: tuple[int, str]
) -> None:
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]

    reply = http.post(UPLOADS, headers=sent, content=body)

    assert code(reply) == refusal
    held = http.get("/v1/sessions/current").json()
    assert (held["quarantined_files"], held["documents"]) == (0, 0)
    if refusal[0] == 412:
        assert reply.headers["tus-version"] == "1.0.0"


@pytest.mark.parametrize(
    ("headers", "body", "refusal"),
    [
        ({"Tus-Resumable": "1.0"}, b"12345", (412, "unsupported_tus_version")),
        ({"Content-Type": "application/octet-stream"}, b"12345", (415, "unsupported_content_type")),
        ({"Upload-Offset": "4"}, b"12345", (409, "offset_conflict")),
        ({"Upload-Offset": "6"}, b"12345", (409, "offset_conflict")),
        ({"Upload-Offset": "-5"}, b"12345", (422, "invalid_request")),
        ({"Upload-Offset": "five"}, b"12345", (422, "invalid_request")),
        ({}, b"123456", (413, "too_large")),
        ({"Content-Encoding": "gzip"}, b"12345", (415, "unsupported_encoding")),
    ],
)
def test_bytes_out_of_form_are_refused_and_change_nothing(
    http: httpx2.Client, headers: dict[str, str], body: bytes, refusal: tuple[int, str]
) -> None:
    url = start(http, 10)
    patch(http, url, 0, b"12345")

    reply = http.patch(url, headers=TUS | BYTES | {"Upload-Offset": "5"} | headers, content=body)

    assert code(reply) == refusal
    assert offset_of(http, url) == 5
    assert patch(http, url, 5, b"67890").headers["mayfly-document-id"]


def test_a_client_that_sends_more_than_it_announced_has_no_upload_any_more(http: httpx2.Client) -> None:
    url = start(http, 300_000)

    reply = patch(http, url, 0, iter([b"x" * 100_000] * 4))

    assert code(reply) == (413, "too_large")
    assert http.head(url, headers=TUS).status_code == 404
    assert http.get("/v1/sessions/current").json()["quarantined_files"] == 0


def test_the_session_s_quota_holds_for_uploads_that_are_not_complete(http: httpx2.Client) -> None:
    started = [start(http, 10) for _ in range(20)]

    refused = http.post(UPLOADS, headers=TUS | {"Upload-Length": "10"})
    http.delete(started[0], headers=TUS)

    assert code(refused) == (413, "quota_exceeded")
    start(http, 10)


def test_without_a_token_and_with_another_s_nothing_is_there(
    service: Service, http: httpx2.Client, client: Client
) -> None:
    url = start(http, len(KEEPER))
    with service.client() as nobody, new_learner(client) as other, service.client(other.signed_in.token) as foreign:
        unknown = f"{UPLOADS}/{'0' * 32}"
        for asked in (url, unknown):
            assert code(patch(nobody, asked, 0, KEEPER)) == (401, "session_expired")
            assert code(patch(foreign, asked, 0, KEEPER)) == (404, "not_found")
            assert code(foreign.delete(asked, headers=TUS)) == (404, "not_found")
            assert foreign.head(asked, headers=TUS).status_code == 404

    assert offset_of(http, url) == 0


def test_nothing_is_taken_from_the_query_and_no_method_is_overridden(http: httpx2.Client) -> None:
    url = start(http, 5)

    assert code(http.patch(url + "?x=1", headers=TUS | BYTES | {"Upload-Offset": "0"})) == (400, "query_not_allowed")
    assert code(http.post(url, headers=TUS | {"X-HTTP-Method-Override": "PATCH"}))[0] == 405


@pytest.mark.slow
def test_an_upload_goes_on_when_the_front_has_died() -> None:
    with serving() as service, Client(service.url) as client, new_learner(client) as session:
        token = session.signed_in.token
        with service.client(token) as http:
            url = start(http, len(KEEPER))
            with begin_patch(service, token, url, KEEPER[:40], length=len(KEEPER)):
                assert eventually(lambda: offset_of(http, url) == 40, seconds=60)

                inspection.kill(inspection.process(service, "front"))

            service.wait_until_ready()
            last = patch(http, url, 40, KEEPER[40:])

            assert settled(http, last.headers["mayfly-document-id"])["bytes"] == len(KEEPER)


# --- how uploads end -------------------------------------------------------------------------------------------------


def test_a_dropped_upload_is_gone_with_its_document(http: httpx2.Client) -> None:
    unfinished, complete = start(http, 10), start(http, len(KEEPER))
    patch(http, unfinished, 0, b"12345")
    document_id = patch(http, complete, 0, KEEPER).headers["mayfly-document-id"]

    replies = [http.delete(url, headers=TUS) for url in (unfinished, complete)]

    assert [(reply.status_code, reply.content) for reply in replies] == [(204, b"")] * 2
    assert [http.head(url, headers=TUS).status_code for url in (unfinished, complete)] == [404] * 2
    assert http.get(f"{DOCUMENTS}/{document_id}").status_code == 404
    assert http.get("/v1/sessions/current").json()["quarantined_files"] == 0


def test_an_upload_is_known_no_longer_than_its_document(http: httpx2.Client) -> None:
    url = start(http, len(KEEPER))
    document_id = patch(http, url, 0, KEEPER).headers["mayfly-document-id"]

    http.delete(f"{DOCUMENTS}/{document_id}")

    assert http.head(url, headers=TUS).status_code == 404


@pytest.mark.slow
@pytest.mark.parametrize("how", ["drop", "sign out"])
def test_an_upload_can_be_ended_while_its_bytes_arrive(
    service: Service, learner: LearnerSession, http: httpx2.Client, how: str
) -> None:
    marker = residue.new_marker()
    data = f"The {marker} nests in the old observatory.\n".encode() * 10_000
    url = start(http, 2 * len(data))
    waiting = (service.runtime_dir / "quarantine" / learner.session_id).rglob("*")
    sealed = [file for file in waiting if file.is_file() and not file.name.startswith(".")]
    with begin_patch(service, learner.signed_in.token, url, data, length=2 * len(data)) as connection:
        assert eventually(lambda: offset_of(http, url) == len(data), seconds=60)
        assert len(sealed) == 1
        if how == "drop":
            assert http.delete(url, headers=TUS).status_code == 204
        else:
            assert residue.in_memory(inspection.processes(service), marker), "it never arrived"
            assert learner.sign_out()["statement"]["documents_purged"] == 0
        assert not any(file.exists() for file in sealed)
        with contextlib.suppress(OSError):
            connection.sendall(data)
        refusal = connection.recv(65_536)

    assert refusal.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 401 "))
    if how == "sign out":
        assert residue.in_memory(inspection.processes(service), marker) == {}
        assert residue.in_files(inspection.folders(service), marker) == []


@pytest.mark.slow
def test_a_slow_client_is_cut_off_and_keeps_what_it_sent_until_the_upload_expires(
    impatient: Service, impatient_learner: LearnerSession
) -> None:
    token = impatient_learner.signed_in.token
    with impatient.client(token) as http:
        url = start(http, 1000)
        with begin_patch(impatient, token, url, b"x" * 100, length=1000) as connection:
            refusal = connection.recv(65_536)
        asked = http.head(url, headers=TUS)
        left = parsedate_to_datetime(asked.headers["upload-expires"]) - datetime.now(UTC)

        assert refusal.startswith(b"HTTP/1.1 408 ")
        assert asked.headers["upload-offset"] == "100"
        assert left.total_seconds() <= RESUME_SECONDS
        assert eventually(lambda: http.head(url, headers=TUS).status_code == 404, seconds=3 * RESUME_SECONDS)
        assert http.get("/v1/sessions/current").json()["quarantined_files"] == 0
