"""A second look at the chunks that were found first.

Owns the protocol and the asking of a cross-encoder, which runs where the embedder does.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from vectorstore.client import EmbedderClient
from vectorstore.held import Hit

_JUDGED = 20


class Reranker(Protocol):
    """A second stage."""

    def rerank(self, question: str, hits: Sequence[Hit]) -> list[Hit]:
        """Return the same hits, best first. Raises a ``MayflyError`` where it cannot: their order stays then."""
        ...


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

    def rerank(self, question: str, hits: Sequence[Hit]) -> list[Hit]:
        """Return the hits, best first; of equal ones the earlier one first. Raises as ``EmbedderClient.rank`` does."""
        first = hits[:_JUDGED]
        if not first:
            return []
        texts = ["\n".join([*hit.heading, hit.text]) for hit in first]
        scores = self._embedder.rank(question, texts, session=self._session, timeout_seconds=self._max_seconds)
        return [first[place] for place in np.argsort(-scores, kind="stable")] + list(hits[_JUDGED:])
