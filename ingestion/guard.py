"""The jailer's loop: it starts a jail for each document and sees that it ends.

Owns the queue, the clock and the axe. It has one thread, no secrets and no content: it loads the parsers once, forks
for each connection, and from then on only the jail and its client talk. When the client hangs up, the time is over,
or the session is dropped, it kills the jail with everything the jail started.
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from ingestion.chunk import Chunker
from ingestion.extract import ocr
from ingestion.inmate import Inmate
from ingestion.jail import Admitted, AskLevel, Dropped, Failed, JailRequest, Level, OpenJail
from ingestion.limits import JailerConfig, JailLimits
from ingestion.visitor import Visitor, send_at_once
from ingestion.walls import enclose, private_folder
from ingestion.warm import probe, warm_up
from models.errors import ParserFailed, TimedOut
from processes import ipc
from vectorstore.tokens import TokenCounter

_GREETING_SECONDS = 10.0
_HANG_UP = select.POLLRDHUP | select.POLLHUP | select.POLLERR


@dataclass(slots=True, eq=False)
class _Jail:
    """A jail at work. ``pages`` is the pipe through which it says that it recognises another page."""

    pid: int
    sock: socket.socket
    session: str
    pages: int
    started: float
    deadline: float
    recognised: int = 0


class Guard:
    """The loop. ``run`` returns when ``stop`` was called, with every jail dead."""

    def __init__(self, config: JailerConfig) -> None:
        self._limits = config.limits
        self._places = config.jails
        counter = TokenCounter(Path(config.tokenizer_file), prefix=config.passage_prefix)
        self._chunker = Chunker(counter, max_tokens=config.limits.chunk_tokens)
        self._greeting: dict[int, Visitor] = {}
        self._waiting: deque[Visitor] = deque()
        self._jails: dict[int, _Jail] = {}
        self._by_descriptor: dict[int, _Jail] = {}
        self._poll = select.poll()
        self._stopping = False
        warm_up(self._chunker)
        self.walls = " ".join(sorted(probe(config.limits)))
        self._listener = ipc.listen(Path(config.socket))
        self._listener.setblocking(False)
        self._wake, self._waker = socket.socketpair()
        for end in (self._wake, self._waker):
            end.setblocking(False)

    def run(self) -> None:
        """Serve until stopped."""
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self.stop())
        for descriptor in (self._listener.fileno(), self._wake.fileno()):
            self._poll.register(descriptor, select.POLLIN)
        gc.collect()
        gc.freeze()
        while not self._stopping:
            for descriptor, events in self._poll.poll(self._patience_ms()):
                self._attend(descriptor, events)
            self._end_overdue()
            self._reap()
            self._admit()
        for jail in list(self._jails.values()):
            self._end(jail, None)

    def stop(self) -> None:
        """Make ``run`` return."""
        self._stopping = True

    # --- what may happen ------------------------------------------------------------

    def _attend(self, descriptor: int, events: int) -> None:
        if descriptor == self._listener.fileno():
            self._accept()
        elif descriptor == self._wake.fileno():
            with contextlib.suppress(BlockingIOError):
                self._wake.recv(4096)
        elif visitor := self._greeting.get(descriptor):
            self._greet(visitor)
        elif jail := self._by_descriptor.get(descriptor):
            self._watch(jail, descriptor, events)
        else:
            self._withdraw(descriptor)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            sock, _ = self._listener.accept()
            sock.setblocking(True)  # The jail inherits it; this process only ever uses MSG_DONTWAIT.
            if not ipc.is_own_user(sock):
                sock.close()
                return
            self._greeting[sock.fileno()] = Visitor(sock, time.monotonic() + _GREETING_SECONDS)
            self._poll.register(sock.fileno(), select.POLLIN | _HANG_UP)

    def _greet(self, visitor: Visitor) -> None:
        """Do what the visitor wants, once that is known."""
        descriptor = visitor.sock.fileno()
        try:
            request = visitor.read_greeting()
        except ipc.PeerGone:
            del self._greeting[descriptor]
            self._forget(visitor.sock)
            return
        if request is None:
            return
        del self._greeting[descriptor]
        if isinstance(request, OpenJail):
            visitor.session = request.session
            self._waiting.append(visitor)
            self._poll.modify(descriptor, _HANG_UP)
            return
        if isinstance(request, AskLevel):
            send_at_once(visitor.sock, Level(walls=self.walls))
        else:
            send_at_once(visitor.sock, Dropped(jails=self._drop(request.session)))
        self._forget(visitor.sock)

    def _watch(self, jail: _Jail, descriptor: int, events: int) -> None:
        if descriptor == jail.sock.fileno():
            self._end(jail, None)
        elif events & select.POLLIN:
            # However often a jail says so, it never gets more time than its pages are worth.
            announced = jail.recognised + len(os.read(jail.pages, 4096))
            jail.recognised = min(announced, self._limits.pages)
            budget = self._limits.document_seconds + jail.recognised * self._limits.ocr_page_seconds
            jail.deadline = jail.started + budget
        else:
            self._poll.unregister(descriptor)

    def _withdraw(self, descriptor: int) -> None:
        for visitor in [each for each in self._waiting if each.sock.fileno() == descriptor]:
            self._waiting.remove(visitor)
            self._forget(visitor.sock)

    def _drop(self, session: str) -> int:
        waiting = [visitor for visitor in self._waiting if visitor.session == session]
        jails = [jail for jail in self._jails.values() if jail.session == session]
        for visitor in waiting:
            self._waiting.remove(visitor)
            self._forget(visitor.sock)
        for jail in jails:
            self._end(jail, None)
        return len(waiting) + len(jails)

    # --- the clock ------------------------------------------------------------

    def _patience_ms(self) -> float | None:
        deadlines = [each.deadline for each in (*self._greeting.values(), *self._jails.values())]
        return max(0.0, min(deadlines) - time.monotonic()) * 1000 + 1 if deadlines else None

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for visitor in [each for each in self._greeting.values() if each.deadline < now]:
            del self._greeting[visitor.sock.fileno()]
            self._forget(visitor.sock)
        for jail in [each for each in self._jails.values() if each.deadline < now]:
            self._end(jail, TimedOut.slug)

    # --- jails ------------------------------------------------------------

    def _admit(self) -> None:
        while self._waiting and len(self._jails) < self._places:
            self._open(self._waiting.popleft())

    def _open(self, visitor: Visitor) -> None:
        send_at_once(visitor.sock, Admitted(limits=self._limits))
        ours, theirs = os.pipe()
        pid = os.fork()
        if pid == 0:
            _live(visitor.sock, theirs, self._limits, self._chunker)
        os.close(theirs)
        now = time.monotonic()
        jail = _Jail(pid, visitor.sock, visitor.session, ours, now, now + self._limits.document_seconds)
        self._jails[pid] = jail
        self._by_descriptor |= {visitor.sock.fileno(): jail, ours: jail}
        self._poll.register(ours, select.POLLIN)

    def _reap(self) -> None:
        for jail in list(self._jails.values()):
            if death := os.waitid(os.P_PID, jail.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                self._end(jail, _blame(death))

    def _end(self, jail: _Jail, slug: str | None) -> None:
        """Kill a jail with all it started, reap it, and tell its client why."""
        # Also after its own death: without a process namespace something may be left. Before reaping, while the
        # number is its.
        _kill_group(jail.pid)
        os.waitpid(jail.pid, 0)
        self._close(jail, slug)

    def _close(self, jail: _Jail, slug: str | None) -> None:
        del self._jails[jail.pid]
        for descriptor in (jail.sock.fileno(), jail.pages):
            del self._by_descriptor[descriptor]
        with contextlib.suppress(KeyError):
            self._poll.unregister(jail.pages)
        os.close(jail.pages)
        if slug is not None:
            send_at_once(jail.sock, Failed(slug=slug))
        self._forget(jail.sock)
        log("jail_ended", outcome=slug or "over", seconds=round(time.monotonic() - jail.started, 3))

    def _forget(self, sock: socket.socket) -> None:
        self._poll.unregister(sock.fileno())
        sock.close()


def _live(sock: socket.socket, pages: int, limits: JailLimits, chunker: Chunker) -> None:
    """Be a jail: put up the walls, read the document, die."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        walls = enclose(limits, keep=frozenset({sock.fileno(), pages}))
        if folder := private_folder(walls):
            ocr.keep_files_in(folder)
        connection = ipc.Connection(sock, JailRequest)
        Inmate(connection, limits, chunker, lambda: _announce(pages)).serve()
        status = 0
    except ipc.PeerGone:
        status = 0
    finally:
        os._exit(status)


def _announce(pages: int) -> None:
    os.write(pages, b"p")


def _blame(death: os.waitid_result) -> str | None:
    """Return what a jail's death means: nothing (it has answered), out of CPU time, or broken."""
    if death.si_code == os.CLD_EXITED and death.si_status == 0:
        return None
    return TimedOut.slug if death.si_status == signal.SIGXCPU else ParserFailed.slug


def _kill_group(pid: int) -> None:
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def log(event: str, **facts: str | float) -> None:
    """Write one line of the structured log: a fixed name, numbers, and words of our own."""
    print(json.dumps({"event": event, **facts}), file=sys.stderr, flush=True)  # noqa: T201 - the log is standard error.
