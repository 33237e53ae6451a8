"""The host: forks, leases and kills session processes. ``python -m sessions.host`` with a ``HostConfig`` on stdin.

Owns every session process of the machine: they die with it. Has one thread and no content, and loads what a session
needs once, so that a fork is ready at once. Refuses more sessions than its capacity.
"""

import contextlib
import gc
import importlib
import os
import re
import secrets
import selectors
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import msgspec

from ingestion import quarantine
from models.content import Rerank
from processes import events, ipc
from processes.hardening import harden, state
from sessions import messages as m
from sessions.isolation import can_leave_network
from sessions.leases import Leases
from sessions.limits import SessionLimits
from sessions.tracer import Tracers
from vectorstore.language import identify

_SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")  # it becomes a file name
_MAX_REQUEST_BYTES = 64 * 1024
_MAX_WAIT_SECONDS = 1.0


class HostConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the launcher tells the host. Paths are absolute; ``capacity`` counts live sessions."""

    socket: str
    sessions_dir: str
    quarantine_dir: str
    jailer_socket: str
    embedder_socket: str
    capacity: int
    limits: SessionLimits = SessionLimits()
    fetcher_socket: str | None = None
    rerank: Rerank = "none"
    rerank_seconds: float = 2.0
    tracer_secret: bytes = b""


class Peer:
    """One front's connection: bytes that are not yet a request, and answers not yet taken."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._incoming = bytearray()
        self._outgoing = bytearray()

    @property
    def owes(self) -> bool:
        """Whether an answer waits to be taken."""
        return bool(self._outgoing)

    def read(self) -> list[bytes] | None:
        """Return the requests that are complete; ``None`` when the peer hung up or sends nonsense."""
        try:
            data = self.sock.recv(65_536)
        except BlockingIOError:
            return []
        except OSError:
            return None
        self._incoming += data
        return self._requests() if data else None

    def send(self, message: msgspec.Struct) -> None:
        """Keep an answer until ``flush`` gets rid of it."""
        body = msgspec.msgpack.encode(message)
        self._outgoing += len(body).to_bytes(4, "big") + body

    def flush(self) -> bool:
        """Send what the peer takes now; say whether it is still there."""
        try:
            while self._outgoing:
                del self._outgoing[: self.sock.send(self._outgoing)]
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True

    def _requests(self) -> list[bytes] | None:
        requests: list[bytes] = []
        while len(self._incoming) >= 4:
            length = int.from_bytes(self._incoming[:4], "big")
            if length > _MAX_REQUEST_BYTES:
                return None
            if len(self._incoming) < 4 + length:
                break
            requests.append(bytes(self._incoming[4 : 4 + length]))
            del self._incoming[: 4 + length]
        return requests


