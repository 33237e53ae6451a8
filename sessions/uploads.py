"""One upload request as it streams in, and the memory of requests that came before it.

Owns files until they are committed: whatever happens earlier destroys them all. Refuses over-long files while they
come.
"""

import hashlib
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ingestion.quarantine import Quarantine, SealedFile, usage, usage_of
from models.errors import FileTooLarge, IdempotencyConflict, InvalidRequest, QueueFull, QuotaExceeded
from sessions.documents import Quota
from sessions.limits import SessionLimits

_MAX_FILENAME_CHARACTERS = 255
_MAX_REMEMBERED_KEYS = 1000
_QUEUE_RETRY_SECONDS = 5


class FileMark(msgspec.Struct, frozen=True):
    """What makes a file the same file: name, claimed type, size and hash."""

    filename: str
    untrusted_media_type: str | None
    size: int
    sha256: bytes

    def __repr__(self) -> str:
        return "<FileMark>"


@dataclass(slots=True)
class _Incoming:
    filename: str = field(repr=False)
    untrusted_media_type: str | None = field(repr=False)
    sealed: SealedFile | None = field(repr=False)
    size: int = 0
    sha256: "hashlib._Hash" = field(default_factory=hashlib.sha256, repr=False)

    def mark(self) -> FileMark:
        return FileMark(self.filename, self.untrusted_media_type, self.size, self.sha256.digest())


class Upload:
    """The files of one request. With ``keep=False`` (a replay) they are hashed and not stored."""

    def __init__(self, quarantine: Quarantine, quota: Quota, limits: SessionLimits, *, keep: bool = True) -> None:
        self._quarantine = quarantine
        self._quota = quota
        self._limits = limits
        self.keep = keep
        self._files: list[_Incoming] = []
        self._open: _Incoming | None = None

    def begin_file(self, untrusted_filename: str, untrusted_media_type: str | None) -> None:
        """Start a file. Raises ``QuotaExceeded``, ``QueueFull``, ``NoSpace``, and ``InvalidRequest`` inside another."""
        if self._open is not None:
            raise InvalidRequest
        if len(self._files) >= self._limits.files:
            raise QuotaExceeded
        if self.keep:
            _check_queue(self._quarantine.folder, self._limits, files=1)
            self._quota.take_file()
        file = _Incoming(display_name(untrusted_filename), untrusted_media_type, sealed=None)
        self._files.append(file)
        self._open = file
        if self.keep:
            file.sealed = self._quarantine.create()

    def data(self, data: bytes) -> None:
        """Seal bytes of the file.

        Raises ``FileTooLarge``, ``QuotaExceeded``, ``QueueFull``, ``NoSpace``, and ``InvalidRequest`` outside a file.
        """
        file = self._open
        if file is None:
            raise InvalidRequest
        if file.size + len(data) > self._limits.file_bytes:
            raise FileTooLarge
        if file.sealed is not None:
            _check_queue(self._quarantine.folder, self._limits, size=len(data))
            self._quota.take_bytes(len(data))
        file.size += len(data)
        file.sha256.update(data)
        if file.sealed is not None:
            file.sealed.write(data)

    def end_file(self) -> None:
        """Finish the file. Raises ``NoSpace``, ``InvalidRequest`` outside a file."""
        if self._open is None:
            raise InvalidRequest
        if self._open.sealed is not None:
            self._open.sealed.close()
        self._open = None

    def marks(self) -> tuple[FileMark, ...]:
        """Return what was uploaded. Raises ``InvalidRequest`` when that is nothing, or a file is not finished."""
        if self._open is not None or not self._files:
            raise InvalidRequest
        return tuple(file.mark() for file in self._files)

    def hand_over(self) -> list[tuple[FileMark, SealedFile]]:
        """Return the sealed files; from now on their bytes and places in the quota are the caller's."""
        files = [(file.mark(), file.sealed) for file in self._files if file.sealed is not None]
        self._files = []
        return files

    def abort(self) -> None:
        """Destroy what was not handed over and give its quota back. A second call does nothing."""
        files, self._files, self._open = self._files, [], None
        for file in files:
            if file.sealed is not None:
                file.sealed.destroy()
        if self.keep:
            self._quota.give_back(files=len(files), size=sum(file.size for file in files))


class Idempotency:
    """Which keys were used, for which files. Everything is forgotten with the session. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: set[str] = set()
        self._finished: OrderedDict[str, tuple[tuple[FileMark, ...], tuple[str, ...]]] = OrderedDict()

    def begin(self, key: str | None) -> bool:
        """Claim a key; say whether it is a replay. Raises ``IdempotencyConflict`` while its first use is under way."""
        if key is None:
            return False
        with self._lock:
            if key in self._finished:
                return True
            if key in self._under_way:
                raise IdempotencyConflict
            self._under_way.add(key)
            return False

    def replay(self, key: str, marks: tuple[FileMark, ...]) -> tuple[str, ...]:
        """Return the documents the key made. Raises ``IdempotencyConflict`` when it was used for other files."""
        with self._lock:
            known, document_ids = self._finished.get(key, (None, ()))
        if known != marks:
            raise IdempotencyConflict
        return document_ids

    def finish(self, key: str | None, marks: tuple[FileMark, ...], document_ids: tuple[str, ...]) -> None:
        """Remember what a key was used for; of more than 1,000 keys the oldest are forgotten."""
        if key is None:
            return
        with self._lock:
            self._under_way.discard(key)
            self._finished[key] = (marks, document_ids)
            while len(self._finished) > _MAX_REMEMBERED_KEYS:
                self._finished.popitem(last=False)

    def forget(self, document_ids: Sequence[str]) -> None:
        """Free the keys under which any of these documents was made: that upload is taken back."""
        gone = set(document_ids)
        with self._lock:
            for key in [key for key, (_, made) in self._finished.items() if gone.intersection(made)]:
                del self._finished[key]

    def release(self, key: str | None) -> None:
        """Give up a claim that came to nothing."""
        with self._lock:
            self._under_way.discard(key or "")


def display_name(untrusted_filename: str) -> str:
    """Return a name that can be shown: no folders, no control or invisible characters, at most 255 characters."""
    last = untrusted_filename.replace("\\", "/").rsplit("/", 1)[-1]
    visible = "".join(c for c in unicodedata.normalize("NFC", last) if unicodedata.category(c)[0] != "C")
    return " ".join(visible.split())[:_MAX_FILENAME_CHARACTERS] or "document"


def _check_queue(folder: Path, limits: SessionLimits, *, files: int = 0, size: int = 0) -> None:
    """Raise ``QueueFull`` when this much more would not fit.

    The whole machine's queue is the bound; while others wait in it, a session has half of it.
    """
    all_files, all_size = usage(folder.parent)
    own_files, own_size = usage_of(folder)
    is_full = all_files + files > limits.queue_files or all_size + size > limits.queue_bytes
    others_wait = all_files > own_files
    is_greedy = own_files + files > max(1, limits.queue_files // 2) or own_size + size > limits.queue_bytes // 2
    if is_full or (others_wait and is_greedy):
        raise QueueFull(retry_after_seconds=_QUEUE_RETRY_SECONDS)
