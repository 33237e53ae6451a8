"""The jailer's loop: it starts a jail for each document and sees that it ends.

Owns the queue, the clock and the axe. It has one thread, no secrets and no content: it loads the parsers once, forks
for each connection, and from then on only the jail and its client talk. When the client hangs up, the time is over,
or the session is dropped, it kills the jail with everything the jail started.
"""

import contextlib
import gc
import os
import select
import signal
import socket
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ingestion import usage
from ingestion.chunk import Chunker
from ingestion.extract import tesseract
from ingestion.inmate import Inmate
from ingestion.jail import Admitted, AskLevel, Dropped, Failed, JailRequest, Level, OpenJail
from ingestion.level import Walls
from ingestion.limits import JailerConfig, JailLimits
from ingestion.reaper import adopt_orphans, end_group
from ingestion.usage import Usage
from ingestion.visitor import Visitor, send_at_once
from ingestion.walls import enclose, private_folder
from ingestion.warm import probe, warm_up
from models.errors import ParserFailed, PartUnavailable, TimedOut
from processes import events, ipc
from vectorstore.tokens import TokenCounter

_GREETING_SECONDS = 10.0
_DEAF_SECONDS = 0.2
# How long a jailer that may open no jail stays to say why. Longer than a death is remembered (api.children).
_UNFIT_SECONDS = 31.0
# What a jail says through its pipe.
_PAGE, _ANSWER = b"p", b"a"
_HANG_UP = select.POLLRDHUP | select.POLLHUP | select.POLLERR
# How a jail ends that has fewer walls than the one that was tried when the jailer started.
_EXIT_WALLS_MISSING = os.EX_NOPERM
_WALLS_MISSING = "walls_missing"
_DEAD_ONES = os.WEXITED | os.WNOHANG | os.WNOWAIT


@dataclass(slots=True, eq=False)
class _Jail:
    """A jail at work. ``pages`` is the pipe through which it says that it recognises another page, or answers now.

    ``credit`` is the time that its finished pages have bought it; ``page_began`` is when the current one began.
    """

    pid: int
    sock: socket.socket
    session: str
    pages: int
    started: float
    deadline: float
    recognised: int = 0
    credit: float = 0.0
    page_began: float | None = None
    answering: bool = False


class TooWeak(Exception):
    """The walls that withstood are fewer than the operator allows."""


