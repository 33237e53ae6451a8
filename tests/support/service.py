"""A real service for tests: ``mayfly serve`` with all its processes, folders of its own and a port of its own."""

import contextlib
import itertools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psutil

START_SECONDS = 180.0
STOP_SECONDS = 120.0
# Below the ports that the kernel hands out by itself (32,768 and on), and 1,000 for each worker of a test run.
_FIRST_PORT, _PORTS_OF_A_WORKER, _WORKERS = 20_000, 1_000, 12
_next_port = itertools.count(secrets.randbelow(_PORTS_OF_A_WORKER))
MEMORY = Path("/dev/shm")  # noqa: S108  (a fresh private folder is made in it)
# Argon2 at its weakest, and no rate limits: tests of those set their own.
FOR_TESTS = {
    "MAYFLY_ACCOUNTS_ARGON2_MEMORY_KIB": "64",
    "MAYFLY_ACCOUNTS_ARGON2_PASSES": "1",
    "MAYFLY_ACCOUNTS_SIGN_INS_PER_MINUTE": "100000",
    "MAYFLY_ACCOUNTS_SIGN_UPS_PER_HOUR": "100000",
    "MAYFLY_ACCOUNTS_QUERIES_PER_MINUTE": "100000",
}


@dataclass
class Service:
    """A service that can be started, stopped and killed; ``process`` is its launcher."""

    folder: Path
    port: int
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def runtime_dir(self) -> Path:
        return self.folder / "run"

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every log line as an object, but one that is still being written. Raises on a line that is not one."""
        return [json.loads(line) for line in self.log.rpartition("\n")[0].splitlines()]

    @property
    def hook_secret(self) -> str:
        return (self.data_dir / "hook-secret").read_text(encoding="ascii")

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it and return when it is ready."""
        self.start_only()
        self.wait_until_ready()

    def start_only(self) -> None:
        """Start it and return at once."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "api.launcher"],
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def is_ready(self) -> bool:
        """Say whether it answers that it is ready."""
        with contextlib.suppress(httpx2.TransportError):
            return httpx2.get(self.url + "/health/ready", trust_env=False, timeout=60).is_success
        return False

    def wait_until_ready(self, *, seconds: float = START_SECONDS) -> None:
        def ready() -> bool:
            assert self.is_running, f"the service ended\n{self.log[-4000:]}"
            return self.is_ready()

        assert eventually(ready, seconds=seconds), self.log[-4000:]

    def stop(self, *, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal to the launcher and return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """Kill the launcher, as a crash would, and return when no process of the service is left."""
        assert self.process is not None
        launcher = psutil.Process(self.process.pid)
        processes = launcher.children(recursive=True)
        self.process.kill()
        self.process.wait(STOP_SECONDS)
        _, alive = psutil.wait_procs(processes, timeout=STOP_SECONDS)
        assert not alive, "processes outlived their launcher"

    def pids(self, child: str) -> list[int]:
        """Return every number the launcher ever started this child under, oldest first."""
        return [event["pid"] for event in self.events if event["event"] == "child_started" and event["child"] == child]

    def client(self, token: str | None = None, **options: Any) -> httpx2.Client:
        """Return a client that speaks plain HTTP with it, as whoever holds the token."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx2.Client(base_url=self.url, headers=headers, trust_env=False, timeout=60, **options)

    def hook(self, session_id: str) -> httpx2.Response:
        """Call the session-end hook."""
        with self.client(self.hook_secret) as client:
            return client.post(f"/v1/sessions/{session_id}/end")


@contextlib.contextmanager
def running(settings: Mapping[str, str] | None = None) -> Generator[Service]:
    """Yield a service that is ready; stop it and remove all its files afterwards."""
    with prepared(settings) as service:
        service.start()
        yield service
        if service.is_running:
            service.stop()


@contextlib.contextmanager
def prepared(settings: Mapping[str, str] | None = None) -> Generator[Service]:
    """Yield a service that is not started; its folders lie on the RAM disk. What still runs afterwards is killed."""
    folder = Path(tempfile.mkdtemp(prefix="mayfly-test-", dir=MEMORY if MEMORY.is_dir() else None))
    port = free_port()
    own = {
        "MAYFLY_PORT": str(port),
        "MAYFLY_DATA_DIR": str(folder / "data"),
        "MAYFLY_RUNTIME_DIR": str(folder / "run"),
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAYFLY_")}
    kept = {name: value for name, value in os.environ.items() if name == "MAYFLY_MODEL_DIR"}
    service = Service(folder, port, inherited | kept | FOR_TESTS | own | dict(settings or {}))
    try:
        yield service
    finally:
        if service.is_running:
            service.kill()
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """Return a port that nobody listens on, nor will before it is used: it is given to nobody else meanwhile."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    for _ in range(_PORTS_OF_A_WORKER):
        port = _FIRST_PORT + worker * _PORTS_OF_A_WORKER + next(_next_port) % _PORTS_OF_A_WORKER
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free")


def eventually(holds: Callable[[], Any], *, seconds: float) -> bool:
    """Say whether a condition comes true in time; looks often and returns at once."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return bool(holds())
