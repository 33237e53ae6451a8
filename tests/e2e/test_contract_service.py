"""How a whole service starts, holds together and stops, and what it says to clients that do not speak HTTP well."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil
import pytest

from api.client import Client, LearnerSession
from api.front import DRAIN_SECONDS, GRACE_SECONDS, SPARE_DESCRIPTORS
from api.weaknesses import RAM_FILESYSTEMS, filesystem_of
from processes.hardening import PARENT_VARIABLE
from tests.conftest import new_learner
from tests.support import inspection
from tests.support.service import START_SECONDS, STOP_SECONDS, Service, eventually, prepared, running

IDLE_SECONDS = 3
HURRIED = {
    "MAYFLY_SESSIONS_PER_ACCOUNT": "2",
    "MAYFLY_SESSIONS_CAPACITY": "3",
    "MAYFLY_UPLOADS_IDLE_SECONDS": "1",
}


@pytest.fixture(scope="module")
def hurried() -> Iterator[Service]:
    """A service with short patience for uploads and little room."""
    with running(HURRIED) as service:
        yield service


@pytest.fixture(scope="module")
def forgetful() -> Iterator[Service]:
    """A service whose sessions end soon when nobody uses them."""
    own = {"MAYFLY_SESSIONS_IDLE_SECONDS": str(IDLE_SECONDS), "MAYFLY_SESSIONS_SWEEP_SECONDS": "0.2"}
    with running(own) as service:
        yield service


def exchange(service: Service, request: bytes, *, then: bytes = b"") -> bytes:
    """Send raw bytes and return all that comes back until the service closes."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as connection:
        connection.sendall(request)
        if then:
            connection.sendall(then)
        received = b""
        with contextlib.suppress(ConnectionResetError):  # It was closed before all of the request was read.
            while data := connection.recv(65_536):
                received += data
        return received


HEAD = b"POST /v1/accounts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (b"\x16\x03\x01 not http\r\n\r\n", 400, "malformed_request"),
        (b"GET /v1/limits HTTP/1.1\r\n\r\n", 400, "malformed_request"),
        (HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400, "malformed_request"),
        (HEAD + b"Content-Length: -1\r\n\r\n", 400, "malformed_request"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "malformed_request"),
        (b"GET /v1/limits HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 40_000, 431, "headers_too_large"),
        (b"GET /v1/limits HTTP/1.1\r\nHost: elsewhere\r\nConnection: close\r\n\r\n", 400, "unknown_host"),
    ],
)
def test_what_is_not_sound_http_is_refused_with_a_problem(
    service: Service, request_bytes: bytes, status: int, code: str
) -> None:
    reply = exchange(service, request_bytes)

    assert reply.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"application/problem+json" in reply
    assert f'"{code}"'.encode() in reply
    assert b"no-store" in reply


def test_a_body_that_trickles_is_cut_off(hurried: Service) -> None:
    reply = exchange(hurried, HEAD + b"Content-Length: 100\r\nConnection: close\r\n\r\n{")

    assert reply.startswith(b"HTTP/1.1 408 ")
    assert b'"too_slow"' in reply


def test_an_upload_that_trickles_is_cut_off_and_leaves_nothing(hurried: Service) -> None:
    with Client(hurried.url) as client, new_learner(client) as learner:
        head = (
            "POST /v1/sessions/current/documents HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            f"Authorization: Bearer {learner.signed_in.token}\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000\r\n\r\n"
            '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nsome bytes'
        )

        reply = exchange(hurried, head.encode())

        assert reply.startswith(b"HTTP/1.1 408 ")
        held = learner.held()
        assert (held["documents"], held["quarantined_files"]) == (0, 0)


