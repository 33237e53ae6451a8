import contextlib
import os
import re
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil
import pytest

from models.errors import HostFull, InvalidRequest, NotAllowed, PartUnavailable, SessionExpired
from processes import ipc
from sessions import messages as m
from sessions.client import SessionClient
from sessions.isolation import leave_network
from tests.support.hosting import Hosting, Session, wait_until


def ended(host: Hosting, session: Session) -> str | None:
    return host.client.list().ended.get(session.session_id)


def test_a_session_is_ready_within_a_second(shared_host: Hosting):
    def seconds_until_ready() -> float:
        started = time.perf_counter()
        session = shared_host.open()
        held = session.client.summarise()
        seconds = time.perf_counter() - started
        assert (held.documents, held.chunks, held.bytes, held.quarantined_files) == (0, 0, 0, 0)
        assert session.session_id in shared_host.client.list().live
        shared_host.client.kill(session.session_id)
        return seconds

    wait_until(lambda: seconds_until_ready() < 1)  # One may meet a moment in which the machine does something else.


@pytest.mark.parametrize(("idle", "absolute", "by"), [(1, 600, "idle"), (600, 1, "absolute")])
def test_an_expired_session_is_killed_and_how_it_ended_is_remembered(
    shared_host: Hosting, idle: int, absolute: int, by: str
):
    session_id, before = secrets.token_hex(16), set(shared_host.pids())

    # Nobody looks at it before: on a machine that stalls it may have ended by then.
    shared_host.client.open(session_id, idle_seconds=idle, absolute_seconds=absolute)
    wait_until(lambda: shared_host.client.list().ended.get(session_id) == by)

    assert set(shared_host.pids()) <= before
    assert not shared_host.has_traces(session_id)
    assert session_id not in shared_host.client.list().live
    with pytest.raises(SessionExpired):
        SessionClient(shared_host.sessions_dir / f"{session_id}.sock").summarise()
    assert shared_host.client.kill(session_id).existed is False
    assert session_id not in shared_host.client.list().ended


def test_renewing_keeps_a_session_alive_beyond_its_idle_time_and_not_beyond_its_absolute_end(shared_host: Hosting):
    lives = [renewed_until_gone(shared_host)]
    while lives[-1].longest_pause >= 1:  # A stalled machine let its idle time pass: that life proves nothing.
        assert len(lives) < 20, "it is never renewed in time"
        lives.append(renewed_until_gone(shared_host))

    assert lives[-1].gone - lives[-1].opening >= 3
    assert lives[-1].last_renewal - lives[-1].opened < 3, "what was asked after the end was granted"
    assert lives[-1].by == "absolute"


@dataclass(frozen=True)
class Life:
    """When a session of one second idle and three seconds in all was asked for and was there, and how it ended.

    ``longest_pause`` is from the asking of one renewal to the answer of the next, ``last_renewal`` is when the last one
    that was granted was asked for.
    """

    opening: float
    opened: float
    last_renewal: float
    longest_pause: float
    gone: float
    by: str | None


def renewed_until_gone(host: Hosting) -> Life:
    session_id, opening = secrets.token_hex(16), time.monotonic()
    host.client.open(session_id, idle_seconds=1, absolute_seconds=3)
    opened = time.monotonic()
    last_renewal, longest_pause = opening, 0.0
    while True:
        asked = time.monotonic()
        with contextlib.suppress(SessionExpired):
            host.client.renew(session_id)
            longest_pause = max(longest_pause, time.monotonic() - last_renewal)
            last_renewal = asked
            threading.Event().wait(0.01)
            continue
        gone = time.monotonic()
        by = host.client.list().ended.get(session_id)
        return Life(opening, opened, last_renewal, max(longest_pause, gone - last_renewal), gone, by)


