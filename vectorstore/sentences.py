"""Sentences inside a chunk, and their vectors.

Owns where a sentence ends, in every script. Sentences that are too short to mean something alone stay with the next.
"""

import re
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from vectorstore.embedder import Vectors

MIN_CHARACTERS, MIN_WIDE_CHARACTERS = 40, 16
_WIDE = re.compile("[\u3040-\u9fff\uac00-\ud7a3]")
# The end marks of Latin, Greek, Cyrillic, Arabic, Urdu, Indic, Ethiopic, Armenian, Burmese, Khmer and CJK writing, what
# closes a quotation after them, and the blanks up to the next sentence. A dot inside a number or name ends nothing.
_END = re.compile(
    r"(?:[.!?…؟۔;;।॥።։]+[\"'”’»)\]]*(?=\s)|[。！？｡။។]+[”’」』）\"]*|\n(?=\s*\n))\s*",
)


class SentenceVectors(msgspec.Struct, frozen=True):
    """The sentences of one document's chunks, in order.

    Chunk ``i`` has the sentences ``first[i]`` to ``first[i + 1]``; ``spans`` is ``(n, 2) int32``, offsets in the page;
    ``rows`` is ``(n, dim) int8``, and a vector is its row times its ``scales`` entry: a byte a number is enough to
    compare, and there are several sentences a chunk.
    """

    first: NDArray[np.int32]
    spans: NDArray[np.int32]
    rows: NDArray[np.int8]
    scales: NDArray[np.float32]

    def __repr__(self) -> str:
        return "<SentenceVectors>"

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return self.first.nbytes + self.spans.nbytes + self.rows.nbytes + self.scales.nbytes

    def cosines(self, chunk: int, vector: Vectors) -> NDArray[np.float32]:
        """Return the likeness of each of a chunk's sentences to the question, ``(n_sentences,) float32``."""
        own = slice(self.first[chunk], self.first[chunk + 1])
        return (self.rows[own].astype(np.float32) @ vector) * self.scales[own]


def split(text: str) -> list[tuple[int, int]]:
    """Return ``(start, end)`` of the sentences of a text, blanks around them left out; one for a text without ends."""
    pieces: list[tuple[int, int]] = []
    start = 0
    for mark in _END.finditer(text):
        if _is_long_enough(text[start : mark.end()]):
            pieces.append((start, mark.end()))
            start = mark.end()
    if text[start:].strip():
        if pieces and not _is_long_enough(text[start:]):
            start = pieces.pop()[0]
        pieces.append((start, len(text)))
    return [_trimmed(text, *piece) for piece in pieces]


def pack_vectors(counts: Sequence[int], spans: Sequence[tuple[int, int]], vectors: Vectors) -> SentenceVectors:
    """Round sentence vectors, ``(n, dim) float32``, to a byte a number. ``counts`` is how many each chunk has."""
    scales = np.maximum(np.abs(vectors).max(axis=1, initial=0.0), 1e-12) / 127
    return SentenceVectors(
        first=np.cumsum([0, *counts], dtype=np.int32),
        spans=np.array(spans, np.int32).reshape(-1, 2),
        rows=np.rint(vectors / scales[:, None]).astype(np.int8),
        scales=scales.astype(np.float32),
    )


def _is_long_enough(text: str) -> bool:
    stripped = text.strip()
    return len(stripped) >= MIN_CHARACTERS or len(_WIDE.findall(stripped)) >= MIN_WIDE_CHARACTERS


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - (len(piece) - len(piece.rstrip()))
