"""From a question to the passages that answer it.

Owns the order: meaning and words → second stage → relevance → near-duplicates and one document's share → neighbours
joined, token budget → highlight. "Nothing relevant" is an answer.
"""

import time
from collections.abc import Callable, Sequence

import msgspec

from models.content import Answer, Passage, Relevance, SecondStage, Span
from models.errors import EmbeddingFailed, NoSuchThing, NothingIndexed, PartUnavailable, QueueFull
from vectorstore.centring import centred
from vectorstore.choose import choose
from vectorstore.client import EmbedderClient
from vectorstore.collection import Collection
from vectorstore.flags import flags_of
from vectorstore.held import Hit
from vectorstore.highlight import highlights
from vectorstore.quote import Quotation, quote
from vectorstore.ranking import words_of
from vectorstore.relevance import Judge, language_of
from vectorstore.rerank import Reranker

_CANDIDATES_PER_PLACE = 6
_MIN_CANDIDATES = 48


class Question(msgspec.Struct, frozen=True):
    """What a learner or his tutor asks.

    ``document_ids`` leaves other documents out, ``language`` (ISO 639-1) other chunks. ``doubtful`` asks for the best
    passages even when none is relevant.
    """

    text: str
    top_k: int
    max_tokens: int | None = None
    document_ids: tuple[str, ...] | None = None
    language: str | None = None
    doubtful: bool = False

    def __repr__(self) -> str:
        return "<Question>"


class Retrieval:
    """Answers the questions of one session. ``filename_of`` names a document; it raises ``KeyError`` when gone."""

    def __init__(
        self,
        collection: Collection,
        embedder: EmbedderClient,
        *,
        session: str,
        filename_of: Callable[[str], str],
        reranker: Reranker | None = None,
    ) -> None:
        self._collection = collection
        self._embedder = embedder
        self._session = session
        self._filename_of = filename_of
        self._reranker = reranker

    def answer(self, question: Question) -> Answer:
        """Return the passages that fit best, best first; every one is an exact quotation.

        Raises ``NoSuchThing`` for an unknown document, ``NothingIndexed`` when nothing can be searched yet,
        ``PartUnavailable`` and ``QueueFull`` for the embedder.
        """
        started = time.perf_counter()
        self._check(question)
        language, card = language_of(question.text), self._collection.card
        vector = self._embedder.embed_query(question.text, session=self._session)
        vector = centred(vector, card, language)
        words = words_of(question.text)
        candidates = max(_MIN_CANDIDATES, _CANDIDATES_PER_PLACE * question.top_k)
        hits = self._collection.search(vector, candidates, question.document_ids, question.language, words=words)
        hits, second_stage = self._looked_at_again(question.text, hits)
        judge = Judge(card, language, chunks=self._collection.size(question.document_ids))
        relevant = judge.relevant(hits)
        chosen = choose(hits if question.doubtful else relevant, question.top_k)
        quotations = quote(chosen, question.max_tokens, self._collection.passage)
        passages = self._passages(quotations, judge, highlights(quotations, vector, words, self._collection))
        took_ms = round((time.perf_counter() - started) * 1000, 3)
        return Answer(
            passages=passages,
            nothing_relevant=not (passages and relevant),
            took_ms=took_ms,
            second_stage=second_stage,
        )

    def _looked_at_again(self, question: str, hits: list[Hit]) -> tuple[list[Hit], SecondStage]:
        """Return the hits in the order of the second stage, or as they are where it fails: an answer is worth more."""
        if self._reranker is None:
            return hits, "off"
        try:
            return self._reranker.rerank(question, hits), "done"
        except (PartUnavailable, QueueFull, EmbeddingFailed):
            return hits, "skipped"

    def _check(self, question: Question) -> None:
        for document_id in question.document_ids or ():
            try:
                self._filename_of(document_id)
            except KeyError:
                raise NoSuchThing from None
        if not self._collection.has_ready(question.document_ids):
            raise NothingIndexed

    def _passages(
        self, quotations: Sequence[Quotation], judge: Judge, spans: Sequence[Span | None]
    ) -> tuple[Passage, ...]:
        passages: list[Passage] = []
        for quotation, span in zip(quotations, spans, strict=True):
            try:
                filename = self._filename_of(quotation.best.document_id)
            except KeyError:  # deleted while we searched
                continue
            relevance = judge.relevance(quotation.best) or "low"
            passages.append(_passage(quotation, filename, len(passages) + 1, relevance, span))
        return tuple(passages)


def _passage(quotation: Quotation, filename: str, rank: int, relevance: Relevance, span: Span | None) -> Passage:
    best = quotation.best
    times = [hit.seconds for hit in quotation.hits if hit.seconds is not None]
    return Passage(
        document_id=best.document_id,
        filename=filename,
        page=best.page,
        start=quotation.start,
        end=quotation.end,
        text=quotation.text,
        rank=rank,
        relevance=relevance,
        flags=flags_of(quotation.text, best.ocr_confidence),
        page_label=best.page_label,
        heading=best.heading,
        seconds=(times[0][0], times[-1][1]) if times else None,
        ocr_confidence=best.ocr_confidence,
        language=best.language,
        highlight=span,
    )