def test_a_session_that_nobody_uses_is_purged_with_a_receipt(forgetful: Service) -> None:
    with Client(forgetful.url) as client:
        began = time.monotonic()
        session = new_learner(client)
        with forgetful.client(session.signed_in.token) as http:
            alive = http.get("/v1/sessions/current").status_code
            answered = time.monotonic() - began

            def is_over() -> bool:
                return http.get("/v1/sessions/current").status_code == 401

            assert eventually(is_over, seconds=60), "looking at it kept it alive"

    def purged() -> bool:
        events = [event for event in forgetful.events if event["event"] == "session_purged"]
        return any(event["session_id"] == session.session_id for event in events)

    assert eventually(purged, seconds=60)
    receipt = forgetful.hook(session.session_id).json()
    assert alive == 200 or answered > IDLE_SECONDS
    assert receipt["statement"]["reason"] == "expiry"


def test_an_account_has_as_many_sessions_as_it_may(hurried: Service) -> None:
    account = {"username": "many", "email": "many@example.org", "password": "correct horse"}
    who = {"email": account["email"], "password": account["password"]}
    with hurried.client() as http:
        http.post("/v1/accounts", json=account | {"primary_language": "en"})
        tokens = [http.post("/v1/sessions", json=who).json()["token"] for _ in range(2)]

        refused = http.post("/v1/sessions", json=who)
        http.delete("/v1/sessions/current", headers={"Authorization": f"Bearer {tokens[0]}"})
        again = http.post("/v1/sessions", json=who)
        for token in (tokens[1], again.json()["token"]):
            http.delete("/v1/sessions/current", headers={"Authorization": f"Bearer {token}"})

    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_sessions")
    assert again.status_code == 201


def test_a_full_machine_says_when_to_come_back(hurried: Service) -> None:
    with Client(hurried.url) as client, hurried.client() as http:
        assert eventually(lambda: "mayfly_live_sessions 0.0" in http.get("/metrics").text, seconds=60)
        account = {"username": "late", "email": "late@example.org", "password": "correct horse"}
        http.post("/v1/accounts", json=account | {"primary_language": "en"})
        sessions = [new_learner(client) for _ in range(3)]

        refused = http.post("/v1/sessions", json={"email": account["email"], "password": account["password"]})

        for session in sessions:
            session.sign_out()
    assert (refused.status_code, refused.json()["code"]) == (503, "host_full")
    assert int(refused.headers["retry-after"]) >= 1


def test_a_front_that_is_replaced_ends_no_session_and_refuses_no_connection(service: Service) -> None:
    with Client(service.url) as client, new_learner(client) as learner:
        document = learner.upload(("note.txt", b"The ferryman whistles in the fog.", "text/plain"))[0]
        assert learner.wait(document.document_id).status == "ready"
        before = service.pids("front")[-1]

        os.kill(before, signal.SIGKILL)

        assert eventually(lambda: service.pids("front")[-1] != before, seconds=60)
        service.wait_until_ready()
        assert "whistles" in learner.ask("What does the ferryman do?").passages[0].text


def test_no_process_shows_a_secret_in_its_arguments_or_its_environment(service: Service) -> None:
    assert service.process is not None
    launcher = psutil.Process(service.process.pid)
    shown = [
        text
        for arguments, environment in map(inspection.shown, [launcher, *launcher.children(recursive=True)])
        for text in [*arguments, *environment.values()]
    ]

    assert any("api.front" in text for text in shown), "nothing was seen, so the absence below would prove nothing"
    assert not [text for text in shown if service.hook_secret in text]


def test_only_the_launcher_and_the_front_see_the_settings(service: Service, learner: LearnerSession) -> None:
    assert service.process is not None
    shown = map(inspection.shown, psutil.Process(service.process.pid).children(recursive=True))
    others = [(arguments, environment) for arguments, environment in shown if "api.front" not in arguments]

    # The embedder, the jailer, the host and, as its child, at least the learner's session process.
    assert len(others) >= 4
    assert learner.session_id
    for arguments, environment in others:
        names = {name for name in environment if name.startswith("MAYFLY_")}
        assert names <= {PARENT_VARIABLE}, arguments


