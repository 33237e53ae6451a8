"""Which chunks of some documents fit a question best: by meaning, by words, by phrases it quotes.

Every chunk's cosine is computed exactly, of all chunks or, where that is too many, of the candidates that the index of
meanings and the index of words name. Of the best of these the sentences are looked at too: what a chunk means to a
question is 0.3 of what all of it means and 0.7 of what its best sentence does. The same documents and question give
the same order.
"""

import re
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from vectorstore import lexical
from vectorstore.embedder import Vectors
from vectorstore.fuse import Scores, best, fuse
from vectorstore.held import Document, Hit
from vectorstore.sentences import SentenceVectors, best_cosines
from vectorstore.terms import Terms, fold, grams_of, terms_of

CANDIDATES = 256  # of each side, where not every chunk is looked at
_LOOKED_INTO = 128  # chunks, at least, whose sentences are compared
_SENTENCE_SHARE = 0.7  # Of 0.3, 0.5, 0.7 and 1 the best on pages of books and on single paragraphs.
# Sums of products differ in their last bits with the number of rows that are multiplied at once.
_COSINE_DECIMALS = 6
_MIN_PHRASE_CHARACTERS = 2
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^“”]+)”|„([^„“”]+)[“”]|«([^«»]+)»|»([^«»]+)«|「([^「」]+)」|『([^『』]+)』")

_Mask = NDArray[np.bool_]
Near = Callable[[Vectors, Sequence[int]], list[int]]


class Words(msgspec.Struct, frozen=True):
    """What a question says: its terms, ascending, and the phrases it puts in quotation marks, folded."""

    terms: Terms
    phrases: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "<Words>"


NO_WORDS = Words(np.zeros(0, np.uint32))


def words_of(question: str) -> Words:
    """Return what is looked for in the texts themselves."""
    quoted = (fold(next(filter(None, match.groups()))) for match in _QUOTED.finditer(question))
    phrases = tuple(dict.fromkeys(phrase for phrase in quoted if len(phrase) >= _MIN_PHRASE_CHARACTERS))
    return Words(terms_of(question), phrases)


def rank(
    documents: Sequence[Document],
    vector: Vectors,
    words: Words,
    k: int,
    *,
    language: str | None,
    weight: float,
    near: Near | None,
) -> list[Hit]:
    """Return the ``k`` best chunks, best first; of equal ones the one that was added first.

    Of the phrases a chunk must contain as many as any does: one that no chunk contains rules nothing out. ``weight`` is
    the lexical weight of ``fuse``. ``near`` names chunks near a vector; without it every chunk is looked at.
    """
    coverages = np.concatenate(lexical.coverage([document.postings for document in documents], words.terms))
    wanted = _in_language(documents, language)
    quoted = _quoting(documents, words.phrases, wanted)
    wanted &= quoted if quoted.any() else True
    places = np.flatnonzero(wanted) if near is None else _candidates(documents, vector, coverages, wanted, near)
    cosines = _cosines(documents, vector, places)
    first = np.sort(best(fuse(cosines, coverages[places], lexical_weight=weight), max(k, _LOOKED_INTO)))
    places, cosines = places[first], _with_sentences(documents, vector, places[first], cosines[first])
    scores = fuse(cosines, coverages[places], lexical_weight=weight)
    starts = _starts(documents)
    hits: list[Hit | None] = []
    for row in best(scores, k):
        place = places[row]
        owner = int(np.searchsorted(starts, place, side="right")) - 1
        marks = {"cosine": float(cosines[row]), "coverage": float(coverages[place]), "score": float(scores[row])}
        hits.append(_hit(documents[owner], int(place - starts[owner]), marks, quoted=bool(quoted[place])))
    return [hit for hit in hits if hit is not None]


def _in_language(documents: Sequence[Document], language: str | None) -> _Mask:
    if language is None:
        return np.ones(sum(map(len, documents)), np.bool_)
    return np.concatenate([document.has_language(language) for document in documents])


def _quoting(documents: Sequence[Document], phrases: Sequence[str], wanted: _Mask) -> _Mask:
    """Say which of the wanted chunks contain most of the phrases, at least one."""
    counts = np.zeros(len(wanted), np.intp)
    for phrase in phrases:
        grams = grams_of(phrase)
        for document, start in zip(documents, _starts(documents), strict=True):
            likely = lexical.having_all(document.postings, grams) if len(grams) else np.arange(len(document))
            for number in likely[wanted[start + likely]]:
                counts[start + number] += phrase in fold(document.text(document.extraction.chunks[number]))
    return (counts > 0) & (counts == counts.max(initial=0))


def _candidates(
    documents: Sequence[Document], vector: Vectors, coverages: Scores, wanted: _Mask, near: Near
) -> NDArray[np.intp]:
    numbers = np.concatenate([np.asarray(document.ids()) for document in documents])[wanted]
    by_meaning = np.searchsorted(numbers, np.sort(near(vector, numbers.tolist())))
    by_words = best(coverages[wanted], CANDIDATES)
    return np.flatnonzero(wanted)[np.union1d(by_meaning, by_words)]


def _cosines(documents: Sequence[Document], vector: Vectors, places: NDArray[np.intp]) -> Scores:
    """Return the cosines of the chunks at these places, ascending: ``(n_places,) float32``."""
    parts = [np.zeros(0, np.float32)]
    for document, start in zip(documents, _starts(documents), strict=True):
        first, last = np.searchsorted(places, [start, start + len(document)])
        whole = last - first == len(document)
        rows = document.vectors if whole else document.vectors[places[first:last] - start]
        parts.append(rows @ vector)
    return np.round(np.concatenate(parts), _COSINE_DECIMALS)


def _with_sentences(
    documents: Sequence[Document], vector: Vectors, places: NDArray[np.intp], cosines: Scores
) -> Scores:
    starts = _starts(documents)
    owners = np.searchsorted(starts, places, side="right") - 1
    numbers = places - starts[owners]
    chunks = [(documents[owner].sentences, int(number)) for owner, number in zip(owners, numbers, strict=True)]
    return mixed(cosines, chunks, vector)


def mixed(cosines: Scores, chunks: Sequence[tuple[SentenceVectors | None, int]], vector: Vectors) -> Scores:
    """Return the cosines of chunks mixed with those of their best sentences, where these have vectors.

    A chunk is its document's sentences and its place there; all arrays are ``(n_chunks,) float32``.
    """
    found = best_cosines(chunks, vector, cosines)
    both = (1 - _SENTENCE_SHARE) * cosines + _SENTENCE_SHARE * found
    return np.round(both, _COSINE_DECIMALS).astype(np.float32)


def _starts(documents: Sequence[Document]) -> NDArray[np.intp]:
    """Return the place of each document's first chunk when all are put in a row."""
    return np.cumsum([0, *(len(document) for document in documents)], dtype=np.intp)[:-1]


def _hit(document: Document, number: int, marks: dict[str, float], *, quoted: bool) -> Hit | None:
    if document.removed:
        return None  # since the search began
    chunk = document.extraction.chunks[number]
    page = document.pages[chunk.page]
    return Hit(
        document_id=document.document_id,
        page=chunk.page,
        start=chunk.start,
        end=chunk.end,
        text=document.text(chunk),
        heading=chunk.heading,
        ocr_confidence=page.ocr_confidence,
        language=document.language(chunk),
        page_label=page.label,
        seconds=chunk.seconds,
        number=number,
        quoted=quoted,
        **marks,
    )
