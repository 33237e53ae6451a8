"""Finding the key of a sealed file in the memory of a process, by trying to open the file with what lies there.

Owns the attack that a key must withstand once its session is gone, and by which a scan learns the key to look for.
"""

import os
from collections.abc import Iterator

import numpy as np
import psutil
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from proof.scan import regions

KEY_BYTES = 32
_WINDOW_BYTES = 4 * 1024 * 1024
# Random bytes: 16 of 32 have their highest bit set, 30 differ, hardly one is zero. One key in two million lies outside
# these bounds.
_HIGH_BITS = (3, 29)
_MIN_DISTINCT = 22
_MAX_ZEROS = 4


def key_in_memory(process: psutil.Process, *, sealed: bytes, nonce: bytes, associated: bytes) -> bytes | None:
    """Return the AES-256-GCM key that opens ``sealed`` if it lies in the process's memory at an address of eights.

    Allocators give addresses of sixteens, and a key lies at the beginning of its block or 32 bytes after it.
    """
    for candidate in _candidates(process):
        try:
            AESGCM(candidate).decrypt(nonce, sealed, associated)
        except InvalidTag:
            continue
        return candidate
    return None


def keys_in(data: bytes, *, step: int) -> Iterator[bytes]:
    """Yield the windows of 32 bytes, ``step`` bytes apart, that could be random."""
    if len(data) < KEY_BYTES:
        return
    windows = sliding_window_view(np.frombuffer(data, np.uint8), KEY_BYTES)[::step]
    likely = windows[_could_be_random(windows)]
    ordered = np.sort(likely, axis=1)
    distinct = 1 + np.count_nonzero(np.diff(ordered, axis=1), axis=1)
    yield from (window.tobytes() for window in likely[distinct >= _MIN_DISTINCT])


def _could_be_random(windows: NDArray[np.uint8]) -> NDArray[np.bool_]:
    high = np.count_nonzero(windows >= 0x80, axis=1)
    zeros = KEY_BYTES - np.count_nonzero(windows, axis=1)
    return (high >= _HIGH_BITS[0]) & (high <= _HIGH_BITS[1]) & (zeros <= _MAX_ZEROS)


def _candidates(process: psutil.Process) -> Iterator[bytes]:
    memory = os.open(f"/proc/{process.pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        for start, end in regions(process.pid):
            for offset in range(start, end, _WINDOW_BYTES):
                try:
                    data = os.pread(memory, min(_WINDOW_BYTES + KEY_BYTES, end - offset), offset)
                except OSError:
                    continue  # Pages without content behind them hold no key either.
                yield from keys_in(data, step=8)
    finally:
        os.close(memory)
