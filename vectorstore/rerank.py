"""A second look at the chunks that were found first.

Owns the protocol, what can be done inside the session process, and the asking of a cross-encoder, which runs where the
embedder does.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec
import numpy as np

from vectorstore.client import EmbedderClient
from vectorstore.collection import Collection
from vectorstore.embedder import Vectors
from vectorstore.fuse import fuse
from vectorstore.held import Hit
from vectorstore.ranking import Words


class Asked(msgspec.Struct, frozen=True):
    """A question as the stages see it: its text, its vector ``(dim,) float32``, its words."""

    text: str
    vector: Vectors
    words: Words

    def __repr__(self) -> str:
        return "<Asked>"


class Reranker(Protocol):
    """A second stage."""

    def rerank(self, asked: Asked, hits: Sequence[Hit]) -> list[Hit]:
        """Return the same hits, best first. Raises a ``MayflyError`` where it cannot: their order stays then."""
        ...


class BestSentence:
    """Takes for a chunk's meaning half its own cosine and half that of its best sentence.

    Documents whose sentences have no vectors keep the order they come in.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    def rerank(self, asked: Asked, hits: Sequence[Hit]) -> list[Hit]:
        """Return the hits, best first; of equal ones the earlier one first."""
        scored = [self._scored(asked, hit) for hit in hits]
        return sorted(scored, key=lambda hit: -hit.score)

    def _scored(self, asked: Asked, hit: Hit) -> Hit:
        sentences = self._collection.sentences(hit.document_id)
        cosines = np.zeros(0, np.float32) if sentences is None else sentences.cosines(hit.number, asked.vector)
        best = float(cosines.max()) if len(cosines) else hit.cosine
        cosine = (hit.cosine + best) / 2
        weight = self._collection.card.lexical_weight
        score = fuse(np.array([cosine], np.float32), np.array([hit.coverage], np.float32), lexical_weight=weight)
        return msgspec.structs.replace(hit, cosine=cosine, score=float(score[0]))


_JUDGED = 20


class CrossEncoding:
    """Puts the first 20 hits in the order in which a model that reads both question and passage has them.

    Nothing but the order: cosine, coverage and so relevance stay what the first stage found, because they are measured
    and a cross-encoder's scores have a scale of their own. Later hits stay behind, in their order. A question waits for
    it ``max_seconds`` at most.
    """

    def __init__(self, embedder: EmbedderClient, *, session: str, max_seconds: float) -> None:
        self._embedder = embedder
        self._session = session
        self._max_seconds = max_seconds

    def rerank(self, asked: Asked, hits: Sequence[Hit]) -> list[Hit]:
        """Return the hits, best first; of equal ones the earlier one first. Raises as ``EmbedderClient.rank`` does."""
        first = hits[:_JUDGED]
        if not first:
            return []
        texts = ["\n".join([*hit.heading, hit.text]) for hit in first]
        scores = self._embedder.rank(asked.text, texts, session=self._session, timeout_seconds=self._max_seconds)
        return [first[place] for place in np.argsort(-scores, kind="stable")] + list(hits[_JUDGED:])
