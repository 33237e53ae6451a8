"""Uploads that may come in parts: bytes are sealed as they arrive and kept when a connection breaks.

Owns every unfinished upload of the session, one writer at a time, and gives up the one that gets nothing for too long,
or takes too long in all.
Refuses bytes at an offset where the upload does not stand and more bytes than were announced. A complete upload becomes
a document like any other, and is known here for as long as that document is.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from models.errors import (
    FileTooLarge,
    InvalidRequest,
    NoSuchThing,
    OffsetConflict,
    QueueFull,
    QuotaExceeded,
    UploadLocked,
)
from models.ids import new_id
from sessions import messages as m
from sessions.limits import SessionLimits
from sessions.uploads import Upload

# A connection that broke is often noticed by the client first. After this long without a byte, the next may take over.
QUIET_SECONDS = 2.0
# An upload may take this many times ``resume_seconds`` in all: a byte now and then must not hold its place for ever.
LIFE_FACTOR = 6


@dataclass(slots=True, eq=False)
class _Kept:
    """One upload and where it stands. All but its id, length and start change only under ``lock``.

    ``touched`` is when its last bytes came, ``heard`` when its writer last did anything.
    """

    upload_id: str
    length: int
    upload: Upload = field(repr=False)
    started: float
    untrusted_metadata: str = field(repr=False)
    offset: int = 0
    touched: float = field(init=False)
    heard: float = field(init=False)
    writer: "Writing | None" = None
    document_id: str | None = None
    is_gone: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self.touched = self.heard = self.started


class Resumables:
    """The resumable uploads of one session. Thread-safe.

    ``begin`` starts an upload against the session's limits, ``commit`` queues a complete one, ``state_of`` looks a
    document up. ``clock`` is in seconds and never goes back.
    """

    def __init__(
        self,
        *,
        begin: Callable[[], Upload],
        commit: Callable[[Upload], m.Accepted],
        state_of: Callable[[str], m.DocumentState],
        limits: SessionLimits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._begin = begin
        self._commit = commit
        self._state_of = state_of
        self._limits = limits
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._changed = threading.Condition()
        self._watches = False

    def start(self, request: m.StartResumable) -> m.Resumable:
        """Make room for an upload; one of no bytes is complete at once.

        Raises ``FileTooLarge``, ``QuotaExceeded`` for too many files, ``QueueFull``, ``NoSpace``.
        """
        if request.length > self._limits.file_bytes:
            raise FileTooLarge
        upload = self._begin()
        try:
            upload.begin_file(request.untrusted_filename, request.untrusted_media_type)
        except BaseException:
            upload.abort()
            raise
        kept = _Kept(new_id(), request.length, upload, self._clock(), request.untrusted_metadata)
        with kept.lock:
            self._complete(kept)
            self._remember(kept)
            return self._told(kept)

    def state(self, upload_id: str) -> m.Resumable:
        """Tell how far an upload is. Raises ``NoSuchThing``, also when its document was removed."""
        kept = self._find(upload_id)
        with kept.lock:
            return self._told(kept)

    def resume(self, upload_id: str, offset: int) -> "Writing":
        """Let the caller write on at ``offset``, in place of a writer that has gone quiet.

        Raises ``NoSuchThing``, ``OffsetConflict``, and ``UploadLocked`` while another writer's bytes arrive.
        """
        kept = self._find(upload_id)
        with kept.lock:
            self._told(kept)
            if kept.writer is not None and self._clock() - kept.heard < QUIET_SECONDS:
                raise UploadLocked
            if offset != kept.offset:
                raise OffsetConflict
            kept.heard = self._clock()  # Bytes alone keep the upload: who comes and brings none has not gone on.
            kept.writer = Writing(self, kept)
            return kept.writer

    def drop(self, upload_id: str) -> m.Resumable:
        """Forget an upload and destroy what is not complete; return how far it was. Raises ``NoSuchThing``."""
        kept = self._find(upload_id)
        with kept.lock:
            told = self._told(kept)
            self._destroy(kept)
            return told

    def give_up_stalled(self) -> float:
        """Destroy the unfinished uploads whose time is over; return the seconds until the next is due."""
        with self._changed:
            unfinished = [kept for kept in self._kept.values() if kept.document_id is None]
        due = self._limits.resume_seconds
        for kept in unfinished:
            with kept.lock:
                left = self._seconds_left(kept)
                if left <= 0 and kept.document_id is None:
                    self._destroy(kept)
                else:
                    due = min(due, left)
        return due

    # --- for the writer ----------------------------------------------------------------------------------------------

    def take(self, kept: _Kept, writer: "Writing", data: bytes) -> None:
        """Seal bytes that a writer brings. See ``Writing.data``."""
        with kept.lock:
            self._check(kept, writer)
            if not data:
                return
            if kept.offset + len(data) > kept.length:
                if kept.document_id is None:
                    self._destroy(kept)  # Whose client cannot count is not worth being resumed.
                raise FileTooLarge
            try:
                kept.upload.data(data)
            except (FileTooLarge, QuotaExceeded, QueueFull, InvalidRequest):
                raise  # Refused before anything was written.
            except BaseException:
                self._destroy(kept)  # Half a segment may lie on the disk: nothing can be added to it any more.
                raise
            kept.offset += len(data)
            kept.touched = kept.heard = self._clock()

    def let_go(self, kept: _Kept, writer: "Writing") -> m.Resumable:
        """End a writer's turn. See ``Writing.suspend``."""
        with kept.lock:
            self._check(kept, writer)
            kept.writer = None
            self._complete(kept)
            return self._told(kept)

    def told(self, kept: _Kept) -> m.Resumable:
        """Tell how far the upload of a writer is."""
        with kept.lock:
            return self._told(kept)

    # --- under the upload's lock -------------------------------------------------------------------------------------

    def _check(self, kept: _Kept, writer: "Writing") -> None:
        if kept.is_gone:
            raise NoSuchThing
        if kept.writer is not writer:
            raise OffsetConflict  # Another one took over, and the upload stands where that one has brought it.

    def _complete(self, kept: _Kept) -> None:
        if kept.document_id is not None or kept.offset < kept.length:
            return
        try:
            kept.upload.end_file()
            (document,) = self._commit(kept.upload).documents
        except BaseException:
            self._destroy(kept)
            raise
        kept.document_id = document.document_id

    def _told(self, kept: _Kept) -> m.Resumable:
        if kept.is_gone:
            raise NoSuchThing
        left, document = self._seconds_left(kept), None
        if kept.document_id is not None:
            left, document = None, self._document(kept, kept.document_id)
        return m.Resumable(
            upload_id=kept.upload_id,
            offset=kept.offset,
            length=kept.length,
            untrusted_metadata=kept.untrusted_metadata,
            seconds_left=left,
            document=document,
        )

    def _document(self, kept: _Kept, document_id: str) -> m.DocumentState:
        try:
            return self._state_of(document_id)
        except NoSuchThing:
            self._destroy(kept)
            raise

    def _destroy(self, kept: _Kept) -> None:
        """Forget an upload. Nothing is left to abort of one that was committed."""
        kept.is_gone = True
        kept.upload.abort()
        with self._changed:
            self._kept.pop(kept.upload_id, None)

    def _seconds_left(self, kept: _Kept) -> float:
        resume_seconds = self._limits.resume_seconds
        ends = min(kept.touched + resume_seconds, kept.started + LIFE_FACTOR * resume_seconds)
        return max(0.0, ends - self._clock())

    # --- the table ---------------------------------------------------------------------------------------------------

    def _remember(self, kept: _Kept) -> None:
        """Keep a new upload, forget those whose documents were removed, and see to it that somebody watches."""
        with self._changed:
            finished = [(one.upload_id, one.document_id) for one in self._kept.values()]
            for upload_id, document_id in finished:
                if document_id is not None and not self._is_there(document_id):
                    del self._kept[upload_id]
            self._kept[kept.upload_id] = kept
            if not self._watches:
                self._watches = True
                threading.Thread(target=self._watch, name="resumables", daemon=True).start()
            self._changed.notify_all()

    def _is_there(self, document_id: str) -> bool:
        with contextlib.suppress(NoSuchThing):
            self._state_of(document_id)
            return True
        return False

    def _find(self, upload_id: str) -> _Kept:
        with self._changed:
            kept = self._kept.get(upload_id)
        if kept is None:
            raise NoSuchThing
        return kept

    def _watch(self) -> None:
        while True:
            due = self.give_up_stalled()
            with self._changed:
                self._changed.wait(max(0.01, due))


class Writing:
    """One connection's turn at an upload: ``data`` …, then ``suspend``."""

    def __init__(self, resumables: Resumables, kept: _Kept) -> None:
        self._resumables = resumables
        self._kept = kept

    def state(self) -> m.Resumable:
        """Tell how far the upload is. Raises ``NoSuchThing`` when it was dropped meanwhile."""
        return self._resumables.told(self._kept)

    def data(self, data: bytes) -> None:
        """Seal more bytes; what was sealed before mostly stays when these are refused.

        Raises ``FileTooLarge`` beyond the announced length and ``NoSpace`` (an incomplete upload is then gone),
        ``QuotaExceeded``, ``QueueFull``, ``OffsetConflict`` when another writer took over, and ``NoSuchThing`` when the
        upload was dropped or given up.
        """
        self._resumables.take(self._kept, self, data)

    def suspend(self) -> m.Resumable:
        """End the turn and tell how far the upload is; a complete one is now a document. Raises as ``data`` does."""
        return self._resumables.let_go(self._kept, self)
