"""One session's material as it is searched: texts, their vectors in a private ChromaDB engine, their terms.

Refuses a document of which a part is missing: vectors, terms and texts come together or not at all. There is no way to
close a collection: the process that holds it is killed.

Chroma holds the vectors. They are ranked exactly, from a copy of what it holds, while that is faster than its index;
beyond ``exact_chunks`` Chroma names the candidates (docs/adr/0010-search.md).
"""

import itertools
import threading
from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from models.content import Extraction
from models.errors import EmbeddingFailed, NoSuchThing, QuotaExceeded
from vectorstore import lexical
from vectorstore.embedder import ModelCard, Vectors
from vectorstore.engine import ADD_CHUNKS, Engine
from vectorstore.held import Document, Hit
from vectorstore.ranking import CANDIDATES, NO_WORDS, Words, rank
from vectorstore.sentences import SentenceVectors

EXACT_CHUNKS = 20_000


class Removed(msgspec.Struct, frozen=True):
    """How much of a document was held."""

    pages: int
    chunks: int


class Collection:
    """Everything of one session that can be searched. Safe to use from several threads.

    ``max_chunks`` bounds the chunks of all documents together. Who shares an ``engine`` shares its lock.
    """

    def __init__(
        self,
        card: ModelCard,
        *,
        max_chunks: int = 10_000,
        exact_chunks: int = EXACT_CHUNKS,
        engine: Engine | None = None,
        writing: "threading.Lock | None" = None,
    ) -> None:
        self.card = card
        self.max_chunks = max_chunks
        self._exact_chunks = exact_chunks
        self._engine = engine or Engine()
        self._documents: dict[str, Document] = {}
        self._next_id = itertools.count()
        self._count = 0
        self._lock = threading.Lock()  # guards what is held; never held during a search
        self._writing = writing or threading.Lock()  # one writer at a time, in this engine

    def beside(self) -> "Collection":
        """Return an empty collection in the same engine, of which this one knows nothing."""
        with self._writing:
            engine = self._engine.beside()
        return Collection(self.card, max_chunks=self.max_chunks, engine=engine, writing=self._writing)

    def add(
        self,
        document_id: str,
        extraction: Extraction,
        vectors: Vectors,
        *,
        sentences: SentenceVectors | None = None,
        on_batch: Callable[[], None] | None = None,
    ) -> None:
        """Hold a document's texts and vectors, ``(n_chunks, dim) float32``; it is not found before ``publish``.

        ``on_batch`` runs before each batch and may raise to stop. Whatever is raised, nothing of the document is kept:
        ``QuotaExceeded`` over ``max_chunks``, ``EmbeddingFailed`` when the vectors do not fit the chunks,
        ``NoSuchThing`` when the document was removed meanwhile.
        """
        if vectors.shape != (len(extraction.chunks), self.card.dim):
            raise EmbeddingFailed
        document = self._admit(document_id, extraction)
        try:
            document.sentences = sentences
            document.postings = lexical.index(
                [document.read(chunk) for chunk in extraction.chunks], on_batch=_both(on_batch, document)
            )
            document.vectors = self._add_batches(document, vectors, on_batch)
        except BaseException:
            self.remove(document_id)
            raise

    def publish(self, document_id: str) -> None:
        """Let the document be found from now on. Does nothing when it was removed meanwhile."""
        with self._lock:
            document = self._documents.get(document_id)
            if document is not None:
                document.published = True

    def remove(self, document_id: str) -> Removed:
        """Forget a document: it is not found by any search that starts afterwards. Idempotent."""
        with self._lock:
            document = self._documents.pop(document_id, None)
            if document is None:
                return Removed(pages=0, chunks=0)
            document.removed = True
            self._count -= len(document)
        with self._writing:
            self._engine.remove(document.ids())
        return Removed(pages=len(document.pages), chunks=len(document))

    def search(
        self,
        vector: Vectors,
        k: int,
        document_ids: Sequence[str] | None = None,
        language: str | None = None,
        *,
        words: Words = NO_WORDS,
    ) -> list[Hit]:
        """Return the ``k`` best chunks of published documents, best first, at most all of them.

        ``vector`` is ``(dim,) float32`` and says what the question means, ``words`` what it says. ``document_ids``
        leaves other documents out, ``language`` (ISO 639-1) other chunks. How rare a word is depends on the documents
        that are searched and on nothing else.
        """
        documents = self._searchable(document_ids)
        if k < 1 or not documents:
            return []
        near = self._near if sum(map(len, documents)) > self._exact_chunks else None
        return rank(documents, vector, words, k, language=language, weight=self.card.lexical_weight, near=near)

    def passage(self, document_id: str, page: int, start: int, end: int) -> str | None:
        """Return ``[start:end]`` of a page's text; ``None`` when the document was removed meanwhile."""
        with self._lock:
            document = self._documents.get(document_id)
        return None if document is None else document.pages[page].text[start:end]

    def sentences(self, document_id: str) -> SentenceVectors | None:
        """Return the vectors of a document's sentences, where there are any."""
        with self._lock:
            document = self._documents.get(document_id)
        return None if document is None else document.sentences

    def has_ready(self, document_ids: Sequence[str] | None = None) -> bool:
        """Say whether any document, or any of those named, can be found."""
        return bool(self._searchable(document_ids))

    def size(self, document_ids: Sequence[str] | None = None) -> int:
        """Return how many chunks can be found, in all documents or in those named."""
        return sum(map(len, self._searchable(document_ids)))

    def count(self) -> int:
        """Return how many chunks are held, published or not."""
        with self._lock:
            return self._count

    def room(self) -> int:
        """Return how many more chunks may be added."""
        return max(0, self.max_chunks - self.count())

    def _admit(self, document_id: str, extraction: Extraction) -> Document:
        """Take the document's ids, or raise ``QuotaExceeded``."""
        chunks = len(extraction.chunks)
        with self._lock:
            if self._count + chunks > self.max_chunks:
                raise QuotaExceeded
            numbers = [next(self._next_id) for _ in range(chunks)]
            document = Document(
                document_id=document_id,
                extraction=extraction,
                pages={page.number: page for page in extraction.pages},
                first_id=numbers[0] if numbers else 0,
                vectors=np.zeros((0, self.card.dim), np.float32),
                postings=lexical.Postings([]),
            )
            self._documents[document_id] = document
            self._count += chunks
            return document

    def _add_batches(self, document: Document, vectors: Vectors, on_batch: Callable[[], None] | None) -> Vectors:
        """Give the engine the vectors; return the copy of what it holds."""
        chunks, ids = document.extraction.chunks, document.ids()
        held = np.empty((len(chunks), self.card.dim), np.float32)
        for start in range(0, len(chunks), ADD_CHUNKS):
            if on_batch is not None:
                on_batch()
            batch = slice(start, start + ADD_CHUNKS)
            with self._writing:
                if document.removed:
                    raise NoSuchThing
                held[batch] = self._engine.add(ids[batch], vectors[batch], [chunk.page for chunk in chunks[batch]])
        return held

    def _searchable(self, document_ids: Sequence[str] | None) -> list[Document]:
        with self._lock:
            return [
                document
                for document_id, document in self._documents.items()
                if document.published and len(document) and (document_ids is None or document_id in document_ids)
            ]

    def _near(self, vector: Vectors, numbers: Sequence[int]) -> list[int]:
        with self._writing:
            return self._engine.nearest(vector, CANDIDATES, numbers)


def _both(on_batch: Callable[[], None] | None, document: Document) -> Callable[[], None]:
    def check() -> None:
        if document.removed:
            raise NoSuchThing
        if on_batch is not None:
            on_batch()

    return check
