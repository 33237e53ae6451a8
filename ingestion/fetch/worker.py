"""The fetcher process: ``python -m ingestion.fetch.worker``, a ``FetcherConfig`` as JSON on standard input.

Owns the only way from this machine to the internet. Has no keys, no database and no settings: its environment is
emptied before anything is read, and it gives up every file that a fetch does not need. Each fetch has a process of its
own, so that what a site sent and where it was are gone with it. Knows neither session nor learner. Logs numbers and
fixed words, never where it went.
"""

import contextlib
import ctypes
import multiprocessing
import os
import select
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from ingestion import landlock, seccomp
from ingestion.fetch.addresses import Link, read_link
from ingestion.fetch.messages import PIECE_BYTES, Admitted, Arrived, Arriving, Bytes, Failed, Fetch
from ingestion.fetch.site import Bounds, Network, Visit
from models.errors import MayflyError, QueueFull
from processes import events, hardening, ipc

_RETRY_SECONDS = 5
# Connections that are told to come back take a process for a moment; one beyond these is hung up on.
_TURNED_AWAY_AT_ONCE = 32
_ACCEPT_PAUSE_SECONDS = 0.2
_PR_SET_NO_NEW_PRIVS = 38
# What resolving a name, verifying a certificate and this interpreter read; none of it is ours.
_READABLE = (
    *("/usr", "/lib", "/lib64", "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf"),
    *("/etc/host.conf", "/etc/services", "/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/run/systemd/resolve"),
)
_NEEDED_CALLS = frozenset({
    *("socket", "connect", "bind", "listen", "accept", "accept4"),
    *("sendmsg", "recvmsg", "sendmmsg", "recvmmsg"),
})  # fmt: skip


class FetcherConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the launcher hands over: where to listen, how many fetches at once, and what one may cost."""

    socket: str
    fetches: int
    max_bytes: int
    max_seconds: float
    redirects: int


class Fetcher:
    """Answers each connection with one fetch; at most ``fetches`` at a time, and one more is told to come back.

    The places are counted across all threads and forks.
    """

    def __init__(self, network: Network, bounds: Bounds, *, fetches: int) -> None:
        self._network = network
        self._bounds = bounds
        self._places = multiprocessing.get_context("fork").BoundedSemaphore(fetches)

    def handle(self, connection: ipc.Connection) -> None:
        """Carry out the fetch of one connection. A peer that sends no request, or reads nothing, is hung up on."""
        connection.sock.settimeout(self._bounds.max_seconds)
        try:
            request = connection.receive()
        except (msgspec.MsgspecError, ipc.FrameTooLarge):
            return
        if request is None:
            return
        if not self._places.acquire(block=False):
            connection.send(Failed(slug=QueueFull.slug, retry_after_seconds=_RETRY_SECONDS))
            return
        try:
            self._admit(connection, request)
        finally:
            self._places.release()

    def _admit(self, connection: ipc.Connection, request: Fetch) -> None:
        started, error, size = time.monotonic(), None, 0
        try:
            link = read_link(request.untrusted_url)
            connection.send(Admitted())
            size = self._carry_out(connection, link)
        except MayflyError as refusal:
            error = refusal.slug
            connection.send(Failed(slug=refusal.slug))
        finally:
            events.log("link_fetched", error=error, bytes=size, seconds=round(time.monotonic() - started, 3))

    def _carry_out(self, connection: ipc.Connection, link: Link) -> int:
        """Pass a document on as it arrives and return its size. Raises ``PeerGone`` when nobody wants it any more."""
        size = 0
        with Visit(self._network, self._bounds) as visit, _Watch(connection, visit):
            found = visit.find(link)
            connection.send(Arriving(untrusted_media_type=found.untrusted_media_type))
            for part in found.body:
                size += len(part)
                for start in range(0, len(part), PIECE_BYTES):
                    connection.send(Bytes(untrusted=part[start : start + PIECE_BYTES]))
            connection.send(Arrived())
        return size


class _Watch:
    """Stops a visit as soon as who asked for it hangs up."""

    def __init__(self, connection: ipc.Connection, visit: Visit) -> None:
        self._connection = connection
        self._visit = visit
        self._done = os.eventfd(0)
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        os.eventfd_write(self._done, 1)
        self._thread.join()
        os.close(self._done)

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._done, select.POLLIN)
        poll.register(self._connection.sock, select.POLLRDHUP)
        ready = {descriptor for descriptor, _ in poll.poll()}
        if self._done not in ready:
            self._visit.stop()


def main() -> None:
    """Read the configuration from standard input and serve until SIGTERM."""
    hardening.harden()
    hardening.forget_environment("ingestion.fetch.worker")
    events.silence_tracebacks()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    config = msgspec.json.decode(sys.stdin.buffer.read(), type=FetcherConfig)
    bounds = Bounds(max_bytes=config.max_bytes, max_seconds=config.max_seconds, redirects=config.redirects)
    fetcher = Fetcher(Network(), bounds, fetches=config.fetches)
    listener = ipc.listen(Path(config.socket))
    withdraw()
    events.log("fetcher_ready")
    Forks(listener, fetcher.handle, most=config.fetches + _TURNED_AWAY_AT_ONCE).serve()


def withdraw() -> None:
    """Give up, for this thread and all it starts, every file and system call that a fetch does not need.

    Afterwards nothing can be written, nothing read but the system's own files, no program started, and no socket made
    that reaches another process of this service: those lie at paths, which Landlock does not rule. What this machine
    cannot keep up is logged once and left out: the other walls hold.
    """
    # Loads what resolving needs while everything can still be read.
    with contextlib.suppress(OSError):
        socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)
    "localhost".encode("idna")
    paths = ssl.get_default_verify_paths()
    readable = (*_READABLE, paths.openssl_cafile, paths.openssl_capath, sys.prefix, sys.base_prefix)
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    held = _holds(partial(landlock.confine, readable=readable, devices=(), own=None, tcp=True))
    names = (seccomp.FORBIDDEN - _NEEDED_CALLS) | {"execve"}
    if not landlock.confines_signals():
        names |= seccomp.SIGNALS
    truncation = not landlock.rules_truncation()
    if not _holds(partial(seccomp.forbid, names, families=(socket.AF_UNIX,), truncation=truncation)) or not held:
        events.log("fetcher_unconfined")


def _holds(wall: Callable[[], None]) -> bool:
    try:
        wall()
    except (OSError, KeyError):  # A machine whose calls have no known numbers.
        return False
    return True


class Forks:
    """Accepts for ever, and forks for each connection; this process itself reads nothing and starts no thread."""

    def __init__(self, listener: socket.socket, handle: Callable[[ipc.Connection], None], *, most: int) -> None:
        self._listener = listener
        self._handle = handle
        self._most = most
        self._children = dict[int, int]()  # By the end of a pipe that closes when the child is gone.
        self._poll = select.poll()
        self._poll.register(listener, select.POLLIN)

    def serve(self) -> None:
        """Answer until the process ends. Raises ``SystemExit`` when a child was killed: its place is lost with it."""
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == self._listener.fileno():
                    self._accept()
                else:
                    self._bury(descriptor)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            time.sleep(_ACCEPT_PAUSE_SECONDS)  # Descriptors or memory are short.
            return
        with sock:
            if len(self._children) < self._most and ipc.is_own_user(sock):
                with contextlib.suppress(OSError):
                    self._fork(sock)

    def _fork(self, sock: socket.socket) -> None:
        gone, held = os.pipe()
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            os.close(gone)
            raise
        else:
            if pid == 0:
                self._live(sock, parent)
        finally:
            os.close(held)
        self._children[gone] = pid
        self._poll.register(gone, 0)  # Only that it hangs up.

    def _live(self, sock: socket.socket, parent: int) -> None:
        """Be the child: answer this one connection and end."""
        code = 1
        try:
            os.environ[hardening.PARENT_VARIABLE] = str(parent)
            hardening.harden()
            self._listener.close()
            with ipc.Connection(sock, Fetch) as connection, contextlib.suppress(ipc.PeerGone):
                self._handle(connection)
            code = 0
        except Exception as error:  # noqa: BLE001  # A child must never go on as its parent.
            sys.excepthook(type(error), error, None)
        finally:
            os._exit(code)

    def _bury(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)
        os.close(descriptor)
        _, status = os.waitpid(self._children.pop(descriptor), 0)
        if os.WIFSIGNALED(status):
            events.log("fetch_killed")
            raise SystemExit(1)


if __name__ == "__main__":
    main()
