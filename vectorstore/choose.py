"""Which of the found chunks are given: no near-duplicates, no document that fills all places."""

import math
from collections.abc import Sequence

import numpy as np

from vectorstore.held import Hit
from vectorstore.terms import Terms, terms_of_each

_DOCUMENT_SHARE = 0.6  # of the places, when other documents have relevant chunks too
_DUPLICATE_LIKENESS = 0.8  # Jaccard index of the terms: words and their trigrams


def choose(hits: Sequence[Hit], places: int) -> list[Hit]:
    """Fill ``places`` from hits that come best first; the order stays theirs.

    One document gets at most 60 % of the places (at least one) while others have hits; what they cannot fill goes back
    to the best of the rest. A hit that says nearly the same as one that was taken is dropped.
    """
    allowance = max(1, math.floor(places * _DOCUMENT_SHARE))
    taken = _Taken(hits, places)
    spare: list[int] = []
    for place, hit in enumerate(hits):
        if len(taken.places) == places:
            break
        if taken.of(hit.document_id) < allowance:
            taken.take(place)
        else:
            spare.append(place)
    for place in spare:
        if len(taken.places) == places:
            break
        taken.take(place)
    return [hits[place] for place in sorted(taken.places)]


class _Taken:
    """The places of the hits that were taken. Texts are compared with those only: comparing all costs milliseconds."""

    def __init__(self, hits: Sequence[Hit], places: int) -> None:
        self.places: list[int] = []
        self._hits, self._at_once = hits, max(1, places)
        self._documents: dict[str, int] = {}
        self._terms: list[Terms] = []
        self._known: list[Terms] = []

    def of(self, document_id: str) -> int:
        return self._documents.get(document_id, 0)

    def take(self, place: int) -> None:
        terms = self._terms_at(place)
        if any(_alike(terms, other) for other in self._terms):
            return
        document_id = self._hits[place].document_id
        self.places.append(place)
        self._terms.append(terms)
        self._documents[document_id] = self.of(document_id) + 1

    def _terms_at(self, place: int) -> Terms:
        """Return the terms of one hit; those of as many hits as there are places are made in one pass."""
        while place >= len(self._known):
            texts = [hit.text for hit in self._hits[len(self._known) :][: self._at_once]]
            self._known += terms_of_each(texts)
        return self._known[place]


def _alike(one: Terms, other: Terms) -> bool:
    smaller, larger = sorted((len(one), len(other)))
    if smaller < _DUPLICATE_LIKENESS * larger:
        return False
    common = len(np.intersect1d(one, other, assume_unique=True))
    return common >= _DUPLICATE_LIKENESS * (smaller + larger - common)
