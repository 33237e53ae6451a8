"""The way into a jail and back: the messages, and the client that a session process reads a document with.

Owns what may cross the wall. Trusts nothing that comes back: a jail parses hostile bytes, so its answer is checked
again (``ingestion.check``) and an error is a name from a fixed list, never a text.

A connection carries one document. The jailer answers ``OpenJail`` with ``Admitted`` when a place is free; from then
on the peer is the jail itself, and the jailer never sees a byte of the document.
"""

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from ingestion.check import check
from ingestion.level import Walls
from ingestion.limits import JailLimits
from models.content import Extraction
from models.errors import ParserFailed, PartUnavailable, from_slug
from processes import ipc
from processes.ipc import Message

_DATA_BYTES = 256 * 1024
_CONTROL_SECONDS = 30.0

JailStage = Literal["extracting", "recognising", "chunking"]
OnProgress = Callable[[JailStage, int, int], None]

# What a jail may blame. Anything else it says is its own failure.
SLUGS = frozenset({
    "unsupported_type",
    "type_mismatch",
    "legacy_office",
    "macro_document",
    "nested_archive",
    "media_file",
    "encrypted_document",
    "empty_document",
    "parser_failed",
    "timed_out",
    "too_many_pages",
    "too_many_pixels",
    "too_much_text",
    "too_complex",
    "expands_too_much",
    "quota_exceeded",
})  # fmt: skip


# --- session process or purge -> jailer
# ------------------------------------------------------------------------------


class OpenJail(Message, frozen=True):
    """I have a document of this session. Answered with ``Admitted`` when a jail is free; hanging up withdraws it."""

    session: str


class DropJails(Message, frozen=True):
    """Kill what reads for this session and forget what waits. Answered with ``Dropped``."""

    session: str


class AskLevel(Message, frozen=True):
    """Which walls hold here? Answered with ``Level``."""


JailerRequest = OpenJail | DropJails | AskLevel

# --- session process -> jail
# -----------------------------------------------------------------------------------------


class ExtractRequest(Message, frozen=True):
    """A document of ``size`` bytes follows in ``DocumentData``. Languages are ISO 639-1, best first."""

    session: str
    size: int
    untrusted_filename: str
    untrusted_media_type: str | None = None
    languages: tuple[str, ...] = ()


class DocumentData(Message, frozen=True):
    """Some bytes of the document."""

    data: bytes


JailRequest = ExtractRequest | DocumentData

# --- jailer or jail -> the other side
# --------------------------------------------------------------------------------


class Admitted(Message, frozen=True):
    """A jail is yours, its walls are up; send the document. It is held to these limits, and so is its answer."""

    limits: JailLimits


class Dropped(Message, frozen=True):
    """All of it is dead and reaped; how many jails there were, waiting ones included."""

    jails: int


class Level(Message, frozen=True):
    """The walls that withstood an attempt to break out when the jailer started."""

    walls: Walls


class Progress(Message, frozen=True):
    """How many of the pages known so far are through a stage."""

    stage: JailStage
    pages_done: int
    pages_known: int


class Finished(Message, frozen=True):
    """The document's text."""

    extraction: Extraction


class Failed(Message, frozen=True):
    """The document cannot be read; ``slug`` is one of ``SLUGS``."""

    slug: str


JailReply = Admitted | Dropped | Level | Progress | Finished | Failed


class Cancelled(Exception):
    """The job was cancelled."""


class Job:
    """One document's way through the pipeline, which another thread may cancel."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: ipc.Connection | None = None
        self._cancelled = threading.Event()

    @property
    def cancelled(self) -> bool:
        """Whether somebody cancelled the job."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Stop the job where it is: a jail at work for it is killed. May be called from any thread, more than once."""
        with self._lock:
            self._cancelled.set()
            if self._connection is not None:
                self._connection.abort()

    def check(self) -> None:
        """Raise ``Cancelled`` when somebody cancelled the job."""
        if self._cancelled.is_set():
            raise Cancelled

    def pause(self, seconds: float) -> None:
        """Wait. Raises ``Cancelled`` as soon as somebody cancels the job."""
        if self._cancelled.wait(seconds):
            raise Cancelled

    @contextlib.contextmanager
    def holding(self, connection: ipc.Connection) -> Generator[None]:
        """Let ``cancel`` reach this connection. Raises ``Cancelled`` when it came already."""
        with self._lock:
            self.check()
            self._connection = connection
        try:
            yield
        finally:
            with self._lock:
                self._connection = None


