"""ZIP files, and the formats that are one inside, counted before and while they are unpacked.

Owns what an archive may be: so many entries that do not overlap, stored or deflated, in the clear, and no more bytes
than allowed when they are unpacked, whatever sizes it declares. Names are looked up, never joined to a path.
"""

import io
import stat
import zipfile
import zlib

from ingestion.encoding import decode
from ingestion.limits import MIB, JailLimits
from models.errors import EncryptedDocument, ExpandsTooMuch, ParserFailed, TooComplex

_STEP_BYTES = 256 * 1024
_HEADER_BYTES = 30
_IS_ENCRYPTED = 0x1
_IS_UTF8 = 0x800
_DIRECTORY_END = b"PK\x05\x06"
_DIRECTORY_END_BYTES = 22
_DIRECTORY_END_WITHIN_BYTES = 65_535 + _DIRECTORY_END_BYTES
_DIRECTORY_ENTRY = b"PK\x01\x02"
# The ends of a directory that may be larger; one that is not stands here, too, when a program always writes both.
_ZIP64_ENDS_BYTES = 76
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)


class Archive:
    """The entries of one ZIP.

    Raises ``ParserFailed`` when it is damaged or ambiguous, ``EncryptedDocument``, ``TooComplex`` for too many entries
    and ``ExpandsTooMuch`` when its entries overlap or declare too much.
    """

    def __init__(self, untrusted: bytes, limits: JailLimits) -> None:
        _refuse_directory(untrusted, limits)
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(untrusted))
        except _DAMAGED as error:
            raise ParserFailed from error
        self._limits = limits
        self._left = limits.archive_bytes
        self._entries = {entry.filename: entry for entry in self._zip.infolist() if not entry.filename.endswith("/")}
        self._check(self._zip.infolist())

    def names(self) -> tuple[str, ...]:
        """Return the names of all entries that are no folder, in the archive's order."""
        return tuple(self._entries)

    def title(self, name: str) -> str:
        """Return the last part of an entry's name, to be shown: never a path, and in the encoding it was written in."""
        entry = self._entries.get(name)
        if entry is not None and not entry.flag_bits & _IS_UTF8 and not name.isascii():
            name = _decoded(name)
        return name.replace("\\", "/").rpartition("/")[2]

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def read(self, name: str) -> bytes:
        """Return an entry unpacked. Raises ``ParserFailed`` (also when there is none) and ``ExpandsTooMuch``."""
        entry = self._entries.get(name)
        if entry is None:
            raise ParserFailed
        unpacked = bytearray()
        try:
            with self._zip.open(entry) as packed:
                while part := packed.read(_STEP_BYTES):
                    self._count(len(part))
                    unpacked += part
                    self._check_ratio(entry, len(unpacked))
        except _DAMAGED as error:
            raise ParserFailed from error
        return bytes(unpacked)

    def _count(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise ExpandsTooMuch

    def _check(self, entries: list[zipfile.ZipInfo]) -> None:
        if len(entries) > self._limits.archive_entries:
            raise TooComplex
        end = 0
        for entry in sorted(entries, key=lambda each: each.header_offset):
            self._check_entry(entry)
            if entry.header_offset < end:
                raise ExpandsTooMuch
            end = entry.header_offset + _HEADER_BYTES + entry.compress_size
        if sum(entry.file_size for entry in entries) > self._limits.archive_bytes:
            raise ExpandsTooMuch
        if len({entry.filename for entry in entries}) < len(entries):
            raise ParserFailed

    def _check_entry(self, entry: zipfile.ZipInfo) -> None:
        if entry.flag_bits & _IS_ENCRYPTED:
            raise EncryptedDocument
        if entry.compress_type not in _METHODS or stat.S_ISLNK(entry.external_attr >> 16):
            raise ParserFailed

    def _check_ratio(self, entry: zipfile.ZipInfo, unpacked: int) -> None:
        if unpacked > MIB and unpacked > self._limits.archive_ratio * max(1, entry.compress_size):
            raise ExpandsTooMuch


def _refuse_directory(untrusted: bytes, limits: JailLimits) -> None:
    """Look at the directory before it is unpacked into objects.

    Raises ``TooComplex`` for too many entries, and ``ParserFailed`` when there is none, or anything before the archive
    or between its parts: then programs do not agree on what is in it.
    """
    at = untrusted.rfind(_DIRECTORY_END, max(0, len(untrusted) - _DIRECTORY_END_WITHIN_BYTES))
    if at < 0 or at + _DIRECTORY_END_BYTES > len(untrusted):
        raise ParserFailed
    size = int.from_bytes(untrusted[at + 12 : at + 16], "little")
    start = int.from_bytes(untrusted[at + 16 : at + 20], "little")
    if untrusted.count(_DIRECTORY_ENTRY, start, at) > limits.archive_entries:
        raise TooComplex
    if at - start - size not in {0, _ZIP64_ENDS_BYTES}:
        raise ParserFailed


def _decoded(name: str) -> str:
    """Return a name that was read as if it were in the first PC's characters, in those it is likelier to be in."""
    try:
        return decode(name.encode("cp437")) or name
    except UnicodeEncodeError:
        return name
