"""Searching this process's own memory: who is not dumpable can be searched by nobody else without root.

Owns the reading. What is looked for lies in one buffer, which is passed over, as is the window that memory is read
into; both are overwritten at the end, so that a search never finds itself or the one before.
"""

import ctypes
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

_WINDOW_BYTES = 256 * 1024  # A search of it holds the GIL for a fraction of a millisecond.
_PAGE_BYTES = 4096
# Private memory that was or may be written to; what begins with [v is the kernel's own.
_REGION = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw.p \S+ \S+ \S+ +(?!\[v)")


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def unmask(masked: bytes, mask: bytes) -> bytearray:
    """Return what was masked, in a buffer of its own: it was sent like this so that no message holds it."""
    needle = bytearray(min(len(masked), len(mask)))
    for place in range(len(needle)):
        needle[place] = masked[place] ^ mask[place]
    return needle


def tails(needle: bytearray, tail_bytes: int) -> list[bytes]:
    """Return what follows each copy of ``needle`` in this process's memory, ``tail_bytes`` at most; then wipe it.

    Raises ``OSError`` where the kernel lets a process read its own memory by address no more.
    """
    buffer = bytearray(_WINDOW_BYTES + len(needle) + tail_bytes)
    passed_over = (_place_of(needle), _place_of(buffer))
    found = list[bytes]()
    try:
        for address, size in _windows(buffer):
            _blank(buffer, address, size, passed_over)
            at = buffer.find(needle, 0, size)
            while 0 <= at < _WINDOW_BYTES:
                end = at + len(needle)
                found.append(bytes(buffer[end : min(end + tail_bytes, size)]))
                at = buffer.find(needle, end, size)
    finally:
        buffer[:] = bytes(len(buffer))
        needle[:] = bytes(len(needle))
    return found


def _windows(buffer: bytearray) -> Iterator[tuple[int, int]]:
    """Read one window after the other into the buffer; yield where each begins and how long it is."""
    read = ctypes.CDLL(None, use_errno=True).process_vm_readv
    read.restype = ctypes.c_ssize_t
    base, _ = _place_of(buffer)
    for start, end in list(_regions()):
        address = start
        while address < end:
            size = min(len(buffer), end - address)
            local, remote = _Vector(base, size), _Vector(address, size)
            got = int(read(os.getpid(), ctypes.byref(local), 1, ctypes.byref(remote), 1, 0))
            if got > 0:
                yield address, got
            elif ctypes.get_errno() != errno.EFAULT:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            # A window that ends early ends before a page that is not there any more.
            address += min(_WINDOW_BYTES, got) if got > 0 else _PAGE_BYTES


def _regions() -> Iterator[tuple[int, int]]:
    for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        region = _REGION.match(line)
        if region:
            yield int(region[1], 16), int(region[2], 16)


def _place_of(buffer: bytearray) -> tuple[int, int]:
    start = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
    return start, start + len(buffer)


def _blank(buffer: bytearray, address: int, size: int, places: tuple[tuple[int, int], ...]) -> None:
    """Overwrite what the window read of these places."""
    for start, end in places:
        first, last = max(start - address, 0), min(end - address, size)
        if first < last:
            buffer[first:last] = bytes(last - first)
