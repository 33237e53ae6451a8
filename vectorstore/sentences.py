"""Sentences inside a chunk, and their vectors.

Owns where a sentence ends, in every script, and what a chunk's vector is: the mean of its sentences'. Sentences that
are too short to mean something alone stay with the next.
"""

import re
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from vectorstore.embedder import Vectors

MIN_CHARACTERS, MIN_WIDE_CHARACTERS, MIN_UNMARKED_CHARACTERS = 40, 16, 100
_LEAST_LENGTH = 1e-12  # Nothing is divided by nothing.
_WIDE = re.compile("[\u3040-\u9fff\uac00-\ud7a3]")
# The end marks of Latin, Greek, Cyrillic, Arabic, Urdu, Indic, Ethiopic, Armenian, Burmese, Khmer and CJK writing, what
# closes a quotation after them, and the blanks up to the next sentence. A dot inside a number or name, after an initial
# or before a small letter ends nothing. Thai and Lao have no marks: there a blank is an end, far enough from the last.
_END = re.compile(
    r"(?:(?<![\s.(][A-Z])[.!?…]+[\"'”’»)\]]*(?=\s)(?!\s*[a-z])|[؟۔;;।॥።։]+[\"'”’»)\]]*(?=\s)"
    r"|[。！？｡။។]+[”’」』）\"]*|\n(?=\s*\n)|(?P<unmarked>(?<=[\u0e00-\u0eff])[ \u00a0](?=[\u0e00-\u0eff])))\s*",
)


class SentenceVectors(msgspec.Struct, frozen=True):
    """The vectors of the sentences of one document's chunks, in order.

    Chunk ``i`` has the rows ``first[i]`` to ``first[i + 1]``, none where it is a single sentence, whose vector is its
    own. ``rows`` is ``(n, dim) int8``, and a vector is its row times its ``scales`` entry: a byte a number is enough to
    compare, and there are several sentences a chunk.
    """

    first: NDArray[np.int32]
    rows: NDArray[np.int8]
    scales: NDArray[np.float32]

    def __repr__(self) -> str:
        return "<SentenceVectors>"

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return self.first.nbytes + self.rows.nbytes + self.scales.nbytes

    def cosines(self, chunk: int, vector: Vectors) -> NDArray[np.float32]:
        """Return the likeness of each of a chunk's sentences to the question, ``(n_sentences,) float32``."""
        own = slice(self.first[chunk], self.first[chunk + 1])
        return (self.rows[own].astype(np.float32) @ vector) * self.scales[own]


def best_cosines(
    chunks: Sequence[tuple[SentenceVectors | None, int]], vector: Vectors, otherwise: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the likeness of the best sentence of each chunk, ``(n_chunks,) float32``.

    A chunk is its document's sentences and its place there; one without any has what ``otherwise`` says. All are looked
    at in one go: a loop over them would cost more than the products.
    """
    found = otherwise.copy()
    spans = [
        (row, held, held.first[place], held.first[place + 1])
        for row, (held, place) in enumerate(chunks)
        if held is not None and held.first[place + 1] > held.first[place]
    ]
    if not spans:
        return found
    rows = np.concatenate([held.rows[start:stop] for _, held, start, stop in spans])
    scales = np.concatenate([held.scales[start:stop] for _, held, start, stop in spans])
    cosines = (rows.astype(np.float32) @ vector) * scales
    starts = np.cumsum([0, *(stop - start for _, _, start, stop in spans)])[:-1]
    found[[row for row, *_ in spans]] = np.maximum.reduceat(cosines, starts)
    return found


def split(text: str) -> list[tuple[int, int]]:
    """Return ``(start, end)`` of the sentences of a text, blanks around them left out; one for a text without ends."""
    pieces: list[tuple[int, int]] = []
    start = 0
    for mark in _END.finditer(text):
        piece = text[start : mark.end()]
        if len(piece) >= MIN_UNMARKED_CHARACTERS if mark["unmarked"] else _is_long_enough(piece):
            pieces.append((start, mark.end()))
            start = mark.end()
    if text[start:].strip():
        if pieces and not _is_long_enough(text[start:]):
            start = pieces.pop()[0]
        pieces.append((start, len(text)))
    return [_trimmed(text, *piece) for piece in pieces]


def joined(counts: Sequence[int], vectors: Vectors) -> tuple[Vectors, SentenceVectors]:
    """Return the vectors of chunks, ``(n_chunks, dim) float32``, and what is kept of their sentences'.

    ``vectors`` is ``(n_sentences, dim) float32``; ``counts`` is how many each chunk has, at least one. A chunk's vector
    is the mean of its sentences', and so a little shorter than these: at their length, a chunk of many sentences would
    be likelier than any of them.
    """
    counted, firsts = np.asarray(counts, np.intp), np.cumsum([0, *counts], dtype=np.intp)
    sums = np.add.reduceat(vectors, firsts[:-1], axis=0) if len(counted) else vectors[:0]
    means = sums / counted[:, None]
    kept = np.where(counted > 1, counted, 0)
    return means.astype(np.float32), pack_vectors(kept.tolist(), vectors[np.repeat(counted > 1, counted)])


def pack_vectors(counts: Sequence[int], vectors: Vectors) -> SentenceVectors:
    """Round sentence vectors, ``(n, dim) float32``, to a byte a number. ``counts`` is how many each chunk has."""
    scales = np.maximum(np.abs(vectors).max(axis=1, initial=0.0), _LEAST_LENGTH) / 127
    return SentenceVectors(
        first=np.cumsum([0, *counts], dtype=np.int32),
        rows=np.rint(vectors / scales[:, None]).astype(np.int8),
        scales=scales.astype(np.float32),
    )


def _is_long_enough(text: str) -> bool:
    stripped = text.strip()
    return len(stripped) >= MIN_CHARACTERS or len(_WIDE.findall(stripped)) >= MIN_WIDE_CHARACTERS


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - (len(piece) - len(piece.rstrip()))
