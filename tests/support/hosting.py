"""The processes around a session, without a front: embedder, jailer and host, each a real one in throw-away folders."""

import asyncio
import contextlib
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterable
from pathlib import Path

import msgspec
import psutil

from ingestion.jailer import JailerConfig
from ingestion.limits import JailLimits
from ingestion.quarantine import usage
from processes import ipc
from processes.hardening import child_environment
from sessions import messages as m
from sessions.client import HostClient, SessionClient, UploadStream
from sessions.host import HostConfig
from sessions.limits import SessionLimits
from vectorstore import models
from vectorstore.server import EmbedderConfig

ROOT = Path(__file__).parents[2]
MODEL_DIR = Path(sys.prefix) / "share" / "mayfly" / "models"
START_SECONDS = 180
KEY = b"k" * 32
File = tuple[str, bytes]


def wait_until(condition: Callable[[], object], *, seconds: float = 60) -> None:
    """Return once the condition holds; it not holding in time is a failure."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        pause.wait(0.01)


class Parts:
    """The embedder and the jailer of the machine, which any number of hosts share."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mayfly-", dir="/dev/shm"))
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir()
        self.embedder_socket, self.jailer_socket = self.folder / "embedder", self.folder / "jailer"
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        prepared = models.prepare("packaged", MODEL_DIR)
        self.embedder = self.run(
            "vectorstore.server",
            EmbedderConfig(
                socket=str(self.embedder_socket),
                model="packaged",
                model_dir=str(MODEL_DIR),
                backend="auto",
                threads=2,
                queue_texts=4096,
            ),
        )
        self.jailer = self.run(
            "ingestion.jailer",
            JailerConfig(
                socket=str(self.jailer_socket),
                tokenizer_file=str(models.tokenizer_file(prepared)),
                passage_prefix=prepared.card.passage_prefix,
                jails=2,
                limits=JailLimits(),
            ),
        )
        for socket in (self.embedder_socket, self.jailer_socket):
            wait_until(lambda socket=socket: self.lives() and accepts(socket), seconds=START_SECONDS)

    def lives(self) -> bool:
        """Return true; a process that gave up is an error with its log."""
        assert all(process.poll() is None for process in self.processes), (self.folder / "log").read_text()
        return True

    def run(self, module: str, config: msgspec.Struct, *, log: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a module as its own process with a configuration on its stdin."""
        with (log or self.folder / "log").open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", module],
                cwd=ROOT,
                env=child_environment(self.temporary, scrubbing=False),
                stdin=subprocess.PIPE,
                stderr=errors,
            )
        assert process.stdin is not None
        with process.stdin as stdin:
            stdin.write(msgspec.json.encode(config))
        self.processes.append(process)
        return process

    def stop(self) -> None:
        for process in self.processes:
            end(process)
        shutil.rmtree(self.folder, ignore_errors=True)


class Hosting:
    """One host with its sessions."""

    def __init__(
        self, parts: Parts, *, capacity: int = 100, limits: SessionLimits | None = None, tracer_secret: bytes = b""
    ) -> None:
        self.parts = parts
        self.folder = Path(tempfile.mkdtemp(prefix="mayfly-", dir="/dev/shm"))
        self.sessions_dir, self.quarantine_dir = self.folder / "sessions", self.folder / "quarantine"
        self.log_file = self.folder / "log"
        self.config = HostConfig(
            socket=str(self.folder / "host"),
            sessions_dir=str(self.sessions_dir),
            quarantine_dir=str(self.quarantine_dir),
            jailer_socket=str(parts.jailer_socket),
            embedder_socket=str(parts.embedder_socket),
            capacity=capacity,
            limits=limits or SessionLimits(),
            tracer_secret=tracer_secret,
        )
        self.client = HostClient(Path(self.config.socket), timeout_seconds=60)

    def start(self) -> None:
        self.process = self.parts.run("sessions.host", self.config, log=self.log_file)
        wait_until(lambda: accepts(Path(self.config.socket)), seconds=START_SECONDS)

    def stop(self) -> None:
        end(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """Kill the host as a crash would, and return when its sessions, which the kernel kills, are dead too."""
        self.process.kill()
        self.process.wait()
        wait_until(lambda: not any(map(accepts, self.sessions_dir.glob("*.sock"))))

    def open(self, *, idle_seconds: int = 600, absolute_seconds: int = 3600) -> "Session":
        """Open a session and unlock it."""
        session = self.open_locked(idle_seconds=idle_seconds, absolute_seconds=absolute_seconds)
        session.key_commitment = session.client.unlock(KEY, ("en", "fr"))
        return session

    def open_locked(self, *, idle_seconds: int = 600, absolute_seconds: int = 3600) -> "Session":
        """Open a session and leave it locked."""
        session_id = secrets.token_hex(16)
        before = set(self.pids())
        self.client.open(session_id, idle_seconds=idle_seconds, absolute_seconds=absolute_seconds)
        (pid,) = set(self.pids()) - before
        return Session(self, session_id, pid)

    def pids(self) -> list[int]:
        return [child.pid for child in psutil.Process(self.process.pid).children()]

    def has_traces(self, session_id: str) -> bool:
        """Say whether a session's socket or its folder of sealed files is there."""
        return (self.sessions_dir / f"{session_id}.sock").exists() or (self.quarantine_dir / session_id).exists()

    def sealed_files(self) -> list[Path]:
        return [path for path in self.quarantine_dir.rglob("*") if path.is_file()]

    def sealed_bytes(self) -> int:
        return usage(self.quarantine_dir)[1]

    def log(self) -> str:
        return self.log_file.read_text()


class Session:
    """One session process as a front sees it."""

    def __init__(self, hosting: Hosting, session_id: str, pid: int) -> None:
        self.hosting = hosting
        self.session_id = session_id
        self.pid = pid
        self.socket = hosting.sessions_dir / f"{session_id}.sock"
        self.client = SessionClient(self.socket)
        self.key_commitment = b""

    def upload(self, *files: File, key: str | None = None) -> m.Accepted:
        """Upload files in one request."""
        return asyncio.run(self._upload(files, key))

    def ready(self, *files: File) -> tuple[m.DocumentState, ...]:
        """Upload files and wait until every one is ready."""
        states = tuple(self.finished(state.document_id) for state in self.upload(*files).documents)
        assert {state.status for state in states} == {"ready"}, [state.error for state in states]
        return states

    def finished(self, document_id: str, *, seconds: float = 60) -> m.DocumentState:
        """Wait until a document is ready or failed."""
        end, state = time.monotonic() + seconds, self.client.document(document_id)
        while state.status not in {"ready", "failed"}:
            assert time.monotonic() < end, f"still {state.status}"
            state = self.client.watch(document_id, after_version=state.version, timeout_seconds=5)
        return state

    def ask(self, text: str, *, top_k: int = 5, **more: object) -> list[str]:
        """Return the texts of the passages."""
        answer = self.client.ask(m.Ask(text=text, top_k=top_k, **more))  # type: ignore[arg-type]
        return [passage.text for passage in answer.passages]

    def is_gone(self) -> bool:
        """Say whether the process is dead and reaped and nothing of it is left to be found."""
        return not psutil.pid_exists(self.pid) and not self.hosting.has_traces(self.session_id)

    async def _upload(self, files: Iterable[File], key: str | None) -> m.Accepted:
        async with UploadStream(self.socket) as upload:
            await upload.begin(key)
            for name, data in files:
                await send_file(upload, name, data)
            return await upload.commit()


async def send_file(upload: UploadStream, name: str, data: bytes) -> None:
    """Send one whole file in pieces of 64 KiB."""
    await upload.begin_file(name, "text/plain")
    for start in range(0, len(data), 65_536):
        await upload.data(data[start : start + 65_536])
    await upload.end_file()


def accepts(socket: Path) -> bool:
    """Say whether a process listens there."""
    try:
        ipc.connect(socket, m.HostReply).close()
    except ipc.PeerGone:
        return False
    return True


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop a process kindly, then firmly."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def hosting(
    parts: Parts, *, capacity: int = 100, limits: SessionLimits | None = None, tracer_secret: bytes = b""
) -> Generator[Hosting]:
    """Run a host."""
    host = Hosting(parts, capacity=capacity, limits=limits, tracer_secret=tracer_secret)
    try:
        host.start()
        yield host
    finally:
        host.stop()