class JailClient:
    """What a session process knows of jails: the socket where one asks for them."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def extract(
        self,
        untrusted: Iterator[bytes],
        request: ExtractRequest,
        *,
        on_progress: OnProgress,
        job: Job,
    ) -> Extraction:
        """Have one document read in a jail of its own and return its pages and chunks, checked.

        Waits for a free jail, first come, first served. ``on_progress`` gets a stage, how many pages are through it and
        how many are known, which never fall.
        Raises ``Cancelled``, the ``MayflyError`` that the jail named, ``TimedOut`` at the wall limit,
        ``ParserFailed`` when the jail died or answered nonsense, ``PartUnavailable`` when the jailer is not there,
        has nothing left to build a jail from, or went away.
        """
        try:
            with self._connect() as connection, job.holding(connection):
                limits = _admission(connection, request.session)
                jail = ipc.Connection(connection.sock, JailReply, max_frame_bytes=limits.output_bytes)
                try:
                    with contextlib.suppress(ipc.PeerGone):  # A jail that died early may have said why: read on.
                        _send_document(jail, request, untrusted)
                    return check(_await_text(jail, _Monotonic(on_progress, limits)), limits)
                except ipc.PeerGone:
                    self._require_jailer(ipc.peer_pid(connection.sock))
                    raise ParserFailed from None
        except ParserFailed:
            job.check()
            raise
        except (ipc.FrameTooLarge, msgspec.MsgspecError) as error:
            job.check()
            raise ParserFailed from error
        except ipc.PeerGone as error:
            job.check()
            raise PartUnavailable from error

    def drop(self, session: str) -> int:
        """Kill every jail of a session and return how many there were, waiting ones included. None is left after it.

        Raises ``PartUnavailable`` when the jailer is not there (its jails died with it).
        """
        return self._ask(DropJails(session=session), Dropped).jails

    def level(self) -> Walls:
        """Return the walls that hold on this machine. Raises ``PartUnavailable``."""
        return self._ask(AskLevel(), Level).walls

    def _require_jailer(self, pid: int) -> None:
        """Return when the jailer of this process id still listens: then its jail ended alone. Raises ``PeerGone``."""
        with self._connect(_CONTROL_SECONDS) as connection:
            if ipc.peer_pid(connection.sock) != pid:
                raise ipc.PeerGone

    def _connect(self, timeout_seconds: float | None = None) -> ipc.Connection:
        return ipc.connect(self._socket, JailReply, timeout_seconds=timeout_seconds)

    def _ask(self, question: msgspec.Struct, expected: type[Any]) -> Any:
        try:
            with self._connect(_CONTROL_SECONDS) as connection:
                reply = connection.call(question)
        except (ipc.PeerGone, msgspec.MsgspecError) as error:
            raise PartUnavailable from error
        if not isinstance(reply, expected):
            raise PartUnavailable
        return reply


def _admission(connection: ipc.Connection, session: str) -> JailLimits:
    """Wait for a free jail and return the limits that hold in it."""
    reply = connection.call(OpenJail(session=session))
    if not isinstance(reply, Admitted):
        raise ipc.PeerGone
    return reply.limits


def _send_document(connection: ipc.Connection, request: ExtractRequest, untrusted: Iterator[bytes]) -> None:
    connection.send(request)
    for part in untrusted:
        for start in range(0, len(part), _DATA_BYTES):
            connection.send(DocumentData(data=part[start : start + _DATA_BYTES]))


class _Monotonic:
    """Passes progress on that is possible and does not fall; a jail may say anything."""

    def __init__(self, on_progress: OnProgress, limits: JailLimits) -> None:
        self._on_progress = on_progress
        self._limits = limits
        self._reached: dict[JailStage, tuple[int, int]] = {}

    def note(self, progress: Progress) -> None:
        """Pass it on unless it is impossible or no progress."""
        done, known = self._reached.get(progress.stage, (-1, 0))
        if done < progress.pages_done <= progress.pages_known <= self._limits.pages and known <= progress.pages_known:
            self._reached[progress.stage] = (progress.pages_done, progress.pages_known)
            self._on_progress(progress.stage, progress.pages_done, progress.pages_known)


def _await_text(connection: ipc.Connection, progress: _Monotonic) -> Extraction:
    while True:
        reply = connection.receive()
        if isinstance(reply, Finished):
            return reply.extraction
        if isinstance(reply, Failed):
            raise from_slug(reply.slug) if reply.slug in SLUGS else ParserFailed
        if reply is None:
            raise ipc.PeerGone
        if not isinstance(reply, Progress):
            raise ParserFailed
        progress.note(reply)
