"""Killed with SIGKILL at every stage of an upload and at the steps of a purge that lie outside the front (P2, P6)."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from api.client import Client, LearnerSession, Unreachable
from models.errors import EmbeddingFailed
from tests.conftest import new_learner
from tests.support import inspection, residue
from tests.support.failpoints.sitecustomize import SETTING
from tests.support.faults import Failpoints, assert_ended_once, breakable, environment, in_record, refusal
from tests.support.inspection import end_by_hook, is_ready, quarantined, wait_until
from tests.support.service import START_SECONDS, Service, prepared, running

MARKER = residue.new_marker()
# About twenty chunks: more than one batch of texts for the embedder.
BOOK = "\n\n".join(
    f"Page {number}. The {MARKER} of room {number} counts its {secrets.token_hex(3)} spoons. " * 12
    for number in range(9)
).encode()
NOTE = f"The {MARKER} sleeps in the lantern room.".encode()
STAGES = (
    "receiving",
    "received",
    "accepted",
    "before_jail",
    "extracted",
    "embedding",
    "adding",
    "engine_changed",
    "added",
    "published",
    "clearing",
)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Failpoints]]:
    with breakable(tmp_path_factory.mktemp("kills")) as made:
        yield made


@pytest.fixture
def points(broken: tuple[Service, Failpoints]) -> Iterator[Failpoints]:
    yield broken[1]
    broken[1].disarm()


@pytest.fixture
def service(broken: tuple[Service, Failpoints], points: Failpoints) -> Service:
    wait_until(broken[0], lambda: is_ready(broken[0]), seconds=60)
    return broken[0]


@pytest.fixture
def session(service: Service) -> Iterator[LearnerSession]:
    with Client(service.url) as client:
        session = new_learner(client)
        yield session
        end_by_hook(service, session.session_id)


def upload(session: LearnerSession, *, key: str | None = None) -> str | None:
    """Upload the book and return why it was refused."""
    return refusal(lambda: session.upload(("book.txt", BOOK, "text/plain"), idempotency_key=key))


def assert_serves(service: Service) -> None:
    """Prove that the next learner is served, and that what he uploads is found."""
    wait_until(service, lambda: is_ready(service), seconds=60)
    with Client(service.url) as client, new_learner(client) as session:
        (document,) = session.upload(("note.txt", NOTE, "text/plain"))
        assert session.wait(document.document_id).status == "ready"
        assert MARKER in session.ask("Who sleeps in the lantern room?").passages[0].text


@pytest.mark.parametrize("stage", STAGES)
def test_a_session_killed_at_any_stage_of_an_upload_is_a_crash_and_leaves_nothing(
    service: Service, points: Failpoints, session: LearnerSession, stage: str
) -> None:
    (process,) = inspection.session_processes(service)
    points.arm(stage, "kill9")

    refused = upload(session)

    points.await_reached(stage)
    # Once it is accepted, the death may come before or after the front has written the document down and answered.
    assert refused or stage not in {"receiving", "received", "accepted"}
    wait_until(service, lambda: refusal(session.held) == "session_expired")
    statement = assert_ended_once(service, session.session_id, "crash")
    assert statement["documents_purged"] == (0 if refused else 1)
    assert not process.is_running()
    assert quarantined(service) == 0
    assert residue.in_files(inspection.folders(service), MARKER) == []


@pytest.mark.parametrize(("stage", "action"), [
    ("before_jail", "raise"), ("embedding", "raise"), ("embedding", "enospc"), ("adding", "raise"),
    ("engine_changed", "raise"), ("added", "raise"),
])  # fmt: skip
def test_a_document_whose_stage_fails_is_failed_and_the_session_goes_on(
    service: Service, points: Failpoints, session: LearnerSession, stage: str, action: str
) -> None:
    points.arm(stage, action)

    (book, note) = session.upload(("book.txt", BOOK, "text/plain"), ("note.txt", NOTE, "text/plain"))

    assert (session.wait(book.document_id).status, session.wait(note.document_id).status) == ("failed", "ready")
    answer = session.ask("Who counts spoons?")
    assert {passage.document_id for passage in answer.passages} <= {note.document_id}
    assert session.held()["chunks"] == 1
    assert quarantined(service) == 0
    assert session.sign_out()["statement"]["reason"] == "sign_out"
    assert_ended_once(service, session.session_id, "sign_out")


@pytest.mark.parametrize("fault", ["nan", "dimension", "rows"])
def test_vectors_that_no_model_makes_fail_their_document_and_no_other(
    points: Failpoints, session: LearnerSession, fault: str
) -> None:
    points.arm("computing", f"spoil {fault}")

    (first, second) = session.upload(("a.txt", NOTE, "text/plain"), ("b.txt", NOTE, "text/plain"))

    failed = session.wait(first.document_id)
    assert (failed.status, failed.error, failed.chunks) == ("failed", EmbeddingFailed.slug, 0)
    assert session.wait(second.document_id).status == "ready"
    session.sign_out()


def test_a_search_that_fails_is_an_error_and_never_an_empty_answer(points: Failpoints, session: LearnerSession) -> None:
    (note,) = session.upload(("note.txt", NOTE, "text/plain"))
    assert session.wait(note.document_id).status == "ready"
    points.arm("searching", "raise")

    assert refusal(lambda: session.ask("Who sleeps?")) == "internal_error"

    assert MARKER in session.ask("Who sleeps in the lantern room?").passages[0].text
    session.sign_out()


def test_an_engine_that_does_not_open_refuses_the_sign_in_and_leaves_no_process(
    service: Service, points: Failpoints, session: LearnerSession
) -> None:
    session.sign_out()
    points.arm("opening_engine", "raise")

    with Client(service.url) as client:
        assert refusal(lambda: new_learner(client)) == "internal_error"

    wait_until(service, lambda: inspection.session_processes(service) == [])
    assert_serves(service)


def test_a_front_killed_before_the_upload_is_written_down_lets_the_client_send_it_again_once(
    service: Service, points: Failpoints, session: LearnerSession
) -> None:
    points.arm("writing_down", "kill9")

    assert upload(session, key="again") == "unreachable"
    wait_until(service, lambda: is_ready(service), seconds=60)

    assert upload(session, key="again") is None
    (document,) = session.documents()
    assert session.wait(document.document_id).status == "ready"
    assert session.sign_out()["statement"]["documents_purged"] == 1


def test_a_front_killed_in_a_purge_and_again_while_it_recovers_ends_with_one_receipt(
    service: Service, points: Failpoints, session: LearnerSession
) -> None:
    assert upload(session) is None
    for point in ("count", "kill_session", "writing_receipt"):
        points.arm(point, "kill9")

    with pytest.raises(Unreachable):
        session.sign_out()

    for point in ("count", "kill_session", "writing_receipt"):
        points.await_reached(point)
    assert assert_ended_once(service, session.session_id, "sign_out")["documents_purged"] == 1
    assert refusal(session.held) == "session_expired"
    assert_serves(service)


@pytest.mark.parametrize("point", ["ending_lease", "removing_files"])
def test_a_host_killed_while_it_kills_a_session_leaves_nothing_of_it(
    service: Service, points: Failpoints, session: LearnerSession, point: str
) -> None:
    (process,) = inspection.session_processes(service)
    assert upload(session) is None
    points.arm(point, "kill9")

    refusal(session.sign_out)

    points.await_reached(point)
    wait_until(service, lambda: is_ready(service), seconds=60)
    assert assert_ended_once(service, session.session_id, "sign_out")["documents_purged"] == 1
    assert not process.is_running()
    assert_serves(service)


def test_a_sweeper_that_hangs_and_dies_is_replaced_and_catches_up(
    service: Service, points: Failpoints, session: LearnerSession
) -> None:
    points.arm("sweeping", "hold")
    points.await_reached("sweeping")
    inspection.session_processes(service)[0].kill()
    wait_until(service, lambda: refusal(session.held) == "session_expired")
    assert in_record(service, session.session_id) == ("open", None, 0), "nobody swept"

    inspection.kill(inspection.process(service, "front"))

    wait_until(service, lambda: in_record(service, session.session_id) == ("ended", "crash", 1), seconds=60)


def test_after_all_this_no_process_and_no_file_holds_a_word(service: Service, session: LearnerSession) -> None:
    (note,) = session.upload(("note.txt", NOTE, "text/plain"))
    assert session.wait(note.document_id).status == "ready"
    before = residue.in_memory(inspection.session_processes(service), MARKER)

    session.sign_out()

    assert before, "the marker was never in memory, so its absence below would prove nothing"
    assert inspection.session_processes(service) == []
    assert residue.in_memory(inspection.processes(service), MARKER) == {}
    assert residue.in_open_files(inspection.processes(service), MARKER) == []
    assert residue.in_files(inspection.folders(service), MARKER) == []
    with Client(service.url) as client:
        assert client.assurance()["failpoints_off"] is False


def test_a_service_in_which_somebody_put_failpoints_does_not_start(tmp_path: Path) -> None:
    points = Failpoints(tmp_path / "points")
    with prepared(environment(points.folder)) as it:
        it.start_only()
        assert it.process is not None

        assert it.process.wait(START_SECONDS) == 1

        assert "runs code that is not installed" in it.log
        assert "child_started" not in it.log


def test_a_production_start_ignores_failpoints_and_ends_twenty_sessions_in_order(tmp_path: Path) -> None:
    points = Failpoints(tmp_path / "points")
    for stage in (*STAGES, "count", "kill_session", "writing_receipt", "ending_lease"):
        points.arm(stage, "kill9")
    with running({SETTING: str(points.folder), "MAYFLY_SESSIONS_PER_ACCOUNT": "100"}) as service:
        with Client(service.url) as client:
            assert client.assurance()["failpoints_off"] is True
            sessions = [new_learner(client) for _ in range(20)]
            (note,) = sessions[0].upload(("note.txt", NOTE, "text/plain"))
            assert sessions[0].wait(note.document_id).status == "ready"
        processes = inspection.processes(service)
        assert len(inspection.session_processes(service)) == 20

        inspection.launcher(service).terminate()
        status = service.stop()  # A second SIGTERM, which must not cut the first one short.

        assert status == 0
        assert psutil.wait_procs(processes, timeout=60)[1] == []
        assert {in_record(service, it.session_id) for it in sessions} == {("ended", "shutdown", 1)}
        assert not any(points.reached(stage) for stage in STAGES)
