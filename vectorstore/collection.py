"""One session's vectors in a private ChromaDB engine, and beside them the texts they were made of.

Owns the engine's settings. Chroma gets ids, embeddings and page numbers, never text: its full-text index could not be
emptied, and adding is 2.8 times cheaper without. There is no way to close a collection: the process that holds it is
killed. Refuses a document of which a part is missing: vectors and chunks come together or not at all.
"""

import itertools
import threading
from collections.abc import Callable, Sequence

import chromadb.api.rust
import chromadb.telemetry.product.posthog
import msgspec
import numpy as np
from chromadb.api import ServerAPI
from chromadb.api.models.Collection import Collection as ChromaCollection
from chromadb.config import Settings, System
from chromadb.telemetry.product import ProductTelemetryClient

from models.content import Extraction, Page
from models.errors import EmbeddingFailed, NoSuchThing, QuotaExceeded
from vectorstore.embedder import ModelCard, Vectors
from vectorstore.pack import estimate_tokens

ADD_CHUNKS = 50  # Chroma holds the GIL while it adds; 50 chunks stall other threads for about 20 ms.
_DELETE_CHUNKS = 5000  # Chroma's own limit is 5461.
# The engine imports these by name when it starts; a session forked from here shall find them loaded.
_ENGINE_MODULES = (chromadb.api.rust, chromadb.telemetry.product.posthog)
# For 10,000 clustered vectors and questions from elsewhere, recall at 48 is 0.999; with ``ef_search`` 1000 it was 0.989
# to 0.994, with 500 0.964. The last step costs about 3 ms there and nothing at 1,000.
_HNSW = {"space": "cosine", "ef_search": 2000, "sync_threshold": ADD_CHUNKS, "batch_size": ADD_CHUNKS}


class Hit(msgspec.Struct, frozen=True):
    """A chunk that was found: ``text`` is ``[start:end]`` of the page, ``cosine`` its likeness to the question."""

    document_id: str
    page: int
    start: int
    end: int
    text: str
    cosine: float
    tokens: int
    heading: tuple[str, ...] = ()
    ocr_confidence: float | None = None
    language: str | None = None
    page_label: str | None = None
    seconds: tuple[float, float] | None = None

    def __repr__(self) -> str:
        return "<Hit>"


class Removed(msgspec.Struct, frozen=True):
    """How much of a document was held."""

    pages: int
    chunks: int


class _Document(msgspec.Struct):
    """The texts of one document; chunk ``i`` has the Chroma id ``first_id + i``."""

    extraction: Extraction
    pages: dict[int, Page]
    first_id: int
    published: bool = False
    removed: bool = False

    def __repr__(self) -> str:
        return "<_Document>"

    def ids(self) -> range:
        return range(self.first_id, self.first_id + len(self.extraction.chunks))