class Guard:
    """The loop. ``run`` returns when ``stop`` was called, with every jail dead.

    Making one raises ``NoJail`` where no jail can be built. Below the level that the operator insists on, a guard says
    what its level is, turns every document away, and ``run`` soon raises ``TooWeak``: another jailer may do better.
    """

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
        self._deaf_until: float | None = None
        warm_up(self._chunker)
        self.walls = probe(config.limits)
        is_fit = self.walls.reach(config.least)
        self._retires_at = None if is_fit else time.monotonic() + _UNFIT_SECONDS
        self._listener = ipc.listen(Path(config.socket))
        self._listener.setblocking(False)
        self._wake, self._waker = socket.socketpair()
        for end in (self._wake, self._waker):
            end.setblocking(False)

    def run(self) -> None:
        """Serve until stopped. Raises ``TooWeak`` after a while in which it served nobody."""
        adopt_orphans()
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self.stop())
        for descriptor in (self._listener.fileno(), self._wake.fileno()):
            self._poll.register(descriptor, select.POLLIN)
        gc.collect()
        gc.freeze()
        while not self._stopping:
            for descriptor, happened in self._poll.poll(self._patience_ms()):
                self._attend(descriptor, happened)
            self._end_overdue()
            self._listen_again()
            self._reap()
            self._admit()
            self._retire()
        self._listener.close()  # First: a client whose jail ends asks here whether the jailer is still there.
        for jail in list(self._jails.values()):
            self._end(jail, None)
        if self._retires_at is not None and time.monotonic() >= self._retires_at:
            raise TooWeak

    def stop(self) -> None:
        """Make ``run`` return."""
        self._stopping = True

    # --- what may happen ------------------------------------------------------------

    def _attend(self, descriptor: int, happened: int) -> None:
        if descriptor == self._listener.fileno():
            self._accept()
        elif descriptor == self._wake.fileno():
            with contextlib.suppress(BlockingIOError):
                self._wake.recv(4096)
        elif visitor := self._greeting.get(descriptor):
            self._greet(visitor)
        elif jail := self._by_descriptor.get(descriptor):
            self._watch(jail, descriptor, happened)
        else:
            self._withdraw(descriptor)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            # No descriptor or no memory left: the visitor stays at the door until some are free.
            events.log("jailer_deaf", errno=error.errno or 0)
            self._poll.unregister(self._listener.fileno())
            self._deaf_until = time.monotonic() + _DEAF_SECONDS
            return
        sock.setblocking(True)  # The jail inherits it; this process only ever uses MSG_DONTWAIT.
        if not ipc.is_own_user(sock):
            sock.close()
            return
        self._greeting[sock.fileno()] = Visitor(sock, time.monotonic() + _GREETING_SECONDS)
        self._poll.register(sock.fileno(), select.POLLIN | _HANG_UP)

    def _listen_again(self) -> None:
        if self._deaf_until is not None and time.monotonic() >= self._deaf_until:
            self._deaf_until = None
            self._poll.register(self._listener.fileno(), select.POLLIN)

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
        if isinstance(request, OpenJail) and self._retires_at is None:
            visitor.session = request.session
            self._waiting.append(visitor)
            self._poll.modify(descriptor, _HANG_UP)
            return
        if isinstance(request, AskLevel):
            send_at_once(visitor.sock, Level(walls=self.walls))
        elif isinstance(request, OpenJail):
            send_at_once(visitor.sock, Failed(slug=PartUnavailable.slug))
        else:
            jails = self._drop(request.session)
            if jails is not None:
                send_at_once(visitor.sock, Dropped(jails=jails))
        self._forget(visitor.sock)

    def _watch(self, jail: _Jail, descriptor: int, happened: int) -> None:
        if descriptor == jail.sock.fileno():
            self._end(jail, None)
        elif happened & select.POLLIN:
            self._listen_to(jail)
        else:
            self._poll.unregister(descriptor)

    def _listen_to(self, jail: _Jail) -> None:
        """Take in what a jail says of itself. However often it says so, pages buy it no more than they take."""
        with contextlib.suppress(BlockingIOError):
            said = os.read(jail.pages, 4096)
            jail.answering = jail.answering or _ANSWER in said
            for _ in range(min(said.count(_PAGE), self._limits.pages - jail.recognised)):
                credit_page(jail, self._limits, time.monotonic())

    def _withdraw(self, descriptor: int) -> None:
        for visitor in [each for each in self._waiting if each.sock.fileno() == descriptor]:
            self._waiting.remove(visitor)
            self._forget(visitor.sock)

    def _drop(self, session: str) -> int | None:
        """Kill and reap a session's jails; return how many there were, or ``None`` when one of them would not die."""
        waiting = [visitor for visitor in self._waiting if visitor.session == session]
        jails = [jail for jail in self._jails.values() if jail.session == session]
        for visitor in waiting:
            self._waiting.remove(visitor)
            self._forget(visitor.sock)
        are_dead = [self._end(jail, None) for jail in jails]
        return len(waiting) + len(jails) if all(are_dead) else None

    # --- the clock ------------------------------------------------------------

    def _patience_ms(self) -> float | None:
        deadlines = [each.deadline for each in (*self._greeting.values(), *self._jails.values())]
        if self._deaf_until is not None:
            deadlines.append(self._deaf_until)
        if self._retires_at is not None:
            deadlines.append(self._retires_at)
        return max(0.0, min(deadlines) - time.monotonic()) * 1000 + 1 if deadlines else None

    def _retire(self) -> None:
        if self._retires_at is not None and time.monotonic() >= self._retires_at:
            self.stop()

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
        """Start a jail for a visitor, or turn away this one where the machine has nothing left to build it from."""
        try:
            pid, ours = self._fork(visitor.sock)
        except OSError as error:
            events.log("jail_refused", errno=error.errno or 0)
            send_at_once(visitor.sock, Failed(slug=PartUnavailable.slug))
            self._forget(visitor.sock)
            return
        now = time.monotonic()
        jail = _Jail(pid, visitor.sock, visitor.session, ours, now, now + self._limits.document_seconds)
        self._jails[pid] = jail
        self._by_descriptor |= {visitor.sock.fileno(): jail, ours: jail}
        self._poll.register(ours, select.POLLIN)

    def _fork(self, sock: socket.socket) -> tuple[int, int]:
        """Return a new jail's process id and our end of its pipe. Raises ``OSError``, and then nothing is left."""
        ours, theirs = os.pipe()
        try:
            os.set_blocking(ours, False)
            pid = os.fork()
        except OSError:
            os.close(ours)
            raise
        else:
            if pid == 0:
                _live(sock, theirs, self._limits, self._chunker, self.walls)
            return pid, ours
        finally:
            os.close(theirs)

    def _reap(self) -> None:
        for jail in list(self._jails.values()):
            if death := os.waitid(os.P_PID, jail.pid, _DEAD_ONES):
                if death.si_code == os.CLD_EXITED and death.si_status == _EXIT_WALLS_MISSING:
                    events.log(_WALLS_MISSING)
                self._end(jail, _blame(death))
        with contextlib.suppress(ChildProcessError):  # Orphans that left their jail's group are our children too.
            while (orphan := os.waitid(os.P_ALL, 0, _DEAD_ONES)) and orphan.si_pid not in self._jails:
                os.waitpid(orphan.si_pid, os.WNOHANG)

    def _end(self, jail: _Jail, slug: str | None) -> bool:
        """Kill a jail with all it started, reap it, tell its client why, and say whether all of it is gone."""
        used = usage.of_group(jail.pid)
        # Also after its own death: without a process namespace something may be left.
        end = end_group(jail.pid)
        self._listen_to(jail)
        # After its answer has begun, a word of ours could stand in the middle of it; and it needs none.
        self._close(jail, None if jail.answering else slug, used.or_more(end.used))
        if not end.is_gone:
            events.log("jail_lingers")
        return end.is_gone

    def _close(self, jail: _Jail, slug: str | None, used: Usage) -> None:
        del self._jails[jail.pid]
        for descriptor in (jail.sock.fileno(), jail.pages):
            del self._by_descriptor[descriptor]
        with contextlib.suppress(KeyError):
            self._poll.unregister(jail.pages)
        os.close(jail.pages)
        if slug is not None:
            send_at_once(jail.sock, Failed(slug=slug))
        self._forget(jail.sock)
        events.log(
            "jail_ended",
            outcome=slug or "over",
            seconds=round(time.monotonic() - jail.started, 3),
            cpu_seconds=round(used.cpu_seconds, 3),
            peak_bytes=used.peak_bytes,
        )

    def _forget(self, sock: socket.socket) -> None:
        self._poll.unregister(sock.fileno())
        sock.close()