def test_a_session_that_dies_is_reported_and_disturbs_no_other(shared_host: Hosting):
    victim, other = shared_host.open(), shared_host.open()
    victim.upload(("a.txt", b"mayfly"))

    os.kill(victim.pid, signal.SIGKILL)

    wait_until(lambda: ended(shared_host, victim) == "died")
    assert victim.is_gone()
    assert other.client.summarise().documents == 0
    with pytest.raises(SessionExpired):
        shared_host.client.renew(victim.session_id)
    with pytest.raises(InvalidRequest):
        shared_host.client.open(victim.session_id, idle_seconds=10, absolute_seconds=10)


def test_killing_a_session_leaves_nothing_of_it_and_may_be_repeated(shared_host: Hosting):
    session = shared_host.open()
    session.upload(*[(f"{number}.txt", b"mayfly " * 5000) for number in range(5)])

    first = shared_host.client.kill(session.session_id)
    second = shared_host.client.kill(session.session_id)

    assert (first.existed, second.existed) == (True, False)
    assert session.is_gone()


def test_sessions_die_with_their_host(own_host: Hosting):
    sessions = [own_host.open(), own_host.open()]
    assert all(psutil.pid_exists(session.pid) for session in sessions)

    own_host.process.kill()
    own_host.process.wait()

    wait_until(lambda: not any(psutil.pid_exists(session.pid) for session in sessions))
    with pytest.raises(PartUnavailable):
        own_host.client.hello()
    with pytest.raises(SessionExpired):
        sessions[0].client.summarise()


def test_a_host_that_is_asked_to_stop_kills_its_sessions_first(own_host: Hosting):
    session = own_host.open()

    own_host.process.terminate()

    assert own_host.process.wait(60) == 0
    assert session.is_gone()


def test_a_new_host_removes_what_the_old_one_left_and_has_another_identity(own_host: Hosting):
    before = own_host.client.hello().instance
    own_host.open().upload(("a.txt", b"mayfly " * 5000))
    leftover = own_host.quarantine_dir / "someone" / "leftover"
    leftover.parent.mkdir()
    leftover.write_bytes(b"sealed")
    own_host.kill()
    assert list(own_host.sessions_dir.iterdir())

    own_host.start()

    assert own_host.client.hello().instance != before
    assert list(own_host.sessions_dir.iterdir()) == list(own_host.quarantine_dir.iterdir()) == []
    assert own_host.client.list() == m.LiveSessions(live=(), ended={})


def test_a_full_host_refuses_and_has_room_again_after_a_kill(own_host: Hosting):
    first, _ = own_host.open(), own_host.open()

    with pytest.raises(HostFull) as refusal:
        own_host.open()
    assert refusal.value.retry_after_seconds
    own_host.client.kill(first.session_id)

    own_host.open()
    assert own_host.client.hello().live == own_host.client.hello().capacity == 2


@pytest.mark.parametrize("session_id", ["", "../escape", "a/b", "a.b", "x" * 65, "a\x00b", "é"])
def test_an_id_that_could_not_be_a_file_name_is_refused(shared_host: Hosting, session_id: str):
    with pytest.raises(InvalidRequest):
        shared_host.client.open(session_id, idle_seconds=10, absolute_seconds=10)

    assert shared_host.client.kill(session_id).existed is False
    assert session_id not in shared_host.client.list().live


def test_an_id_is_good_for_one_session(shared_host: Hosting):
    session = shared_host.open()

    with pytest.raises(InvalidRequest):
        shared_host.client.open(session.session_id, idle_seconds=10, absolute_seconds=10)

    session.client.summarise()


