"""Looking for an ended session's tracer where its content must not be.

In files of this machine at once; in the embedder's memory a little later, for all that ended since the last time.
Owns what is searched, and how much. Bounds are in bytes, not in seconds, so that a busy machine searches no less.
Refuses to call a place searched that was not read to its bound. What the search itself held of the tracer is
overwritten before it returns.
"""

import contextlib
import os
import stat
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.database import Database
from models.errors import PartUnavailable
from models.receipts.statement import NotSearched, TracedPlace
from sessions.tracer import TRACER_BYTES, Tracers
from vectorstore.client import EmbedderClient

# What one place may cost a sign-out. Measured, see docs/adr/0018-live-tracer.md.
MAX_BYTES = 64 * 1024 * 1024
_WINDOW_BYTES = 1024 * 1024
_HALF = TRACER_BYTES // 2
_MOST_ENDED = 10_000
_AT_PURGE: tuple[TracedPlace, ...] = ("quarantine", "runtime", "temporary", "record", "log")


@dataclass(frozen=True, slots=True)
class Places:
    """Where the service writes. ``runtime`` holds the other two; ``log`` is the descriptor that it logs to."""

    runtime: Path
    quarantine: Path
    temporary: Path
    log: int | None = None


@dataclass(slots=True)
class Residue:
    """How often the tracer was found in each place that was searched, and why another place was not."""

    searched: dict[TracedPlace, int] = field(default_factory=dict[TracedPlace, int])
    not_searched: dict[TracedPlace, NotSearched] = field(default_factory=dict[TracedPlace, NotSearched])

    @property
    def found(self) -> int:
        """How often in all."""
        return sum(self.searched.values())


class _Passed(Exception):
    """A place cannot be searched."""

    def __init__(self, reason: NotSearched) -> None:
        super().__init__(reason)
        self.reason: NotSearched = reason


class ResidueSearch:
    """Searches the files of this machine for tracers. Safe to use from several threads."""

    def __init__(self, tracers: Tracers, places: Places, database: Database) -> None:
        self._tracers = tracers
        self._places = places
        self._record = _Record(database)
        self._ended = deque[str](maxlen=_MOST_ENDED)

    def search(self, session_id: str, host_instance: str) -> Residue:
        """Look for the tracer of a session that a host of this name held. A file that goes away meanwhile is gone."""
        residue = Residue()
        if not self._tracers.knows(host_instance):
            residue.not_searched = dict.fromkeys((*_AT_PURGE, "embedder_memory"), "tracer_unknown")
            return residue
        residue.not_searched["embedder_memory"] = "later"
        self._ended.append(session_id)
        with self._tracers.needle(session_id) as needle, _window(needle) as window:
            for name, look in self._looks():
                try:
                    place, found = look(window)
                    residue.searched[place] = found
                except _Passed as passed:
                    residue.not_searched[name] = passed.reason
                except OSError:
                    residue.not_searched[name] = "unreadable"
        return residue

    def search_embedder(self, embedder: EmbedderClient) -> Counter[str]:
        """Look in the embedder's memory for all sessions that were searched for since; return the finds of each.

        One pass, however many they are. Raises ``PartUnavailable``; they are looked for the next time then.
        """
        ended = [self._ended.popleft() for _ in range(len(self._ended))]
        if not ended:
            return Counter()
        masked, mask = self._tracers.masked_beginning()
        try:
            tails = embedder.search_memory(masked, mask, tail_bytes=TRACER_BYTES - len(masked))
        except PartUnavailable:
            self._ended.extend(ended)
            raise
        return Counter(one for one in ended for tail in tails if self._tracers.is_rest_of(tail, one))

    def _looks(self) -> Iterator[tuple[TracedPlace, Callable[["_Window"], tuple[TracedPlace, int]]]]:
        places = self._places
        own = (places.quarantine, places.temporary)
        yield "quarantine", lambda window: ("quarantine", _in_folder(window, places.quarantine))
        yield "runtime", lambda window: ("runtime", _in_folder(window, places.runtime, but=own))
        yield "temporary", lambda window: ("temporary", _in_folder(window, places.temporary))
        yield "record", lambda window: ("record", self._record.search(window))
        yield "log", lambda window: _in_log(window, places.log)


