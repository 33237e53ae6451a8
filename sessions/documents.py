"""The documents of one session: their states, their order, and the quotas they count against.

Owns the one condition variable that everything waiting for a document waits on. Holds no text: that is for the
collection.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ingestion.jail import Job
from ingestion.quarantine import SealedFile
from models.errors import NoSuchThing, QuotaExceeded
from sessions.limits import SessionLimits
from sessions.messages import DocumentState, Timing


@dataclass(slots=True, eq=False)
class Document:
    """One document on its way or ready. ``in_work`` and ``withdrawn`` change only under the shelf's lock.

    ``untrusted_filename`` is what the jail is told where the name that is shown says nothing of the format.
    """

    state: DocumentState = field(repr=False)
    sealed: SealedFile = field(repr=False)
    untrusted_media_type: str | None = field(repr=False)
    untrusted_filename: str | None = field(default=None, repr=False)
    job: Job = field(default_factory=Job, repr=False)
    in_work: bool = False
    withdrawn: bool = False

    @property
    def document_id(self) -> str:
        """The document's name in every request."""
        return self.state.document_id


class Quota:
    """What is left of a session's files and bytes; what is taken counts until it is given back. Thread-safe."""

    def __init__(self, limits: SessionLimits) -> None:
        self._limits = limits
        self._files = self._bytes = 0
        self._lock = threading.Lock()

    def take_file(self) -> None:
        """Count one more file. Raises ``QuotaExceeded``."""
        with self._lock:
            if self._files >= self._limits.files:
                raise QuotaExceeded
            self._files += 1

    def take_bytes(self, count: int) -> None:
        """Count more bytes. Raises ``QuotaExceeded``."""
        with self._lock:
            if self._bytes + count > self._limits.session_bytes:
                raise QuotaExceeded
            self._bytes += count

    def give_back(self, *, files: int, size: int) -> None:
        """Count files and bytes no longer."""
        with self._lock:
            self._files -= files
            self._bytes -= size


class Shelf:
    """All documents of the session in the order of upload. Safe to use from several threads."""

    def __init__(self) -> None:
        self._documents: dict[str, Document] = {}
        self._changed = threading.Condition()

    def place(self, documents: Sequence[Document]) -> None:
        """Queue documents, all at once."""
        with self._changed:
            self._documents.update({document.document_id: document for document in documents})
            self._changed.notify_all()

    def states(self) -> tuple[DocumentState, ...]:
        """Return all documents as they are."""
        with self._changed:
            return tuple(document.state for document in self._documents.values())

    def state(self, document_id: str) -> DocumentState:
        """Return one document as it is. Raises ``NoSuchThing``."""
        with self._changed:
            return self._find(document_id).state

    def watch(self, document_id: str, after_version: int, timeout_seconds: float) -> DocumentState:
        """Return the document once its version exceeds ``after_version``, or as it is when the time is over.

        Raises ``NoSuchThing`` as soon as there is no such document.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: (found := self._documents.get(document_id)) is None or found.state.version > after_version,
                timeout_seconds,
            )
            return self._find(document_id).state

    def update(self, document: Document, **changes: Any) -> None:
        """Change fields of a document's state and wake who watches it; nothing happens when nothing differs."""
        with self._changed:
            changed = msgspec.structs.replace(document.state, **changes)
            if changed != document.state:
                document.state = msgspec.structs.replace(changed, version=document.state.version + 1)
                self._changed.notify_all()

    def take_queued(self) -> Document:
        """Wait for the next queued document, mark it as in work and return it."""
        with self._changed:
            while True:
                for document in self._documents.values():
                    if document.state.status == "queued" and not document.in_work:
                        document.in_work = True
                        return document
                self._changed.wait()

    def let_go(self, document: Document) -> bool:
        """Mark a document as no longer in work; say whether it was withdrawn meanwhile."""
        with self._changed:
            document.in_work = False
            self._changed.notify_all()
            return document.withdrawn

    def withdraw(self, document_id: str) -> Document:
        """Take a document off the shelf, whatever is being done with it. Raises ``NoSuchThing``."""
        with self._changed:
            document = self._find(document_id)
            document.withdrawn = True
            del self._documents[document_id]
            self._changed.notify_all()
            return document

    def wait_until_let_go(self, document: Document, timeout_seconds: float) -> bool:
        """Wait until nobody works on the document; say whether that came true in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not document.in_work, timeout_seconds)

    def waiting(self) -> int:
        """Return how many documents are not yet ready or failed."""
        return sum(state.status not in {"ready", "failed"} for state in self.states())

    def filename(self, document_id: str) -> str:
        """Return a document's name. Raises ``KeyError``."""
        with self._changed:
            return self._documents[document_id].state.filename

    def _find(self, document_id: str) -> Document:
        document = self._documents.get(document_id)
        if document is None:
            raise NoSuchThing
        return document


class Stopwatch:
    """Seconds and pages by stage, for ``DocumentState.timings``."""

    def __init__(self, before: dict[str, Timing] | None = None) -> None:
        """Go on from the stages that the document was through before."""
        self._stage: str | None = None
        self._since = time.monotonic()
        self._timings = dict(before or {})

    def enter(self, stage: str | None, pages_done: int = 0, pages_known: int = 0) -> dict[str, Timing]:
        """Start a stage or go on in it; return all stages so far. ``None`` ends the last one."""
        now = time.monotonic()
        if self._stage is not None:
            before = self._timings[self._stage]
            self._timings[self._stage] = msgspec.structs.replace(before, seconds=before.seconds + now - self._since)
        self._stage, self._since = stage, now
        if stage is not None:
            before = self._timings.get(stage, Timing(0.0))
            self._timings[stage] = Timing(before.seconds, max(pages_done, before.pages_done), pages_known)
        return {name: _rounded(timing) for name, timing in self._timings.items()}


def _rounded(timing: Timing) -> Timing:
    return msgspec.structs.replace(timing, seconds=round(timing.seconds, 3))
