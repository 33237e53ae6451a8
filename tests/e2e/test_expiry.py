"""Sessions end in time: unused, used, polled, under a wall clock that jumps, after the machine slept (P2)."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx2
import pytest

from api.client import Client, LearnerSession
from tests.conftest import new_learner, serving
from tests.support import inspection
from tests.support.clock import DAY_SECONDS, TEN_YEARS_SECONDS, WallClock
from tests.support.faults import assert_ended_once, in_record, refusal
from tests.support.freezing import freeze
from tests.support.inspection import wait_until
from tests.support.service import Service

# Far enough apart that a busy machine does not hold up the traffic of a session until its idle end.
IDLE_SECONDS, ABSOLUTE_SECONDS = 15, 25
NOTE = ("note.txt", b"The tide clock of the old harbour runs backwards.", "text/plain")


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> WallClock:
    return WallClock(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="module")
def impatient(clock: WallClock) -> Iterator[Service]:
    """A service whose sessions end soon, in a time zone as far from UTC as there is."""
    with serving(
        MAYFLY_SESSIONS_IDLE_SECONDS=str(IDLE_SECONDS),
        MAYFLY_SESSIONS_ABSOLUTE_SECONDS=str(ABSOLUTE_SECONDS),
        MAYFLY_SESSIONS_SWEEP_SECONDS="0.5",
        TZ="Pacific/Kiritimati",
        **clock.environment,
    ) as service:
        yield service


@pytest.fixture
def sessions(impatient: Service) -> Iterator[list[LearnerSession]]:
    with contextlib.ExitStack() as clients:
        yield [new_learner(clients.enter_context(Client(impatient.url))) for _ in range(3)]


def ends(service: Service) -> dict[str, str]:
    """Return by which of its ends the host says that each session ended."""
    return {event["session_id"]: event["by"] for event in service.events if event["event"] == "session_ended"}


def use(session: LearnerSession, code: list[str | None]) -> None:
    """Upload and ask again and again until it is refused; note with which code."""
    (note,) = session.upload(NOTE)
    session.wait(note.document_id)
    while (refused := refusal(lambda: session.ask("Which clock runs backwards?"))) is None:
        time.sleep(0.05)  # It need not keep the machine busy.
    code.append(refused)


@pytest.mark.parametrize("jumps", [(0, 0), (TEN_YEARS_SECONDS, -DAY_SECONDS)], ids=["true clock", "jumping clock"])
def test_unused_used_and_polled_sessions_end_in_time_whatever_the_wall_clock_says(
    impatient: Service, clock: WallClock, sessions: list[LearnerSession], jumps: tuple[int, int]
) -> None:
    unused, used, polled = sessions
    codes = list[str | None]()
    traffic = threading.Thread(target=use, args=(used, codes))
    traffic.start()

    for ahead_seconds in jumps:
        clock.set(ahead_seconds)
        assert refusal(polled.held) is None, "a clock that jumps ends nothing"
    clock.set(jumps[-1])
    wait_until(impatient, lambda: refusal(polled.held) == "session_expired", seconds=60)
    traffic.join(60)

    assert codes == ["session_expired"]
    wait_until(impatient, lambda: {session.session_id for session in sessions} <= ends(impatient).keys())
    by = ends(impatient)
    assert (by[unused.session_id], by[used.session_id], by[polled.session_id]) == ("idle", "absolute", "idle")
    for session in sessions:
        wait_until(impatient, lambda session=session: in_record(impatient, session.session_id)[0] == "ended")
        assert_ended_once(impatient, session.session_id, "expiry")
    assert inspection.session_processes(impatient) == []
    clock.set(0)


@pytest.mark.parametrize("ahead_seconds", [0, TEN_YEARS_SECONDS, -DAY_SECONDS])
def test_a_session_begins_and_ends_under_any_wall_clock_and_says_so_in_utc(
    impatient: Service, clock: WallClock, ahead_seconds: int
) -> None:
    clock.set(ahead_seconds)
    with Client(impatient.url) as client:
        session = new_learner(client)
        (note,) = session.upload(NOTE)
        assert session.wait(note.document_id).status == "ready"
        assert session.ask("Which clock runs backwards?").passages

        statement = session.sign_out()["statement"]

    ended = datetime.strptime(statement["ended_at"], "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)
    assert abs(ended.timestamp() - time.time() - ahead_seconds) < 180
    assert_ended_once(impatient, session.session_id, "sign_out")
    clock.set(0)


def test_a_machine_that_slept_past_the_end_answers_nobody_before_it_has_purged(
    impatient: Service, sessions: list[LearnerSession]
) -> None:
    learner = sessions[0]
    (note,) = learner.upload(NOTE)
    assert learner.wait(note.document_id).status == "ready"
    grant = learner.grant().token
    asked = list[httpx2.Response]()
    processes = inspection.processes(impatient)
    host = inspection.process(impatient, "host").pid
    for process in processes:
        freeze(process.pid)
    slept_until = time.monotonic() + IDLE_SECONDS + 1

    waiting = [
        threading.Thread(target=lambda ask=ask: asked.append(ask()))
        for ask in (
            lambda: get(impatient, learner.signed_in.token, "/v1/sessions/current"),
            lambda: get(impatient, learner.signed_in.token, "/v1/sessions/current/documents"),
            lambda: question(impatient, learner.signed_in.token),
            lambda: question(impatient, grant),
        )
    ]
    for thread in waiting:
        thread.start()
    time.sleep(max(0.0, slept_until - time.monotonic()))  # The machine sleeps; nothing tells when it has slept enough.
    for process in processes:
        if process.pid != host:
            os.kill(process.pid, signal.SIGCONT)
    for thread in waiting:
        thread.join(1)  # The host, who knows of the end, wakes when the others had time to answer without it.
    os.kill(host, signal.SIGCONT)
    for thread in waiting:
        thread.join(60)

    assert [reply.status_code for reply in asked] == [401] * 4
    for session in sessions:
        wait_until(impatient, lambda session=session: in_record(impatient, session.session_id)[0] == "ended")
        assert_ended_once(impatient, session.session_id, "expiry")
    assert inspection.session_processes(impatient) == []


def get(service: Service, token: str, path: str) -> httpx2.Response:
    with service.client(token) as client:
        return client.get(path)


def question(service: Service, token: str) -> httpx2.Response:
    with service.client(token) as client:
        return client.post("/v1/sessions/current/queries", json={"text": "Which clock runs backwards?"})