@pytest.mark.parametrize(
    "nonsense", [b"\x00\x00\x00\x01\xc1", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x00\x00\x00\x02\x91\x00"]
)
def test_a_bad_frame_costs_its_sender_the_connection_and_nobody_else(shared_host: Hosting, nonsense: bytes):
    session = shared_host.open()
    for path in (Path(shared_host.config.socket), session.socket):
        with socket.socket(socket.AF_UNIX) as sender:
            sender.settimeout(60)
            sender.connect(str(path))
            sender.sendall(nonsense)
            assert sender.recv(1) == b""

    assert shared_host.client.hello().live >= 1
    assert session.client.summarise().documents == 0


def test_a_request_may_arrive_in_pieces_and_several_in_one(shared_host: Hosting):
    with ipc.connect(Path(shared_host.config.socket), m.HostReply, timeout_seconds=60) as connection:
        body = msgspec.msgpack.encode(m.Hello())
        frame = len(body).to_bytes(4, "big") + body
        for byte in frame:
            connection.sock.sendall(bytes([byte]))
        assert isinstance(connection.receive(), m.HostHello)

        connection.sock.sendall(frame * 3)
        assert all(isinstance(connection.receive(), m.HostHello) for _ in range(3))


def test_only_unlock_is_answered_before_the_key_is_there(shared_host: Hosting):
    session = shared_host.open_locked()
    for refused in (session.client.summarise, session.client.documents, lambda: session.client.mint_grant(10)):
        with pytest.raises(NotAllowed):
            refused()
    with pytest.raises(InvalidRequest):
        session.client.unlock(b"short", ())

    session.client.unlock(b"k" * 32, ("en",))
    session.client.unlock(b"k" * 32, ("en",))

    session.client.summarise()
    with pytest.raises(NotAllowed):
        session.client.unlock(b"x" * 32, ("en",))


def test_many_fronts_at_once_get_their_own_sessions(shared_host: Hosting):
    opened: list[str] = []

    def open_and_kill() -> None:
        session_id = secrets.token_hex(16)
        shared_host.client.open(session_id, idle_seconds=60, absolute_seconds=60)
        if shared_host.client.kill(session_id).existed:
            opened.append(session_id)

    threads = [threading.Thread(target=open_and_kill) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(opened)) == 20


def test_the_host_has_one_thread_and_leaks_no_descriptor(own_host: Hosting):
    host = psutil.Process(own_host.process.pid)
    own_host.client.kill(own_host.open().session_id)
    before = host.num_fds()

    for _ in range(5):
        own_host.client.kill(own_host.open().session_id)

    assert host.num_threads() == 1
    wait_until(lambda: host.num_fds() <= before)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may look into an undumpable process")
def test_a_session_process_inherits_nothing_and_has_no_network(shared_host: Hosting):
    session = shared_host.open_locked()
    other = shared_host.open_locked()
    process = Path("/proc") / str(other.pid)

    def settled() -> bool:  # The host answers as soon as it has forked, before the child has closed and left anything.
        return (process / "ns" / "net").readlink() != Path("/proc/self/ns/net").readlink()

    wait_until(settled)
    sockets = list[Path]()
    for entry in (process / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # A file that it read and closed meanwhile.
            sockets += [entry.readlink()] if int(entry.name) > 2 else []
    status = (process / "status").read_text()

    assert session.pid != other.pid
    assert len([link for link in sockets if str(link).startswith("socket:")]) == 1, "its own listener"
    assert shared_host.client.hello().sessions_without_network
    assert re.search(r"^Uid:\s+0\s", status, re.MULTILINE)


def test_a_process_that_left_the_network_reaches_no_tcp_port_and_still_reaches_unix_sockets(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as server, ipc.listen(tmp_path / "unix") as unix:

        def reach() -> int:
            found = 0
            for bit, kind, address in (
                (1, socket.AF_INET, server.getsockname()),
                (2, socket.AF_UNIX, unix.getsockname()),
            ):
                with socket.socket(kind) as client:
                    client.settimeout(60)
                    found |= bit if client.connect_ex(address) == 0 else 0
            return found

        assert reach() == 3, "both are there to be reached"
        assert in_child(lambda: (leave_network(), reach())[1]) == 2


def in_child(call: Callable[[], int]) -> int:
    """Return the exit status of a child that exits with what the call returns."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = call()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