class Collection:
    """Everything of one session that can be searched. Safe to use from several threads.

    ``max_chunks`` bounds the chunks of all documents together.
    """

    def __init__(self, card: ModelCard, *, max_chunks: int = 10_000) -> None:
        self.card = card
        self.max_chunks = max_chunks
        self._chroma = _private_engine()
        self._documents: dict[str, _Document] = {}
        self._owners: dict[int, str] = {}
        self._next_id = itertools.count()
        self._lock = threading.Lock()  # guards the two dictionaries; never held during a search
        self._writing = threading.Lock()  # one writer at a time, so that a count can be checked

    def add(
        self,
        document_id: str,
        extraction: Extraction,
        vectors: Vectors,
        *,
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
            self._add_batches(document, vectors, on_batch)
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
            for number in document.ids():
                self._owners.pop(number, None)
        ids = [str(number) for number in document.ids()]
        with self._writing:
            for start in range(0, len(ids), _DELETE_CHUNKS):
                self._chroma.delete(ids=ids[start : start + _DELETE_CHUNKS])
        return Removed(pages=len(document.pages), chunks=len(ids))

    def search(
        self,
        vector: Vectors,
        k: int,
        document_ids: Sequence[str] | None = None,
        language: str | None = None,
    ) -> list[Hit]:
        """Return the ``k`` nearest chunks of published documents, nearest first, at most all of them.

        ``vector`` is ``(dim,) float32``. ``document_ids`` and ``language`` (ISO 639-1) leave other documents out.
        """
        wanted = self._searchable(document_ids, language)
        count = sum(len(document.extraction.chunks) for document in wanted)
        if count == 0 or k < 1:
            return []
        found = self._chroma.query(
            query_embeddings=[vector],
            n_results=min(k, count),
            include=["distances"],
            ids=self._id_filter(wanted, count),
        )
        distances = found["distances"] or [[]]
        pairs = zip(found["ids"][0], distances[0], strict=True)
        hits = [self._hit(int(number), 1.0 - distance) for number, distance in pairs]
        return [hit for hit in hits if hit is not None]

    def has_ready(self, document_ids: Sequence[str] | None = None) -> bool:
        """Say whether any document, or any of those named, can be found."""
        return bool(self._searchable(document_ids, None))

    def count(self) -> int:
        """Return how many chunks are held, published or not."""
        with self._lock:
            return len(self._owners)

    def room(self) -> int:
        """Return how many more chunks may be added."""
        return max(0, self.max_chunks - self.count())

    def _admit(self, document_id: str, extraction: Extraction) -> _Document:
        """Take the document's ids, or raise ``QuotaExceeded``."""
        chunks = len(extraction.chunks)
        with self._lock:
            if len(self._owners) + chunks > self.max_chunks:
                raise QuotaExceeded
            numbers = [next(self._next_id) for _ in range(chunks)]
            pages = {page.number: page for page in extraction.pages}
            document = _Document(extraction=extraction, pages=pages, first_id=numbers[0] if numbers else 0)
            self._documents[document_id] = document
            self._owners.update(dict.fromkeys(numbers, document_id))
            return document

    def _add_batches(self, document: _Document, vectors: Vectors, on_batch: Callable[[], None] | None) -> None:
        chunks, ids = document.extraction.chunks, list(document.ids())
        for start in range(0, len(chunks), ADD_CHUNKS):
            if on_batch is not None:
                on_batch()
            batch = slice(start, start + ADD_CHUNKS)
            with self._writing:
                if document.removed:
                    raise NoSuchThing
                before = self._chroma.count()
                self._chroma.add(
                    ids=[str(number) for number in ids[batch]],
                    embeddings=np.ascontiguousarray(vectors[batch], dtype=np.float32),
                    metadatas=[{"page": chunk.page} for chunk in chunks[batch]],
                )
                if self._chroma.count() != before + len(ids[batch]):
                    raise EmbeddingFailed

    def _searchable(self, document_ids: Sequence[str] | None, language: str | None) -> list[_Document]:
        with self._lock:
            return [
                document
                for document_id, document in self._documents.items()
                if document.published
                and (document_ids is None or document_id in document_ids)
                and (language is None or document.extraction.language == language)
            ]

    def _id_filter(self, wanted: list[_Document], count: int) -> list[str] | None:
        """Name the ids to search, or ``None`` for all: naming them costs 3 ms at 10,000 chunks, ``where`` costs 25."""
        with self._writing:
            everything = self._chroma.count() == count
        return None if everything else [str(number) for document in wanted for number in document.ids()]

    def _hit(self, number: int, cosine: float) -> Hit | None:
        with self._lock:
            owner = self._owners.get(number)
            document = self._documents.get(owner) if owner is not None else None
        if owner is None or document is None or not document.published:
            return None  # removed since the search began
        chunk = document.extraction.chunks[number - document.first_id]
        page = document.pages[chunk.page]
        text = page.text[chunk.start : chunk.end]
        return Hit(
            document_id=owner,
            page=chunk.page,
            start=chunk.start,
            end=chunk.end,
            text=text,
            cosine=cosine,
            tokens=estimate_tokens(text),
            heading=chunk.heading,
            ocr_confidence=page.ocr_confidence,
            language=document.extraction.language,
            page_label=page.label,
            seconds=chunk.seconds,
        )


def _private_engine() -> ChromaCollection:
    """Start an engine of its own, all in memory; ``EphemeralClient`` would share one per process.

    These imports are half private, so the version of chromadb is pinned. The environment is not consulted for anything
    that is named here.
    """
    system = System(Settings(is_persistent=False, anonymized_telemetry=False, chroma_otel_collection_endpoint=""))
    system.instance(ProductTelemetryClient)
    api = system.instance(ServerAPI)
    system.start()
    model = api.create_collection("session", configuration={"hnsw": _HNSW})  # type: ignore[arg-type]
    return ChromaCollection(client=api, model=model, embedding_function=None)