def test_the_assurance_reports_the_host_and_the_embedder_too(service: Service) -> None:
    with service.client() as http:
        told = http.get("/v1/assurance").json()

    sound = {"dumpable": False, "core_limit_bytes": 0, "private_umask": True}
    assert {name: state | sound for name, state in told["processes"].items()} == told["processes"]
    assert {name: state["memory_scrubbed_on_free"] for name, state in told["processes"].items()} == {
        "front": True,
        "host": False,
        "embedder": True,
    }
    assert (told["weaknesses"], told["weak_host_allowed"]) == ([], False)


@pytest.fixture
def disk() -> Iterator[Path]:
    """A private folder that is not in memory."""
    with tempfile.TemporaryDirectory(prefix=".mayfly-disk", dir=Path(__file__).parents[2]) as folder:
        if filesystem_of(Path(folder)) in RAM_FILESYSTEMS:
            pytest.skip("this machine has no disk")
        yield Path(folder)


def test_a_runtime_directory_on_a_disk_stops_the_start(disk: Path) -> None:
    with prepared({"MAYFLY_RUNTIME_DIR": str(disk / "run")}) as service:
        tried = subprocess.run(
            [sys.executable, "-m", "api.launcher"],
            env=service.environment,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )

    assert tried.returncode == 1
    assert "mayfly cannot start: this host is too weak: the runtime directory" in tried.stderr
    assert "MAYFLY_ALLOW_WEAK_HOST" in tried.stderr
    assert "child_started" not in tried.stderr


def test_an_operator_can_allow_a_weak_host_and_it_is_told(disk: Path) -> None:
    with running({"MAYFLY_RUNTIME_DIR": str(disk / "run"), "MAYFLY_ALLOW_WEAK_HOST": "true"}) as service:
        with service.client() as http:
            told = http.get("/v1/assurance").json()
        warned = [event for event in service.events if event["event"] == "weak_host"]

    assert told["weak_host_allowed"]
    assert [event["problem"] for event in warned] == [text.replace(" ", "_") for text in told["weaknesses"]]
    assert "runtime directory" in told["weaknesses"][0]


def test_a_client_that_was_answered_cannot_keep_its_connection_by_sending_the_rest_slowly(service: Service) -> None:
    head = (
        b"POST /v1/sessions/current/documents HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer nobody\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", service.port), timeout=DRAIN_SECONDS + 60) as connection:
        connection.sendall(head)
        reply = connection.recv(65_536)
        with contextlib.suppress(OSError):
            connection.sendall(b"x")

        assert reply.startswith(b"HTTP/1.1 401 ")
        assert _is_over(connection)


def _is_over(connection: socket.socket) -> bool:
    try:
        while connection.recv(65_536):
            pass
    except ConnectionResetError:
        return True
    return True


def test_connections_beyond_the_bound_are_closed_and_the_others_served(hurried: Service) -> None:
    front = psutil.Process(hurried.pids("front")[-1])
    before = front.rlimit(psutil.RLIMIT_NOFILE)
    front.rlimit(psutil.RLIMIT_NOFILE, (SPARE_DESCRIPTORS + 5, before[1]))
    try:
        with contextlib.ExitStack() as stack:
            address = ("127.0.0.1", hurried.port)
            held = [stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(5)]
            extra = [stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(10)]
            closed = [_is_over(connection) for connection in extra]
            held[0].sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            reply = held[0].recv(65_536)
    finally:
        front.rlimit(psutil.RLIMIT_NOFILE, before)

    assert all(closed)
    assert reply.startswith(b"HTTP/1.1 200 ")


def test_stopping_purges_every_session_with_a_receipt_and_leaves_no_process() -> None:
    with prepared() as service:
        service.start()
        with Client(service.url) as client:
            sessions = [new_learner(client) for _ in range(3)]
        launcher = psutil.Process(service.process.pid if service.process else 0)
        processes = launcher.children(recursive=True)

        code = service.stop()

        assert code == 0
        assert len(processes) >= 4 + len(sessions)
        assert psutil.wait_procs(processes, timeout=60)[1] == []
        service.start()
        reasons = [service.hook(session.session_id).json()["statement"]["reason"] for session in sessions]
        assert reasons == ["shutdown"] * 3