class _Window:
    """A part of a file, and how often the tracer was found in all parts so far.

    A copy of which the end or the beginning is lost (a page of a database ends, a line was cut off) is found by its
    other half.
    """

    def __init__(self, needle: bytearray) -> None:
        self._halves = memoryview(needle)[:_HALF], memoryview(needle)[_HALF:]
        self._buffer = bytearray(_WINDOW_BYTES)

    def in_name(self, name: str) -> int:
        """Return how often it is in the name of a file."""
        return max(_occurrences(os.fsencode(name), half) for half in self._halves)

    def in_file(self, descriptor: int, start: int = 0) -> int:
        """Return how often it is in a file as long as it is now, from ``start`` on."""
        offset, end, held = start, os.fstat(descriptor).st_size, 0
        counts = [0, 0]
        with memoryview(self._buffer) as view:
            # Read, not mapped: who maps a file that another process cuts short dies of it.
            while offset < end and (got := os.preadv(descriptor, [view[held : held + end - offset]], offset)):
                filled, offset = held + got, offset + got
                found = [_occurrences(self._buffer, half, filled) for half in self._halves]
                counts = [before + more for before, more in zip(counts, found, strict=True)]
                held = min(_HALF - 1, filled)
                view[:held] = bytes(view[filled - held : filled])
        return max(counts)

    def wipe(self) -> None:
        """Overwrite what was read."""
        self._buffer[:] = bytes(_WINDOW_BYTES)


@contextlib.contextmanager
def _window(needle: bytearray) -> Generator[_Window]:
    window = _Window(needle)
    try:
        yield window
    finally:
        window.wipe()


class _Record:
    """The files of an SQLite record.

    Its main file is opened once and never closed: whoever closes any descriptor of it gives up all locks that SQLite
    holds on it in this process. Its index (``-shm``) is not opened for the same reason; it holds numbers only.
    """

    def __init__(self, database: Database) -> None:
        self._is_on_server = not database.is_sqlite
        self._file = Path(database.url.database or ":memory:")
        self._opening = threading.Lock()
        self._opened: dict[tuple[int, int], int] = {}

    def search(self, window: _Window) -> int:
        """Return how often the tracer is in the record's files."""
        if self._is_on_server:
            raise _Passed("on_a_server")
        if not self._file.is_file():
            raise _Passed("no_file")
        logs = [self._file.with_name(f"{self._file.name}{end}") for end in ("-wal", "-journal")]
        found = sum(_in_regular_file(window, log) for log in logs)
        if self._file.stat().st_size > MAX_BYTES and not found:
            raise _Passed("too_large")
        return found + window.in_file(self._descriptor())

    def _descriptor(self) -> int:
        with self._opening:
            seen = self._file.stat()
            key = (seen.st_dev, seen.st_ino)
            if key not in self._opened:
                self._opened[key] = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC)
            return self._opened[key]


def _in_log(window: _Window, log: int | None) -> tuple[TracedPlace, int]:
    """Search the file that this process logs to: all of it, or its last part, where a session's lines are."""
    if log is None or not stat.S_ISREG(os.fstat(log).st_mode):
        raise _Passed("no_file")
    # It is open for writing only, and may have been renamed since.
    with open(f"/proc/self/fd/{log}", "rb", buffering=0) as file:  # noqa: PTH123  # A path that is no path.
        start = max(0, os.fstat(file.fileno()).st_size - MAX_BYTES)
        return ("log_tail" if start else "log"), window.in_file(file.fileno(), start)


def _in_folder(window: _Window, folder: Path, *, but: tuple[Path, ...] = ()) -> int:
    """Search names and bytes below a folder, but not in some others."""
    found = size = 0
    waiting, left_out = [str(folder)], {str(one) for one in but}
    while waiting:
        for entry in _entries(waiting.pop()):
            found += window.in_name(entry.name)
            with contextlib.suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    waiting += [entry.path] if entry.path not in left_out else []
                elif entry.is_file(follow_symlinks=False):
                    size += entry.stat(follow_symlinks=False).st_size
                    found += _in_regular_file(window, entry.path) if size <= MAX_BYTES else 0
    if size > MAX_BYTES and not found:
        raise _Passed("too_large")
    return found


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def _in_regular_file(window: _Window, path: str | Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return 0
    try:
        return window.in_file(descriptor)
    finally:
        os.close(descriptor)


def _occurrences(data: Any, needle: memoryview, end: int | None = None) -> int:
    """Count a needle in ``bytes`` or a ``bytearray`` without making a copy of either."""
    count, place = 0, data.find(needle, 0, end)
    while place >= 0:
        count, place = count + 1, data.find(needle, place + 1, end)
    return count
