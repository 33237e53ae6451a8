"""Where raw uploads wait, sealed, until their text is out.

Owns the only place where an upload touches a file system, the session's data key and the one-time key of each file.
Keys exist in this process's memory alone; a file's is zeroed when the file is destroyed. A file opens with both of them
only, so the data key, whose hash is published when the session opens, is needed for every file of it. Refuses to give
back a file that was changed, cut or extended.

A sealed file is a row of segments of 64 KiB of plain text (the last may be shorter or empty), each under AES-256-GCM
with a counter as nonce and, as associated data, one byte that says whether it is the last.
"""

import contextlib
import errno
import hashlib
import hmac
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from models.errors import MayflyError, NoSpace
from models.receipts.entries import commitment_of

SEGMENT_BYTES = 64 * 1024
NONCE_BYTES = 32
_TAG_BYTES = 16
_MORE, _LAST = b"\x00", b"\x01"
_HIDDEN = "."


class SealBroken(MayflyError):
    """The sealed file is not what was written, or its key is gone."""


class SealedFile:
    """One upload on its way in: written once, then readable until destroyed. One thread at a time.

    ``folder`` is an open descriptor of the folder it is to lie in: made there, whatever the path has come to mean.
    """

    def __init__(self, path: Path, data_key: bytes, *, folder: int | None = None) -> None:
        self.path = path
        self.plain_bytes = 0
        self.nonce = secrets.token_bytes(NONCE_BYTES)
        self._committed = hashlib.sha256(self.nonce)
        self._key = bytearray(hmac.digest(data_key, secrets.token_bytes(32), "sha256"))
        self._pending = bytearray()
        self._segments = 0
        self._closed = self._destroyed = False
        name = path if folder is None else path.name
        self._fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)

    def write(self, data: bytes) -> None:
        """Seal more of the upload. Raises ``NoSpace`` when the file system is full."""
        self.plain_bytes += len(data)
        self._committed.update(data)
        self._pending += data
        while len(self._pending) > SEGMENT_BYTES:
            self._seal(SEGMENT_BYTES, _MORE)

    def close(self) -> None:
        """Seal the last segment; the file can be read from now on. A second call does nothing."""
        if self._closed:
            return
        self._seal(len(self._pending), _LAST)
        self._closed = True
        self._close_descriptor()

    @property
    def commitment(self) -> bytes:
        """SHA-256 of the nonce and all that was written: without the nonce, nobody can try a file against it."""
        return self._committed.digest()

    def read(self) -> Iterator[bytes]:
        """Yield the plain text in order, segment by segment. Raises ``SealBroken`` on a changed one."""
        if self._destroyed or not self._closed:
            raise SealBroken
        try:
            with self.path.open("rb") as sealed:
                yield from self._segments_of(sealed.fileno())
        except OSError as error:
            raise SealBroken from error

    def destroy(self) -> None:
        """Zero the key and what is not yet sealed, and remove the file. A second call does nothing."""
        self._destroyed = True
        _zero(self._key)
        _zero(self._pending)
        self._pending = bytearray()
        self._close_descriptor()
        self.path.unlink(missing_ok=True)

    def _seal(self, count: int, position: bytes) -> None:
        if self._destroyed or self._closed:
            raise SealBroken
        with memoryview(self._pending) as pending:
            sealed = AESGCM(self._key).encrypt(_nonce(self._segments), pending[:count], position)
            pending[:count] = bytes(count)
        del self._pending[:count]
        self._segments += 1
        self._store(sealed)

    def _store(self, sealed: bytes) -> None:
        view = memoryview(sealed)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise NoSpace from error
            raise

    def _segments_of(self, fd: int) -> Iterator[bytes]:
        for index in range(self._segments):
            sealed = _read_exactly(fd, SEGMENT_BYTES + _TAG_BYTES)
            last = index == self._segments - 1
            if self._destroyed:
                raise SealBroken
            try:
                yield AESGCM(self._key).decrypt(_nonce(index), sealed, _LAST if last else _MORE)
            except InvalidTag as error:
                raise SealBroken from error
        if os.read(fd, 1):
            raise SealBroken

    def _close_descriptor(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Quarantine:
    """The sealed files of one session, in a private folder of their own under the quarantine root."""

    def __init__(self, folder: Path, session_id: str) -> None:
        self.folder = folder / session_id
        self._data_key = secrets.token_bytes(32)

    @property
    def key_commitment(self) -> bytes:
        """The hash of the session's data key (32 bytes): it tells nothing, and whoever finds the key knows it by it."""
        return commitment_of(self._data_key)

    def create(self, *, hidden: bool = False) -> SealedFile:
        """Return a new, empty sealed file under a random name. A ``hidden`` one, the tracer's, is not counted.

        Raises ``NoSpace`` when there is no room for one, and ``OSError`` when something else stands where the folder
        should be: a link is not followed.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                name = f"{_HIDDEN if hidden else ''}{secrets.token_hex(16)}"
                return SealedFile(self.folder / name, self._data_key, folder=folder)
            finally:
                os.close(folder)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise NoSpace from error
            raise


def remove(folder: Path) -> None:
    """Remove a session's folder, or whatever stands in its place; where a link leads nothing is touched.

    Raises ``OSError`` when it cannot be removed; what is not there needs no removing.
    """
    with contextlib.suppress(FileNotFoundError):
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)  # Whatever can go goes, though one file may not.
            if folder.exists():
                raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
        else:
            folder.unlink()


def usage(root: Path) -> tuple[int, int]:
    """Return how many sealed files wait on this machine, of all sessions, and how many bytes they take."""
    used = [usage_of(folder) for folder in _entries(root)]
    return sum(files for files, _ in used), sum(size for _, size in used)


def usage_of(folder: Path | os.DirEntry[str]) -> tuple[int, int]:
    """Return how many sealed files of one session wait, and how many bytes they take; hidden ones do not count."""
    files = size = 0
    for entry in _entries(folder):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            size += entry.stat(follow_symlinks=False).st_size
            files += 1
    return files, size


def _entries(folder: Path | os.DirEntry[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(_HIDDEN)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _nonce(index: int) -> bytes:
    return index.to_bytes(12, "big")


def _read_exactly(fd: int, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count and (part := os.read(fd, count - len(parts))):
        parts += part
    return bytes(parts)


def _zero(buffer: bytearray) -> None:
    buffer[:] = bytes(len(buffer))