def test_a_request_in_progress_is_finished_when_the_service_stops() -> None:
    with running() as service, Client(service.url) as client:
        learner = new_learner(client)
        token = learner.signed_in.token
        part = (
            '--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nThe weir sings.\r\n--b--\r\n'
        )
        head = (
            "POST /v1/sessions/current/documents HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            f"Content-Length: {len(part)}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", service.port), timeout=60) as connection:
            connection.sendall(head.encode() + part[:70].encode())
            assert eventually(lambda: learner.held()["quarantined_files"] == 1, seconds=60)
            assert service.process is not None
            stopped = time.monotonic()
            service.process.send_signal(signal.SIGTERM)
            assert eventually(lambda: _refuses(service), seconds=60)
            reply, late = b"", time.monotonic() - stopped > GRACE_SECONDS - 1
            with contextlib.suppress(OSError):
                connection.sendall(part[70:].encode())
                reply = connection.recv(65_536)
        service.process.wait(STOP_SECONDS)

    assert reply.startswith(b"HTTP/1.1 202 ") or late


def _refuses(service: Service) -> bool:
    try:
        socket.create_connection(("127.0.0.1", service.port), timeout=60).close()
    except ConnectionRefusedError:
        return True
    return False


def test_two_services_cannot_share_a_folder(service: Service) -> None:
    with prepared() as other:
        for name in ("MAYFLY_RUNTIME_DIR", "MAYFLY_DATA_DIR"):
            environment = {**other.environment, name: service.environment[name]}
            refused = subprocess.run(
                [sys.executable, "-m", "api.launcher"], env=environment, capture_output=True, text=True, check=False
            )

            assert refused.returncode == 1
            assert "another service uses" in refused.stderr
    service.wait_until_ready()


def test_a_port_in_use_is_told(service: Service) -> None:
    with prepared({"MAYFLY_PORT": str(service.port)}) as other:
        other.start_only()
        assert other.process is not None

        assert other.process.wait(START_SECONDS) == 1
        assert "cannot listen" in other.log


@pytest.mark.parametrize(
    "setting",
    [
        {"MAYFLY_DATABASE_URL": "mariadb://mayfly:hunter2@192.0.2.1/mayfly"},
        {"MAYFLY_EMBEDDING_MODEL": "no-such-model"},
    ],
)
def test_a_service_that_cannot_do_its_work_does_not_start(setting: dict[str, str]) -> None:
    with prepared(setting) as service:
        service.start_only()
        assert service.process is not None

        assert service.process.wait(START_SECONDS) == 1
        assert "cannot" in service.log
        assert "hunter2" not in service.log


def test_every_log_line_is_one_object_of_allowed_fields(service: Service) -> None:
    with service.client() as http:
        http.get("/v1/limits", headers={"X-Request-Id": "forged"})

    requests = [event for event in service.events if event["event"] == "request"]
    assert requests
    assert "forged" not in service.log
    assert not [event for event in service.events if "dropped_fields" in event]


def test_metrics_name_routes_and_nobody(service: Service) -> None:
    with Client(service.url) as client, new_learner(client) as learner:
        learner.documents()
        shown = httpx2.get(f"{service.url}/metrics", trust_env=False, timeout=60).text

        assert 'route="/v1/sessions/current/documents"' in shown
        assert "mayfly_live_sessions" in shown
        assert learner.session_id not in shown


@pytest.mark.parametrize("secret", ["", "\n", "short"])
def test_a_hook_secret_that_could_be_guessed_keeps_the_service_from_starting(secret: str) -> None:
    with prepared() as service:
        file = service.folder / "secret"
        file.write_text(secret)
        file.chmod(0o600)
        service.environment = {**service.environment, "MAYFLY_HOOK_SECRET_FILE": str(file)}

        service.start_only()

        assert service.process is not None
        assert service.process.wait(START_SECONDS) == 1
        assert "must hold a secret" in service.log
