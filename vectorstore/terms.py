r"""The terms of a text, as numbers: words with their trigrams, and the characters and bigrams of unspaced scripts.

Owns what counts as a word. A combining mark belongs to it: Hindi's vowel signs are marks, which ``\w`` leaves out.
Terms are 32-bit hashes, so that no word is kept and a whole batch of texts is taken apart by a few array operations.
Two of 100,000 terms share a number about once; that costs nothing that could be noticed.
"""

import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Terms = NDArray[np.uint32]
_Codes = NDArray[np.uint32]
_Hashes = NDArray[np.uint64]
_Mask = NDArray[np.bool_]

_UNKNOWN, _SEPARATOR, _SPACED, _UNSPACED = range(4)
# Scripts without blanks between words; and Hangul, whose words carry their particles with them.
_UNSPACED_RANGES = (
    (0x0E00, 0x0FFF),  # Thai, Lao, Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1100, 0x11FF),  # Hangul letters
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),
    (0x3040, 0x30FF),  # kana
    (0x3130, 0x318F),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),  # Han
    (0xAC00, 0xD7AF),  # Hangul syllables
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
# Vowel marks and the stretching sign of Arabic: books for learners print them, nobody types them.
_SILENT = dict.fromkeys([*range(0x064B, 0x0653), 0x0670, 0x0640])
# What each code point is. Zero pages until somebody writes such a character: few of its bytes are ever in memory.
_kinds = np.zeros(0x110000, np.uint8)

_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)
_WORD_SALT, _TRIGRAM_SALT, _CHARACTER_SALT, _BIGRAM_SALT = (
    np.uint64(0x2545F4914F6CDD1D * kind) for kind in (1, 2, 3, 4)
)
_TRIGRAM = 3


def fold(text: str) -> str:
    """Return the text as it is compared: NFKC, without case, white space as one blank, no vowel marks of Arabic."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.translate(_SILENT).split())


def terms_of(text: str) -> Terms:
    """Return the different terms of one text, ascending: ``(n_terms,) uint32``."""
    terms, _ = occurrences([text])
    return np.unique(terms)


def terms_of_each(texts: Sequence[str]) -> list[Terms]:
    """Return what ``terms_of`` does for each text, in one pass: a tenth of a millisecond a text is saved."""
    terms, places = occurrences(texts)
    order = np.argsort(places, kind="stable")
    starts = np.searchsorted(places[order], np.arange(len(texts)))
    return [np.unique(each) for each in np.split(terms[order], starts)[1:]]


def grams_of(text: str) -> Terms:
    """Return the terms that every text has which contains this one: all but its words, which may go on at its ends."""
    codes = np.frombuffer(fold(text).encode("utf-32-le", "surrogatepass"), np.uint32)
    found = [_spread(hashes, salt) for hashes, _, salt in _found(codes, _kinds_of(codes)) if salt != _WORD_SALT]
    return np.unique(np.concatenate(found))


def occurrences(texts: Sequence[str]) -> tuple[Terms, NDArray[np.uint32]]:
    """Return every term of every text and the place of its text: two arrays ``(n_occurrences,) uint32``."""
    folded = [fold(text) for text in texts]
    codes = np.frombuffer("\n".join(folded).encode("utf-32-le", "surrogatepass"), np.uint32)
    places = np.repeat(np.arange(len(folded), dtype=np.uint32), [len(text) + 1 for text in folded])[: len(codes)]
    found = list(_found(codes, _kinds_of(codes)))
    terms = np.concatenate([_spread(hashes, salt) for hashes, _, salt in found])
    return terms, np.concatenate([places[starts] for _, starts, _ in found])


def _found(codes: _Codes, kinds: NDArray[np.uint8]) -> Iterable[tuple[_Hashes, NDArray[np.intp], np.uint64]]:
    """Yield the hashes of each kind of term, where they begin, and the kind's salt."""
    wide = codes.astype(np.uint64)
    spaced, unspaced = kinds == _SPACED, kinds == _UNSPACED
    starts, ends = _runs(spaced)
    yield _run_hashes(wide, starts, ends), starts, _WORD_SALT
    inside = np.flatnonzero(spaced[:-2] & spaced[1:-1] & spaced[2:])
    yield _gram_hashes(wide, inside, _TRIGRAM), inside, _TRIGRAM_SALT
    single = np.flatnonzero(unspaced)
    yield _gram_hashes(wide, single, 1), single, _CHARACTER_SALT
    pairs = np.flatnonzero(unspaced[:-1] & unspaced[1:])
    yield _gram_hashes(wide, pairs, 2), pairs, _BIGRAM_SALT


def _runs(mask: _Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where each run of true begins and ends."""
    edges = np.diff(mask.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)


def _run_hashes(wide: _Hashes, starts: NDArray[np.intp], ends: NDArray[np.intp]) -> _Hashes:
    """Hash runs of any length: differences of one sum of ``code * base ** place``, moved to place 0, modulo 2 ** 64."""
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(wide * _powers(_BASE, len(wide)))])
    return (sums[ends] - sums[starts]) * _powers(_INVERSE, len(wide))[starts]


def _gram_hashes(wide: _Hashes, starts: NDArray[np.intp], length: int) -> _Hashes:
    powers = _powers(_BASE, length)
    hashes = np.zeros(len(starts), np.uint64)
    for place in range(length):
        hashes += wide[starts + place] * powers[place]
    return hashes


def _powers(base: int, count: int) -> _Hashes:
    factors = np.full(count, base, np.uint64)
    factors[:1] = 1
    return np.cumprod(factors)


def _spread(hashes: _Hashes, salt: np.uint64) -> Terms:
    """Mix all bits into the upper half (the finalizer of SplitMix64) and keep that."""
    mixed = hashes ^ salt
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed >> np.uint64(32)).astype(np.uint32)


def _kinds_of(codes: _Codes) -> NDArray[np.uint8]:
    kinds = _kinds[codes]
    new = np.unique(codes[kinds == _UNKNOWN])
    if not len(new):
        return kinds
    _kinds[new] = [_kind(int(code)) for code in new]
    return _kinds[codes]


def _kind(code: int) -> int:
    if unicodedata.category(chr(code))[0] not in "LNM":
        return _SEPARATOR
    return _UNSPACED if any(start <= code <= end for start, end in _UNSPACED_RANGES) else _SPACED
