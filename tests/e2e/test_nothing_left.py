"""What a learner uploaded and asked is nowhere once he is gone, and never in a file in the clear (P1 to P3)."""

import socket
from pathlib import Path

import pytest

from api.client import Client, LearnerSession, Problem
from tests.conftest import new_learner
from tests.support import inspection, library, residue
from tests.support.mariadb import Server
from tests.support.service import Service
from tests.support.wire import slow_upload


def sentence(marker: str) -> str:
    return f"The {marker} is a bird that nests only in the bell tower of the old observatory."


def upload_everywhere(session: LearnerSession, marker: str) -> None:
    """Put the marker where a learner can: text, page pixels, file name, question."""
    uploads = [
        library.pdf((*library.ENGLISH[:3], sentence(marker)), name=f"{marker}.pdf"),
        library.text((sentence(marker), *library.FRENCH), name="note.md"),
        library.photo(sentence(marker)),
    ]
    documents = session.upload(*((upload.name, upload.data, upload.media_type) for upload in uploads))
    assert [session.wait(document.document_id).status for document in documents] == ["ready"] * 3
    assert any(marker in passage.text for passage in session.ask(f"Where does the {marker} nest?").passages)


def say_everywhere(service: Service, session: LearnerSession, marker: str) -> None:
    """Put the marker where a tutor can: a turn of the conversation, a suggestion."""
    with service.client(session.signed_in.token) as http:
        http.post("/v1/sessions/current/turns", json={"role": "learner", "text": sentence(marker)})
        http.post("/v1/feedback", json={"feedback_type": "other", "score": 0, "suggestions": sentence(marker)})
        assert marker in http.get("/v1/sessions/current/turns").text
        assert marker in http.post("/v1/searches/feedback", json={}).text


def test_after_sign_out_nothing_of_the_session_is_found_anywhere(service: Service, learner: LearnerSession) -> None:
    sign_out_and_search(service, learner, inspection.folders(service))


def test_nothing_of_a_session_is_found_in_mariadb_s_files_either(on_mariadb: Service, mariadb: Server) -> None:
    with Client(on_mariadb.url) as client:
        learner = new_learner(client)

        sign_out_and_search(on_mariadb, learner, [*inspection.folders(on_mariadb), mariadb.folder])

    session_id = learner.session_id.encode()
    assert any(session_id in file.read_bytes() for file in mariadb.data.rglob("*") if file.is_file())


def sign_out_and_search(service: Service, learner: LearnerSession, folders: list[Path]) -> None:
    """Upload a marker in every way, find it, sign out, and find it nowhere."""
    marker = residue.new_marker()
    upload_everywhere(learner, marker)
    say_everywhere(service, learner, marker)
    before = residue.in_memory(inspection.processes(service), marker)
    controls = [folder / "control" for folder in folders]
    for control in controls:
        control.write_text(marker, encoding="utf-8")
    in_files_before = residue.in_files(folders, marker)
    for control in controls:
        control.unlink()

    receipt = learner.sign_out()

    assert before, "the marker was never in memory, so its absence below would prove nothing"
    assert sorted(in_files_before) == sorted(str(control) for control in controls), "only what was planted may be found"
    assert receipt["statement"]["documents_purged"] == 3
    assert residue.in_memory(inspection.processes(service), marker) == {}
    assert residue.in_open_files(inspection.processes(service), marker) == []
    assert residue.in_files(folders, marker) == []
    assert residue.in_bytes(inspection.metrics(service).encode(), marker) == 0


def test_while_the_session_lives_its_files_are_ciphertext_only(service: Service, learner: LearnerSession) -> None:
    marker = residue.new_marker()

    upload_everywhere(learner, marker)

    assert residue.in_files(inspection.folders(service), marker) == []
    assert residue.in_open_files(inspection.processes(service), marker) == []


def test_a_slow_upload_never_reaches_a_file_in_the_clear(service: Service, learner: LearnerSession) -> None:
    marker = residue.new_marker()
    filler = (sentence(marker) + "\n").encode() * 20_000
    with slow_upload(service.url, learner.signed_in.token, filler) as connection:
        inspection.wait_until(service, lambda: inspection.quarantined(service) > 0)
        found_in_memory = residue.in_memory(inspection.processes(service), marker)
        in_files = residue.in_files(inspection.folders(service), marker)
        in_open_files = residue.in_open_files(inspection.processes(service), marker)
        connection.shutdown(socket.SHUT_RDWR)
    learner.sign_out()

    assert found_in_memory, "the marker never arrived, so its absence from files would prove nothing"
    assert in_files == []
    assert in_open_files == []
    assert inspection.quarantined(service) == 0
    assert residue.in_memory(inspection.processes(service), marker) == {}


def test_nothing_of_refused_uploads_stays_in_memory(service: Service, client: Client) -> None:
    learner = new_learner(client)
    marker = residue.new_marker()
    session = inspection.session_process(service, learner.session_id)
    assert session is not None
    name, body = f"{marker}.txt", sentence(marker).encode()
    learner.wait(learner.upload((name, body, "text/plain"))[0].document_id)
    before = residue.in_memory(inspection.processes(service), marker)
    with inspection.full_disk(session), service.client(learner.signed_in.token) as http:
        replies = [http.post("/v1/sessions/current/documents", files={"file": (name, body)}) for _ in range(8)]
    learner.sign_out()

    assert before, "the marker was never in memory, so its absence below would prove nothing"
    assert [reply.json()["code"] for reply in replies] == ["no_space"] * 8
    assert residue.in_memory(inspection.processes(service), marker) == {}


def test_errors_and_logs_repeat_nothing_of_the_request(service: Service, client: Client) -> None:
    marker = residue.new_marker()
    learner = new_learner(client)  # One of the routes erases the account.
    replies = [
        inspection.provoke(service, route, marker, learner.signed_in.token, in_query=in_query)
        for in_query in (True, False)
        for route in inspection.every_route()
    ]

    assert any(reply.status_code == 422 for reply in replies)
    assert [reply.url for reply in replies if residue.in_bytes(reply.content, marker)] == []
    assert residue.in_bytes(service.log.encode(), marker) == 0
    with pytest.raises(Problem, match="invalid_credentials"):
        client.sign_in(f"{marker}@example.org", marker)
    assert residue.in_bytes(service.log.encode(), marker) == 0
