"""BM25 over the terms of one document's chunks, in compact postings.

A document's postings are made once, outside of any lock, and never changed: to remove the document is to drop them.
How rare a term is depends on which documents are asked, so it is counted at each question.
Okapi BM25 with the idf of Lucene (never negative): Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from vectorstore.terms import Terms, occurrences

Scores = NDArray[np.float32]

# Of the values tried (0.9 to 2.0, 0.4 to 0.75) these, Anserini's, were best in en, es, zh and ar alike.
K1, B = 0.9, 0.4
# As many chunks more are counted that have none of the terms: in a session of one page each word would be common, and a
# full match would cover little. With 20, one threshold of relevance serves 1 to 240 chunks; the order is unchanged.
_BACKGROUND_CHUNKS = 20
_BATCH_CHUNKS = 50
_SEGMENT_CHUNKS = 1_000  # Bounds what is sorted at once; the numbers of chunks fit into 16 bits.
_MAX_FREQUENCY = 255


class _Segment(msgspec.Struct, frozen=True):
    """The postings of at most 1,000 chunks in a row.

    Term ``terms[i]`` (ascending) is in the chunks ``chunks[offsets[i]:offsets[i + 1]]``, as often as ``frequencies``
    says there. ``lengths`` counts the terms of each chunk.
    """

    terms: Terms
    offsets: NDArray[np.uint32]
    chunks: NDArray[np.uint16]
    frequencies: NDArray[np.uint8]
    lengths: NDArray[np.float32]

    def __repr__(self) -> str:
        return "<_Segment>"


class Postings:
    """Which terms are in which chunk of one document. ``len`` is the number of its chunks."""

    def __init__(self, segments: Sequence[_Segment]) -> None:
        self.segments = tuple(segments)
        self.total_length = float(sum(segment.lengths.sum() for segment in segments))

    def __len__(self) -> int:
        return sum(len(segment.lengths) for segment in self.segments)

    def __repr__(self) -> str:
        return "<Postings>"

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(getattr(segment, name).nbytes for segment in self.segments for name in _Segment.__struct_fields__)


def index(texts: Sequence[str], *, on_batch: Callable[[], None] | None = None) -> Postings:
    """Take the texts of a document's chunks apart. ``on_batch`` runs before each 50 and may raise to stop."""
    segments: list[_Segment] = []
    for first in range(0, len(texts), _SEGMENT_CHUNKS):
        last = min(first + _SEGMENT_CHUNKS, len(texts))
        batches: list[tuple[NDArray[np.uint64], NDArray[np.uint8]]] = []
        for start in range(first, last, _BATCH_CHUNKS):
            if on_batch is not None:
                on_batch()
            batches.append(_counted(texts[start : min(start + _BATCH_CHUNKS, last)], start - first))
        segments.append(_segment(batches, last - first))
    return Postings(segments)


def _counted(texts: Sequence[str], first: int) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """Return each pair of term and chunk as one number, and how often it occurs."""
    terms, places = occurrences(texts)
    keys = (terms.astype(np.uint64) << np.uint64(16)) | (places + np.uint32(first)).astype(np.uint64)
    pairs, counts = np.unique(keys, return_counts=True)
    return pairs, np.minimum(counts, _MAX_FREQUENCY).astype(np.uint8)


def _segment(batches: list[tuple[NDArray[np.uint64], NDArray[np.uint8]]], size: int) -> _Segment:
    keys = np.concatenate([keys for keys, _ in batches])
    order = np.argsort(keys)
    keys, frequencies = keys[order], np.concatenate([counts for _, counts in batches])[order]
    chunks = (keys & np.uint64(0xFFFF)).astype(np.uint16)
    terms, starts = np.unique((keys >> np.uint64(16)).astype(np.uint32), return_index=True)
    lengths = np.bincount(chunks, weights=frequencies, minlength=size).astype(np.float32)
    return _Segment(terms, np.append(starts, len(keys)).astype(np.uint32), chunks, frequencies, lengths)


def coverage(documents: Sequence[Postings], terms: Terms) -> list[Scores]:
    """Return, for each document, how much of the question each chunk covers: ``(n_chunks,) float32``, 0 to 1.

    That is BM25 divided by the BM25 of an ideal chunk, which says all of the question's terms over and over. A term
    that no document has counts as the rarest there could be. ``terms`` is ``(n_terms,) uint32``, ascending.
    """
    count = sum(len(postings) for postings in documents)
    if not count or not len(terms):
        return [np.zeros(len(postings), np.float32) for postings in documents]
    found = [[_known(segment, terms) for segment in postings.segments] for postings in documents]
    frequency = np.zeros(len(terms), np.int64)
    for known in itertools.chain.from_iterable(found):
        frequency[known.places] += known.sizes
    idf = np.log1p((count + _BACKGROUND_CHUNKS - frequency + 0.5) / (frequency + 0.5)).astype(np.float32)
    mean_length = sum(postings.total_length for postings in documents) / count or 1.0
    ideal = float(idf.sum(dtype=np.float64)) * (K1 + 1)
    return [
        np.concatenate([
            _scores(segment, known, idf[known.places], mean_length) / np.float32(ideal)
            for segment, known in zip(postings.segments, knowns, strict=True)
        ] or [np.zeros(0, np.float32)])
        for postings, knowns in zip(documents, found, strict=True)
    ]  # fmt: skip


def having_all(postings: Postings, terms: Terms) -> NDArray[np.intp]:
    """Return the places of the chunks that have every one of the terms; of all chunks when there are no terms."""
    places: list[NDArray[np.intp]] = [np.zeros(0, np.intp)]
    first = 0
    for segment in postings.segments:
        chunks = segment.chunks[_postings(_known(segment, terms))]
        counts = np.bincount(chunks, minlength=len(segment.lengths))
        places.append(np.flatnonzero(counts == len(terms)) + first)
        first += len(segment.lengths)
    return np.concatenate(places)


class _Known(NamedTuple):
    """Which of a question's terms a segment knows, where the postings of each begin, and how many they are."""

    places: NDArray[np.intp]
    starts: NDArray[np.intp]
    sizes: NDArray[np.intp]


def _known(segment: _Segment, terms: Terms) -> _Known:
    at = np.searchsorted(segment.terms, terms)
    at[at == len(segment.terms)] = 0
    places = np.flatnonzero(segment.terms[at] == terms) if len(segment.terms) else np.zeros(0, np.intp)
    at = at[places]
    starts = segment.offsets[at].astype(np.intp)
    return _Known(places, starts, segment.offsets[at + 1] - starts)


def _postings(known: _Known) -> NDArray[np.intp]:
    """Return the places of all postings of the known terms, term by term."""
    before = np.cumsum(known.sizes) - known.sizes
    return np.repeat(known.starts - before, known.sizes) + np.arange(int(known.sizes.sum()))


def _scores(segment: _Segment, known: _Known, idf: Scores, mean_length: float) -> Scores:
    """Return the BM25 of each chunk of a segment, ``(n_chunks,) float32``; terms add up in ascending order."""
    postings = _postings(known)
    chunks = segment.chunks[postings]
    frequencies = segment.frequencies[postings].astype(np.float32)
    damping = np.float32(K1) * (1 - B + B / np.float32(mean_length) * segment.lengths)
    weights = np.repeat(idf * np.float32(K1 + 1), known.sizes) * frequencies / (frequencies + damping[chunks])
    return np.bincount(chunks, weights=weights, minlength=len(segment.lengths)).astype(np.float32)
