"""From a question to the passages that answer it.

Owns the order search → relevance → near-duplicates → one document's share → token budget. "Nothing relevant" is an
answer.
"""

import math
import time
from collections.abc import Callable, Iterable

import msgspec

from models.content import Answer, Passage, Relevance
from models.errors import NoSuchThing, NothingIndexed
from vectorstore.client import EmbedderClient
from vectorstore.collection import Collection, Hit
from vectorstore.embedder import ModelCard, RelevanceBands
from vectorstore.flags import flags_of
from vectorstore.language import identify
from vectorstore.pack import estimate_tokens, pack, prefix_within

_DOCUMENT_SHARE = 0.6  # of the places, when other documents have relevant passages too
_DUPLICATE_LIKENESS = 0.8  # Jaccard index of the character trigrams
_CANDIDATES_PER_PLACE = 6
_MIN_CANDIDATES = 48
_TRIGRAM = 3
# Questions of XQuAD in en, es, zh and ar: above this, 99 % of the answers given are right and 1 % get none.
_MIN_LANGUAGE_PROBABILITY = 0.3


class Question(msgspec.Struct, frozen=True):
    """What a learner or his tutor asks. ``language`` (ISO 639-1) and ``document_ids`` leave other documents out."""

    text: str
    top_k: int
    max_tokens: int | None = None
    document_ids: tuple[str, ...] | None = None
    language: str | None = None

    def __repr__(self) -> str:
        return "<Question>"


class Retrieval:
    """Answers the questions of one session. ``filename_of`` names a document; it raises ``KeyError`` when gone."""

    def __init__(
        self, collection: Collection, embedder: EmbedderClient, *, session: str, filename_of: Callable[[str], str]
    ) -> None:
        self._collection = collection
        self._embedder = embedder
        self._session = session
        self._filename_of = filename_of

    def answer(self, question: Question) -> Answer:
        """Return the passages that fit best, best first; every one is an exact quotation.

        Raises ``NoSuchThing`` for an unknown document, ``NothingIndexed`` when nothing can be searched yet,
        ``PartUnavailable`` and ``QueueFull`` for the embedder.
        """
        started = time.perf_counter()
        self._check(question)
        vector = self._embedder.embed_query(question.text, session=self._session)
        candidates = max(_MIN_CANDIDATES, _CANDIDATES_PER_PLACE * question.top_k)
        hits = self._collection.search(vector, candidates, question.document_ids, question.language)
        bands = Bands(self._collection.card, question.text)
        relevant = [hit for hit in hits if hit.cosine >= bands.of(hit).low]
        chosen = share(without_duplicates(relevant), question.top_k)
        passages = self._passages(fit(chosen, question.max_tokens), bands)
        took_ms = round((time.perf_counter() - started) * 1000, 3)
        return Answer(passages=passages, nothing_relevant=not passages, took_ms=took_ms)

    def _check(self, question: Question) -> None:
        for document_id in question.document_ids or ():
            try:
                self._filename_of(document_id)
            except KeyError:
                raise NoSuchThing from None
        if not self._collection.has_ready(question.document_ids):
            raise NothingIndexed

    def _passages(self, hits: Iterable[Hit], bands: "Bands") -> tuple[Passage, ...]:
        passages: list[Passage] = []
        for hit in hits:
            try:
                filename = self._filename_of(hit.document_id)
            except KeyError:  # deleted while we searched
                continue
            passages.append(_passage(hit, filename, len(passages) + 1, bands.of(hit)))
        return tuple(passages)


class Bands:
    """Which cosines are relevant for one question: it depends on whether question and passage share a language.

    A question whose language cannot be told (a formula, a name) is held to the stricter bands of one language.
    """

    def __init__(self, card: ModelCard, question: str) -> None:
        self._card = card
        self._language = identify(question, min_probability=_MIN_LANGUAGE_PROBABILITY)

    def of(self, hit: Hit) -> RelevanceBands:
        """Return the bands for one chunk."""
        one_language = self._language is None or self._language == hit.language
        return self._card.relevance if one_language else self._card.relevance_across


def relevance_of(cosine: float, bands: RelevanceBands) -> Relevance:
    """Name the band a cosine of at least ``bands.low`` falls into."""
    if cosine >= bands.high:
        return "high"
    return "medium" if cosine >= bands.medium else "low"


def without_duplicates(hits: Iterable[Hit]) -> list[Hit]:
    """Drop each hit that says nearly the same as a better one (Jaccard index of character trigrams ≥ 0.8)."""
    kept: list[Hit] = []
    seen: list[frozenset[str]] = []
    for hit in hits:
        trigrams = _trigrams(hit.text)
        if not any(_alike(trigrams, other) for other in seen):
            kept.append(hit)
            seen.append(trigrams)
    return kept


def share(hits: list[Hit], places: int) -> list[Hit]:
    """Fill ``places`` best first, one document with at most 60 % of them (at least one) while others have hits.

    Places that others cannot fill go back to the best of the rest. The order stays that of the hits.
    """
    allowance = max(1, math.floor(places * _DOCUMENT_SHARE))
    taken: dict[str, int] = {}
    chosen: set[int] = set()
    for position, hit in enumerate(hits):
        if len(chosen) < places and taken.get(hit.document_id, 0) < allowance:
            taken[hit.document_id] = taken.get(hit.document_id, 0) + 1
            chosen.add(position)
    spare = (position for position in range(len(hits)) if position not in chosen)
    chosen.update(position for position, _ in zip(spare, range(places - len(chosen)), strict=False))
    return [hits[position] for position in sorted(chosen)]


def fit(hits: list[Hit], max_tokens: int | None) -> list[Hit]:
    """Pack the hits into the budget; when not even one fits, the beginning of the best one is quoted."""
    packed = pack(hits, max_tokens)
    if packed or not hits or max_tokens is None:
        return packed
    best = hits[0]
    length = prefix_within(best.text, max_tokens)
    if length == 0:
        return []
    text = best.text[:length]
    return [msgspec.structs.replace(best, text=text, end=best.start + length, tokens=estimate_tokens(text))]


def _passage(hit: Hit, filename: str, rank: int, bands: RelevanceBands) -> Passage:
    return Passage(
        document_id=hit.document_id,
        filename=filename,
        page=hit.page,
        start=hit.start,
        end=hit.end,
        text=hit.text,
        rank=rank,
        relevance=relevance_of(hit.cosine, bands),
        flags=flags_of(hit.text, hit.ocr_confidence),
        page_label=hit.page_label,
        heading=hit.heading,
        seconds=hit.seconds,
        ocr_confidence=hit.ocr_confidence,
    )


def _trigrams(text: str) -> frozenset[str]:
    folded = " ".join(text.casefold().split())
    return frozenset(folded[i : i + _TRIGRAM] for i in range(max(1, len(folded) - _TRIGRAM + 1)))


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    smaller, larger = sorted((len(one), len(other)))
    if smaller < _DUPLICATE_LIKENESS * larger:
        return False
    common = len(one & other)
    return common >= _DUPLICATE_LIKENESS * (smaller + larger - common)
