"""The fetcher process: ``python -m ingestion.fetch.worker``, a ``FetcherConfig`` as JSON on standard input.

Owns the only way from this machine to the internet. Has no keys, no database and no settings: its environment is
emptied before anything is read. Knows neither session nor learner. Logs numbers and fixed words, never where it went.
"""

import os
import select
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec

from ingestion.fetch.addresses import Link, read_link
from ingestion.fetch.messages import PIECE_BYTES, Admitted, Arrived, Arriving, Bytes, Failed, Fetch
from ingestion.fetch.site import Bounds, Network, Visit
from models.errors import MayflyError, QueueFull
from processes import hardening, ipc

_KEPT_NAMES = frozenset({"PATH", "TMPDIR", "TZ", "LANG", "VIRTUAL_ENV", "GLIBC_TUNABLES"})
_KEPT_PREFIXES = ("LC_", "PYTHON")
_RETRY_SECONDS = 5


class FetcherConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the launcher hands over: where to listen, how many fetches at once, and what one may cost."""

    socket: str
    fetches: int
    max_bytes: int
    max_seconds: float
    redirects: int


class Fetcher:
    """Answers each connection with one fetch; at most ``fetches`` at a time, and one more is told to come back."""

    def __init__(self, network: Network, bounds: Bounds, *, fetches: int) -> None:
        self._network = network
        self._bounds = bounds
        self._places = threading.BoundedSemaphore(fetches)

    def handle(self, connection: ipc.Connection) -> None:
        """Carry out the fetch of one connection. A peer that sends no request, or reads nothing, is hung up on."""
        connection.sock.settimeout(self._bounds.max_seconds)
        try:
            request = connection.receive()
        except (msgspec.MsgspecError, ipc.FrameTooLarge):
            return
        if request is None:
            return
        if not self._places.acquire(blocking=False):
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
            log("link_fetched", error=error, bytes=size, seconds=round(time.monotonic() - started, 3))

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
    _forget_environment()
    _report_without_content()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    config = msgspec.json.decode(sys.stdin.buffer.read(), type=FetcherConfig)
    bounds = Bounds(max_bytes=config.max_bytes, max_seconds=config.max_seconds, redirects=config.redirects)
    serve(config.socket, Fetcher(Network(), bounds, fetches=config.fetches))


def serve(socket: str, fetcher: Fetcher) -> None:
    """Listen and answer until the process ends."""
    listener = ipc.listen(Path(socket))
    log("fetcher_ready")
    ipc.serve(listener, Fetch, fetcher.handle)


def log(event: str, **fields: str | float | None) -> None:
    """Write one JSON line to standard error. Fields are fixed words and numbers."""
    sys.stderr.buffer.write(msgspec.json.encode({"event": event, "process": "fetcher", **fields}) + b"\n")
    sys.stderr.buffer.flush()


def _forget_environment() -> None:
    """Start over with what is needed, unless that is all there is: clearing it later leaves a copy in memory."""
    kept = {name: os.environ[name] for name in os.environ if name in _KEPT_NAMES or name.startswith(_KEPT_PREFIXES)}
    if kept != dict(os.environ):
        os.execve(sys.executable, [sys.executable, "-m", "ingestion.fetch.worker"], kept)  # noqa: S606 - ourselves.


def _report_without_content() -> None:
    """Have uncaught errors reported by type alone: a message may quote what the process was given."""

    def report(kind: Any, *_: object) -> None:
        log("fetcher_error", kind=getattr(kind, "__name__", "unknown"))

    sys.excepthook = report
    threading.excepthook = lambda arguments: report(arguments.exc_type)


if __name__ == "__main__":
    main()