def _live(sock: socket.socket, pages: int, limits: JailLimits, chunker: Chunker, promised: Walls) -> None:
    """Be a jail: put up the walls, read the document, die. With fewer walls than promised, die at once."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        walls = enclose(limits, keep=frozenset({sock.fileno(), pages}))
        if not walls.held >= promised.held:
            os._exit(_EXIT_WALLS_MISSING)
        if folder := private_folder(walls):
            tesseract.keep_files_in(folder)
        connection = ipc.Connection(sock, JailRequest)
        # Said here, and not by the jailer: a jail that was never built is then no document's fault.
        connection.send(Admitted(limits=limits))
        Inmate(connection, limits, chunker, partial(_say, pages, _PAGE), partial(_say, pages, _ANSWER)).serve()
        status = 0
    except ipc.PeerGone:
        status = 0
    finally:
        os._exit(status)


def _say(pages: int, word: bytes) -> None:
    os.write(pages, word)


def credit_page(jail: _Jail, limits: JailLimits, now: float) -> None:
    """Note that another page begins: what the one before took is credited only now, and a page's time is lent."""
    if jail.page_began is not None:
        jail.credit += min(now - jail.page_began, limits.ocr_page_seconds)
    jail.recognised += 1
    jail.page_began = now
    recognition_seconds = min(jail.credit + limits.ocr_page_seconds, limits.ocr_seconds)
    jail.deadline = jail.started + limits.document_seconds + recognition_seconds


def _blame(death: os.waitid_result) -> str:
    """Return what the death of a jail that has not answered means: out of CPU time, or broken."""
    was_killed = death.si_code != os.CLD_EXITED
    return TimedOut.slug if was_killed and death.si_status == signal.SIGXCPU else ParserFailed.slug
