"""Any process may die at any stage: afterwards every status is true and nothing is left over (P2, P6, P10)."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import pytest

from api.client import Client, Document, LearnerSession, Problem, Unreachable
from tests.conftest import new_learner, serving
from tests.support import inspection, library
from tests.support.inspection import end_by_hook, quarantined, wait_until
from tests.support.service import Service
from tests.support.wire import slow_upload

STAGES = ("uploading", "extracting", "embedding", "ready")


@pytest.fixture(scope="module")
def breakable() -> Iterator[Service]:
    """One service for this module: each test breaks it, and the next one proves that it came back."""
    with serving(MAYFLY_SESSIONS_SWEEP_SECONDS="0.5") as service:
        yield service


@pytest.fixture
def session(breakable: Service) -> Iterator[LearnerSession]:
    """A session that the test need not end itself."""
    wait_until(breakable, lambda: inspection.is_ready(breakable), seconds=60)
    with Client(breakable.url) as client:
        session = new_learner(client)
        yield session
        end_by_hook(breakable, session.session_id)


@dataclass
class Underway:
    """Work that has reached a stage: a document, or an upload whose connection is still open."""

    document: Document | None = None
    connection: socket.socket | None = None

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()


def bring_to(stage: str, service: Service, session: LearnerSession, *, scanned_pages: int = 6) -> Underway:
    """Upload something slow, again where it was over before anybody looked, and return when it is at the stage."""
    if stage == "uploading":
        connection = slow_upload(service.url, session.signed_in.token, b"Never to be seen again. " * 20_000)
        wait_until(service, lambda: quarantined(service) > 0)
        return Underway(connection=connection)
    book = library.long_pdf(40, fact="The ferry bell was cast from melted keys.", on_page=30)
    upload = library.scanned_pdf((library.ENGLISH * 9)[:scanned_pages]) if stage == "extracting" else book
    underway = Underway()

    def is_at_stage() -> bool:
        if underway.document is None:
            (underway.document,) = session.upload((upload.name, upload.data, upload.media_type))
        found = session.document(underway.document.document_id)
        if found.status != stage and found.status in {"ready", "failed"}:
            session.delete(found.document_id)
            underway.document = None
        return found.status == stage

    wait_until(service, is_at_stage, seconds=240)
    return underway


def assert_nothing_is_left_of(service: Service, session_id: str, died: list[psutil.Process]) -> None:
    wait_until(service, lambda: not any(process.is_running() for process in died))
    assert not (service.runtime_dir / "sessions" / f"{session_id}.sock").exists()
    assert not (service.runtime_dir / "quarantine" / session_id).exists()


def assert_serves(service: Service) -> None:
    """Prove that a new learner is served from sign-in to receipt."""
    wait_until(service, lambda: inspection.is_ready(service), seconds=60)
    with Client(service.url) as client, new_learner(client) as session:
        (document,) = session.upload(("note.txt", b"The harbour master keeps a parrot.", "text/plain"))
        assert session.wait(document.document_id).status == "ready"
        assert "parrot" in session.ask("Which bird does the harbour master keep?").passages[0].text


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("role", ["session", "host"])
def test_a_session_whose_process_dies_is_ended_with_a_receipt(
    breakable: Service, session: LearnerSession, role: str, stage: str
) -> None:
    underway = bring_to(stage, breakable, session)
    doomed = inspection.session_processes(breakable) + inspection.jails(breakable)
    assert doomed

    inspection.kill(doomed[0] if role == "session" else inspection.process(breakable, "host"))

    wait_until(breakable, lambda: inspection.is_ready(breakable), seconds=60)
    wait_until(breakable, lambda: refused(session) == "session_expired", seconds=60)
    statement = end_by_hook(breakable, session.session_id)
    assert statement["reason"] == "crash"
    assert_nothing_is_left_of(breakable, session.session_id, doomed)
    underway.close()
    assert_serves(breakable)


@pytest.mark.parametrize("stage", STAGES)
def test_a_front_that_dies_ends_no_session(breakable: Service, session: LearnerSession, stage: str) -> None:
    underway = bring_to(stage, breakable, session)
    document = underway.document

    inspection.kill(inspection.process(breakable, "front"))

    wait_until(breakable, lambda: inspection.is_ready(breakable), seconds=60)
    if document is None:
        wait_until(breakable, lambda: quarantined(breakable) == 0)
        assert session.documents() == ()
        underway.close()
    else:
        assert session.wait(document.document_id).status == "ready"
        assert session.ask("What was the ferry bell cast from?").took_ms > 0
    assert_serves(breakable)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("role", ["embedder", "jailer"])
def test_a_worker_that_dies_comes_back_and_the_document_is_finished(
    breakable: Service, session: LearnerSession, role: str, stage: str
) -> None:
    underway = bring_to(stage, breakable, session)

    inspection.kill(inspection.process(breakable, role))

    underway.close()
    finals = [session.wait(document.document_id) for document in session.documents()]
    assert [final.status for final in finals] == ([] if stage == "uploading" else ["ready"])
    wait_until(breakable, lambda: inspection.is_ready(breakable), seconds=60)
    assert all(session.ask("What was the ferry bell cast from?").took_ms for _ in finals)
    wait_until(breakable, lambda: quarantined(breakable) == 0)
    assert_serves(breakable)
    wait_until(breakable, lambda: refused(session) is None, seconds=60)


def test_a_jail_that_dies_fails_its_document_alone(breakable: Service, session: LearnerSession) -> None:
    reading = bring_to("extracting", breakable, session, scanned_pages=40).document  # It is never read to its end.
    assert reading is not None
    (other,) = session.upload(("note.txt", b"The lock keeper's goose is called Amalia.", "text/plain"))
    # A jail that dies before it has taken the document in is no fault of the document, which is read by another.
    wait_until(breakable, lambda: session.document(reading.document_id).timings["extracting"].pages_known > 0)

    for jail in inspection.jails(breakable):
        inspection.kill(jail)

    first, second = (session.wait(document.document_id) for document in session.documents())
    assert (first.status, first.error, first.chunks) == ("failed", "parser_failed", 0)
    assert second.document_id == other.document_id
    assert second.status == "ready"
    assert quarantined(breakable) == 0


def test_a_machine_that_crashed_ends_every_session_before_it_serves() -> None:
    with serving() as service:
        with Client(service.url) as client:
            session = new_learner(client)
            bring_to("ready", service, session)
            inspection.crash(service)
            service.start()

            assert refused(session) == "session_expired"
        statement = end_by_hook(service, session.session_id)
        assert statement["reason"] == "crash"
        assert quarantined(service) == 0


def test_stopping_the_service_purges_every_session_and_leaves_no_process() -> None:
    with serving() as service:
        with Client(service.url) as client:
            sessions = [new_learner(client) for _ in range(5)]
            bring_to("ready", service, sessions[0])
        processes = inspection.processes(service)

        status = service.stop()

        assert status == 0
        assert psutil.wait_procs(processes, timeout=60)[1] == []
        service.start()
        reasons = [end_by_hook(service, session.session_id)["reason"] for session in sessions]
        assert reasons == ["shutdown"] * 5


def refused(session: LearnerSession) -> str | None:
    """Return the code with which a request is refused, ``None`` when it is served."""
    try:
        session.held()
    except Problem as problem:
        return problem.code
    except Unreachable:
        return "unreachable"
    return None
