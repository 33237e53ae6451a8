"""A service, and a learner, for a moment: its folders lie on the RAM disk, neither process nor file of it stays."""

import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from api.client import Client, SignUp
from processes.hardening import PR_SET_PDEATHSIG

START_SECONDS = 120


class ServiceFailed(Exception):
    """The throw-away service ended, or was not ready in time. Carries the last lines of its log."""


@dataclass(frozen=True, slots=True)
class ThrowAway:
    """Where the service answers, the folder with all its files, and the number of its launcher."""

    url: str
    folder: Path
    launcher: int

    @property
    def log(self) -> Path:
        """What the service writes to standard output and standard error."""
        return self.folder / "log"


def made_up_learner(prefix: str) -> SignUp:
    """Return a learner with a random name and password, for somebody who will erase him again."""
    name = f"{prefix}-{secrets.token_hex(6)}"
    return SignUp(username=name, email=f"{name}@example.org", password=secrets.token_urlsafe(24))


@contextlib.contextmanager
def throw_away_service(console: Console, settings: Mapping[str, str] | None = None) -> Generator[ThrowAway]:
    """Run ``mayfly serve`` on a free port with folders of its own; leave neither process nor file.

    ``settings`` are variables of the environment that replace those of this process. Raises ``ServiceFailed`` when it
    does not become ready.
    """
    memory = Path("/dev/shm")  # noqa: S108  (a fresh private folder is made in it)
    folder = Path(tempfile.mkdtemp(prefix="mayfly-demo-", dir=memory if memory.is_dir() else None))
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with (folder / "log").open("wb") as log:
            service = _start(folder, port, log.fileno(), settings or {})
        try:
            url = f"http://127.0.0.1:{port}"
            with console.status("a throw-away service is starting"):
                seconds = _wait_until_ready(service, url, folder / "log")
            console.print(f"[bold]service[/]   a throw-away one, ready in {seconds:.1f} s")
            yield ThrowAway(url, folder, service.pid)
        finally:
            _stop(service)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def folders_of(folder: Path) -> dict[str, str]:
    """Return the variables that name the two folders of a throw-away service."""
    return {"MAYFLY_DATA_DIR": str(folder / "data"), "MAYFLY_RUNTIME_DIR": str(folder / "run")}


def _start(folder: Path, port: int, log: int, settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
    own = {"MAYFLY_HOST": "127.0.0.1", "MAYFLY_PORT": str(port)} | folders_of(folder)
    others = {name: value for name, value in os.environ.items() if not name.startswith("MAYFLY_DATABASE_")}
    return subprocess.Popen(
        [sys.executable, "-m", "api.cli", "serve"],
        env=others | own | dict(settings),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=_stop_with_parent,  # noqa: PLW1509  (this process has one thread when it starts the service)
    )


def _stop_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _wait_until_ready(service: subprocess.Popen[bytes], url: str, log: Path) -> float:
    started = time.monotonic()
    with Client(url, timeout_seconds=5) as client:
        while not client.is_ready():
            waited = time.monotonic() - started
            if service.poll() is not None or waited > START_SECONDS:
                raise ServiceFailed("\n".join(log.read_text(errors="replace").splitlines()[-10:]))
            time.sleep(0.05)
    return time.monotonic() - started


def _stop(service: subprocess.Popen[bytes], seconds: float = 30) -> None:
    service.terminate()
    try:
        service.wait(seconds)
    except subprocess.TimeoutExpired:
        service.kill()
        service.wait()