class Host:
    """The sessions of this machine. Start it in a process with one thread; ``serve`` returns after SIGTERM."""

    def __init__(self, config: HostConfig) -> None:
        self._config = config
        tracers = Tracers.of(config.tracer_secret)
        self._instance = tracers.name_host() if tracers else secrets.token_hex(16)
        self._leases = Leases()
        self._pids: dict[str, int] = {}
        self._ended: dict[str, m.EndedBy] = {}
        self._sessions, self._quarantine = Path(config.sessions_dir), Path(config.quarantine_dir)
        self._selector = selectors.DefaultSelector()
        self._decoder = msgspec.msgpack.Decoder(m.HostRequest)
        self._private_network = can_leave_network()
        self._stopping = False
        self._wake, self._woken = socket.socketpair()
        self._listener: socket.socket | None = None

    def serve(self) -> None:
        """Remove what an earlier host left, listen, and answer until SIGTERM; then kill every session."""
        for folder in (self._sessions, self._quarantine):
            _empty(folder)
        self._await_signals()
        self._listener = ipc.listen(Path(self._config.socket))
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        events.log("host_ready", instance=self._instance, private_network=self._private_network)
        while not self._stopping:
            self._turn()
        for session_id in list(self._pids):
            self._kill(session_id)

    # --- the loop ----------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        left = self._leases.seconds_to_next_end()
        ready = self._selector.select(min(_MAX_WAIT_SECONDS, left if left is not None else 1.0))
        self._expire()  # The machine may have slept: what is overdue goes before anybody is answered.
        for key, happened in ready:
            if key.fileobj is self._listener:
                self._accept()
            elif key.data is None:
                self._woken.recv(4096)
            else:
                self._attend(key.data, happened)
        self._reap()
        self._expire()

    def _accept(self) -> None:
        if self._listener is None:
            return
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        if ipc.is_own_user(sock):
            sock.setblocking(False)
            self._selector.register(sock, selectors.EVENT_READ, Peer(sock))
        else:
            sock.close()

    def _attend(self, peer: Peer, happened: int) -> None:
        requests = peer.read() if happened & selectors.EVENT_READ else []
        try:
            for request in requests or ():
                peer.send(self._answer(self._decoder.decode(request)))
        except msgspec.MsgspecError:
            requests = None
        if requests is None or not peer.flush():
            self._selector.unregister(peer.sock)
            peer.sock.close()
        else:
            writing = selectors.EVENT_WRITE if peer.owes else 0
            self._selector.modify(peer.sock, selectors.EVENT_READ | writing, peer)

    def _answer(self, request: m.HostRequest) -> m.HostReply:
        if isinstance(request, m.OpenSession):
            return self._open(request)
        if isinstance(request, m.RenewLease):
            return self._leases.renew(request.session_id) or m.Refused(slug="session_expired")
        if isinstance(request, m.KillSession):
            return self._kill_as_asked(request.session_id)
        if isinstance(request, m.ListSessions):
            self._reap()
            return m.LiveSessions(live=tuple(self._leases), ended=dict(self._ended))
        return m.HostHello(
            instance=self._instance,
            live=len(self._leases),
            capacity=self._config.capacity,
            sessions_without_network=self._private_network,
            hardening=state(),
        )

    # --- sessions ----------------------------------------------------------------------------------------------------

    def _open(self, request: m.OpenSession) -> m.Leased | m.Refused:
        session_id = request.session_id
        known = session_id in self._leases or session_id in self._ended
        if known or not _SESSION_ID.match(session_id) or min(request.idle_seconds, request.absolute_seconds) < 1:
            return m.Refused(slug="invalid_request")
        if len(self._leases) >= self._config.capacity:
            return m.Refused(slug="host_full", retry_after_seconds=30)
        try:
            self._pids[session_id] = self._spawn(session_id)
        except OSError as error:
            events.log_failure("fork_failed", error)
            self._remove_traces(session_id)
            return m.Refused(slug="host_full", retry_after_seconds=30)
        events.log("session_opened", session_id=session_id)
        return self._leases.open(
            session_id, idle_seconds=request.idle_seconds, absolute_seconds=request.absolute_seconds
        )

    def _spawn(self, session_id: str) -> int:
        from sessions import process
        from sessions.workspace import WorkspaceConfig

        config = WorkspaceConfig(
            session_id=session_id,
            quarantine_dir=self._config.quarantine_dir,
            jailer_socket=self._config.jailer_socket,
            embedder_socket=self._config.embedder_socket,
            limits=self._config.limits,
            fetcher_socket=self._config.fetcher_socket,
            rerank=self._config.rerank,
            rerank_seconds=self._config.rerank_seconds,
            tracer_secret=self._config.tracer_secret,
        )
        with ipc.listen(self._socket_of(session_id)) as listener:
            return process.spawn(listener, config, private_network=self._private_network, close=self._close_in_child)

    def _close_in_child(self) -> None:
        """Close the host's own descriptors. The selector shares its kernel object with the host: never unregister."""
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()
        self._wake.close()

    def _kill_as_asked(self, session_id: str) -> m.Killed:
        existed = self._kill(session_id)
        self._ended.pop(session_id, None)
        files = self._remove_traces(session_id) if _SESSION_ID.match(session_id) else 0
        return m.Killed(existed=existed is not None, quarantine_files=files + (existed or 0))

    def _kill(self, session_id: str) -> int | None:
        """Kill, reap and clean up; return the number of sealed files removed, ``None`` when there was no process."""
        self._leases.end(session_id)
        pid = self._pids.pop(session_id, None)
        if pid is None:
            return None
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return self._remove_traces(session_id)

    def _expire(self) -> None:
        for session_id, ended in self._leases.expired().items():
            self._kill(session_id)
            self._note_end(session_id, ended)

    def _reap(self) -> None:
        """Take notice of session processes that died by themselves."""
        for session_id, pid in list(self._pids.items()):
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                del self._pids[session_id]
                self._leases.end(session_id)
                self._remove_traces(session_id)
                self._note_end(session_id, "died")

    def _note_end(self, session_id: str, ended: m.EndedBy) -> None:
        self._ended[session_id] = ended
        events.log("session_ended", session_id=session_id, by=ended)

    def _remove_traces(self, session_id: str) -> int:
        folder = self._quarantine / session_id
        files = len(list(folder.iterdir())) if folder.is_dir() and not folder.is_symlink() else 0
        with contextlib.suppress(OSError):  # The purge looks again, and does not end while something is left.
            quarantine.remove(folder)
        self._socket_of(session_id).unlink(missing_ok=True)
        return files

    def _socket_of(self, session_id: str) -> Path:
        return self._sessions / f"{session_id}.sock"

    def _await_signals(self) -> None:
        def stop(*_: Any) -> None:
            self._stopping = True

        for sock in (self._wake, self._woken):
            sock.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the launcher, which purges before it stops us.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._woken, selectors.EVENT_READ)


def load_template() -> None:
    """Import everything a session process needs and freeze it, so that forks share its pages."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "TOKENIZERS_PARALLELISM"):
        os.environ[name] = "false" if name.startswith("TOKENIZERS") else "1"  # a fork must find one thread
    importlib.import_module("sessions.process")
    identify("Which language is this?", min_probability=0)  # The identifier is loaded once, for all sessions.

    gc.collect()
    gc.freeze()


def main() -> None:
    """Run the host until SIGTERM."""
    harden()
    events.silence_tracebacks()
    config = msgspec.json.decode(sys.stdin.buffer.read(), type=HostConfig)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    load_template()
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise SystemExit(f"the template has {threads} threads; a fork of it could hang")
    Host(config).serve()


def _empty(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
