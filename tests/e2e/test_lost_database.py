"""The record on MariaDB is killed, hangs, restarts: deleting never waits for it, and receipts catch up (P2, P10)."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from sqlalchemy import create_engine, text

from api.client import LearnerSession
from models.database import TIMEOUT_SECONDS
from tests.conftest import serving
from tests.support import inspection
from tests.support.faults import ready_sessions, refusal
from tests.support.freezing import frozen
from tests.support.inspection import end_by_hook, wait_until
from tests.support.mariadb import Server
from tests.support.service import Service

NOTE = ("note.txt", b"The ferryman keeps bees on the north pier.", "text/plain")


@pytest.fixture(scope="module")
def recorded(mariadb: Server) -> Iterator[Service]:
    with serving(MAYFLY_DATABASE_URL=mariadb.new_database(), MAYFLY_SESSIONS_SWEEP_SECONDS="0.5") as service:
        yield service


@pytest.fixture
def learners(recorded: Service) -> Iterator[list[LearnerSession]]:
    """Three sessions, each with a document that is ready."""
    with ready_sessions(recorded, 3, NOTE) as sessions:
        yield sessions


def is_served(session: LearnerSession) -> bool:
    return "north pier" in session.ask("Where does the ferryman keep bees?").passages[0].text


def receipts(mariadb: Server, service: Service, session_id: str) -> int:
    url = service.environment["MAYFLY_DATABASE_URL"].replace("mariadb://", "mariadb+mariadbconnector://")
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT count(*) FROM receipts WHERE session_id = :id"), {"id": session_id})
        count = found.scalar_one()
    engine.dispose()
    return count


def lives(service: Service, session: LearnerSession) -> bool:
    return (service.runtime_dir / "sessions" / f"{session.session_id}.sock").exists()


def assert_deleted_now_and_signed_later(
    mariadb: Server, service: Service, ended: dict[str, LearnerSession], processes: list[psutil.Process]
) -> None:
    for reason, session in ended.items():
        wait_until(service, lambda session=session: receipts(mariadb, service, session.session_id) == 1, seconds=60)
        assert end_by_hook(service, session.session_id)["reason"] == reason
        assert refusal(session.held) == "session_expired"
    assert len([process for process in processes if process.is_running()]) == 1


def test_without_a_database_a_sign_out_and_the_hook_delete_at_once_and_are_signed_when_it_is_back(
    recorded: Service, mariadb: Server, learners: list[LearnerSession]
) -> None:
    leaving, hooked, staying = learners
    processes = inspection.session_processes(recorded)
    front = inspection.process(recorded, "front").pid
    mariadb.kill()

    assert refusal(leaving.sign_out) == "unavailable"
    assert recorded.hook(hooked.session_id).status_code == 503
    assert refusal(staying.held) == "unavailable"

    assert [lives(recorded, session) for session in learners] == [False, False, True]
    assert len(inspection.session_processes(recorded)) == 1
    assert not inspection.is_ready(recorded)
    mariadb.start()
    assert_deleted_now_and_signed_later(mariadb, recorded, {"sign_out": leaving, "hook": hooked}, processes)
    wait_until(recorded, lambda: refusal(staying.held) is None)
    assert is_served(staying)
    assert inspection.process(recorded, "front").pid == front


def test_a_database_that_restarts_is_used_again_without_a_restart_of_the_front(
    recorded: Service, mariadb: Server, learners: list[LearnerSession]
) -> None:
    front = inspection.process(recorded, "front").pid
    mariadb.stop()
    mariadb.start()

    wait_until(recorded, lambda: refusal(learners[0].held) is None)

    assert all(is_served(session) for session in learners)
    assert inspection.process(recorded, "front").pid == front


def test_a_database_that_hangs_holds_no_deletion_up_and_no_thread_for_ever(
    recorded: Service, mariadb: Server, learners: list[LearnerSession]
) -> None:
    leaving, hooked, staying = learners
    processes = inspection.session_processes(recorded)
    front = inspection.process(recorded, "front")
    with frozen(mariadb.process.pid):
        started = time.monotonic()
        with ThreadPoolExecutor(2) as both:
            signing_out = both.submit(refusal, leaving.sign_out)
            hooking = both.submit(recorded.hook, hooked.session_id)
        assert (signing_out.result(), hooking.result().status_code) == ("unavailable", 503)
        assert time.monotonic() - started < 12 * TIMEOUT_SECONDS, "as many waits as there are, and a busy machine"
        assert [lives(recorded, session) for session in learners] == [False, False, True]
        assert not inspection.is_ready(recorded)
        assert front.num_threads() < 150

    assert_deleted_now_and_signed_later(mariadb, recorded, {"sign_out": leaving, "hook": hooked}, processes)
    wait_until(recorded, lambda: refusal(staying.held) is None)
    assert is_served(staying)
