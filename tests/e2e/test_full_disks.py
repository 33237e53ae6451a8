"""No room left: for the record, for uploads, for the log; no descriptors and no processes left (P10)."""

import contextlib
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.client import Client, LearnerSession
from tests.conftest import new_learner
from tests.support import inspection
from tests.support.disks import filled, ram_disk
from tests.support.faults import Failpoints, assert_ended_once, environment, in_record, ready_sessions, refusal
from tests.support.inspection import is_ready, quarantined, wait_until
from tests.support.service import Service, prepared

NOTE = ("note.txt", b"The lamp oil is kept in the third cellar.", "text/plain")
BIG = ("big.txt", b"Too much for a small disk. " * 100_000, "text/plain")


@dataclass
class Cramped:
    """A service whose record, uploads and log each lie on a small disk of their own."""

    service: Service
    record: Path
    quarantine: Path
    log: Path
    points: Failpoints


@pytest.fixture(scope="module")
def cramped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cramped]:
    points = Failpoints(tmp_path_factory.mktemp("points"))
    allowed = {"MAYFLY_ALLOW_WEAK_HOST": "true", "MAYFLY_SESSIONS_PER_ACCOUNT": "100", "MAYFLY_LOG_LEVEL": "debug"}
    settings = {"MAYFLY_SESSIONS_SWEEP_SECONDS": "0.5", **allowed, **environment(points.folder)}
    with contextlib.ExitStack() as disks, prepared(settings) as service:
        data = disks.enter_context(ram_disk(service.data_dir, kib=8192))
        service.runtime_dir.mkdir(mode=0o700)
        quarantine = disks.enter_context(ram_disk(service.runtime_dir / "quarantine", kib=2048))
        log = disks.enter_context(ram_disk(service.folder / "logs", kib=1024))
        (service.folder / "log").symlink_to(log / "log")
        service.start()
        yield Cramped(service, data, quarantine, log, points)
        assert service.stop() == 0


@pytest.fixture
def service(cramped: Cramped) -> Iterator[Service]:
    yield cramped.service
    cramped.points.disarm()


@pytest.fixture
def learners(service: Service) -> Iterator[list[LearnerSession]]:
    """Two sessions, each with a document that is ready."""
    with ready_sessions(service, 2, NOTE) as sessions:
        yield sessions


def lost_lines(service: Service) -> float:
    (line,) = [line for line in inspection.metrics(service).splitlines() if line.startswith("mayfly_log_lines_lost ")]
    return float(line.split()[1])


def is_served(session: LearnerSession) -> bool:
    return "third cellar" in session.ask("Where is the lamp oil kept?").passages[0].text


def test_a_record_without_room_refuses_uploads_deletes_at_once_and_signs_later(
    cramped: Cramped, learners: list[LearnerSession]
) -> None:
    leaving, staying = learners
    service = cramped.service
    with filled(cramped.record):
        assert refusal(lambda: staying.upload(NOTE)) == "unavailable"
        assert len(staying.documents()) == 1, "what cannot be written down is not held"
        assert is_served(staying)

        assert refusal(leaving.sign_out) == "unavailable"

        assert not (service.runtime_dir / "sessions" / f"{leaving.session_id}.sock").exists()
        assert len(inspection.session_processes(service)) == 1
        assert in_record(service, leaving.session_id) == ("open", None, 0)

    wait_until(service, lambda: in_record(service, leaving.session_id) == ("ended", "sign_out", 1))
    assert_ended_once(service, leaving.session_id, "sign_out")
    assert refusal(lambda: staying.upload(NOTE)) is None


def test_a_ram_disk_without_room_refuses_that_upload_only_and_has_room_again_after(
    cramped: Cramped, learners: list[LearnerSession]
) -> None:
    first, second = learners

    assert refusal(lambda: first.upload(BIG)) == "no_space"

    assert quarantined(cramped.service) == 0
    assert is_served(first)
    assert is_served(second)
    with filled(cramped.quarantine):
        assert refusal(lambda: second.upload(NOTE)) == "no_space"
        assert is_served(second)
        assert first.sign_out()["statement"]["reason"] == "sign_out"
    assert refusal(lambda: second.upload(NOTE)) is None
    assert_ended_once(cramped.service, first.session_id, "sign_out")


def test_a_log_without_room_stops_nothing_and_what_it_lost_is_counted(
    cramped: Cramped, learners: list[LearnerSession]
) -> None:
    service = cramped.service
    before = {process.pid for process in inspection.processes(service)}
    with filled(cramped.log):
        assert all(is_served(session) for session in learners)
        with Client(service.url) as client, new_learner(client) as session:
            (note,) = session.upload(NOTE)
            assert session.wait(note.document_id).status == "ready"
        learners[0].sign_out()
        assert_ended_once(service, learners[0].session_id, "sign_out")
        assert is_ready(service)
        # The last page of the log has room for some lines yet; each look at the counter makes another one.
        wait_until(service, lambda: lost_lines(service) > 0)

    assert before & {process.pid for process in inspection.processes(service)} >= {
        inspection.process(service, role).pid for role in ("front", "host", "embedder", "jailer")
    }
    assert is_served(learners[1])


def test_a_host_that_may_start_no_process_refuses_the_sign_in_and_still_ends_sessions(
    cramped: Cramped, learners: list[LearnerSession]
) -> None:
    cramped.points.arm("forking", "eagain")

    with Client(cramped.service.url) as client:
        assert refusal(lambda: new_learner(client)) == "host_full"

    assert all(is_served(session) for session in learners)
    assert [session.sign_out()["statement"]["reason"] for session in learners] == ["sign_out"] * 2


def test_a_front_that_is_short_of_descriptors_turns_connections_away_and_still_purges(
    cramped: Cramped, learners: list[LearnerSession]
) -> None:
    service, learner = cramped.service, learners[0]
    front = inspection.process(service, "front").pid
    assert is_served(learner)
    whole = resource.prlimit(front, resource.RLIMIT_NOFILE, (256, resource.prlimit(front, resource.RLIMIT_NOFILE)[1]))
    try:
        with Client(service.url) as client:
            # His own connection, which his looking keeps open, is all that there may be.
            wait_until(service, lambda: refusal(learner.held) is None and refusal(client.limits) == "unreachable")
        wait_until(service, lambda: refusal(learner.sign_out) in {None, "session_expired"})
    finally:
        resource.prlimit(front, resource.RLIMIT_NOFILE, whole)

    assert_ended_once(service, learner.session_id, "sign_out")


def test_sessions_cost_their_host_no_descriptor(cramped: Cramped, learners: list[LearnerSession]) -> None:
    host = inspection.process(cramped.service, "host")
    with_two = host.num_fds()

    with contextlib.ExitStack() as open_now:
        for _ in range(6):
            open_now.enter_context(new_learner(open_now.enter_context(Client(cramped.service.url))))
        wait_until(cramped.service, lambda: host.num_fds() <= with_two + 3)
