"""A private ChromaDB engine in memory, and what one session asks of it.

Owns the engine's settings. Chroma gets ids, embeddings and page numbers, never text: its full-text index could not be
emptied, and adding is 2.8 times cheaper without. There is no way to close it: the process that holds it is killed.
"""

from collections.abc import Sequence

import chromadb.api.rust
import chromadb.telemetry.product.posthog
import numpy as np
from chromadb.api import ServerAPI
from chromadb.api.models.Collection import Collection as ChromaCollection
from chromadb.config import Settings, System
from chromadb.telemetry.product import ProductTelemetryClient

from models.errors import EmbeddingFailed
from models.ids import new_id
from vectorstore.embedder import Vectors

ADD_CHUNKS = 50  # Chroma holds the GIL while it adds; 50 chunks stall other threads for about 20 ms.
_DELETE_CHUNKS = 5000  # Chroma's own limit is 5461.
# The engine imports these by name when it starts; a session forked from here shall find them loaded.
_ENGINE_MODULES = (chromadb.api.rust, chromadb.telemetry.product.posthog)
# For 10,000 clustered vectors and questions from elsewhere, recall at 48 is 0.999; with ``ef_search`` 1000 it was 0.989
# to 0.994, with 500 0.964.
_HNSW = {"space": "cosine", "ef_search": 2000, "sync_threshold": ADD_CHUNKS, "batch_size": ADD_CHUNKS}


class Engine:
    """The vectors of one session by number. One thread at a time may write."""

    def __init__(self, api: ServerAPI | None = None) -> None:
        """Start a private engine, or make another collection in one that runs."""
        self._api = api or _private_engine()
        model = self._api.create_collection(new_id(), configuration={"hnsw": _HNSW})  # type: ignore[arg-type]
        self._chroma = ChromaCollection(client=self._api, model=model, embedding_function=None)

    def beside(self) -> "Engine":
        """Return another collection in the same engine; to make one is to write."""
        return Engine(self._api)

    def add(self, numbers: Sequence[int], vectors: Vectors, pages: Sequence[int]) -> Vectors:
        """Hold at most ``ADD_CHUNKS`` vectors; return what is held for these numbers, ``(n, dim) float32``.

        Raises ``EmbeddingFailed`` unless that is what was given.
        """
        ids = [str(number) for number in numbers]
        self._chroma.add(
            ids=ids,
            embeddings=np.ascontiguousarray(vectors, dtype=np.float32),
            metadatas=[{"page": page} for page in pages],
        )
        held = self._chroma.get(ids=ids, include=["embeddings"])
        rows = dict(zip(held["ids"], np.asarray(held["embeddings"], np.float32), strict=True))
        if rows.keys() != set(ids):
            raise EmbeddingFailed
        read = np.stack([rows[name] for name in ids])
        if not np.allclose(read, vectors, atol=1e-6):
            raise EmbeddingFailed
        return read

    def remove(self, numbers: Sequence[int]) -> None:
        """Forget these vectors; unknown numbers are passed over."""
        ids = [str(number) for number in numbers]
        for start in range(0, len(ids), _DELETE_CHUNKS):
            self._chroma.delete(ids=ids[start : start + _DELETE_CHUNKS])

    def nearest(self, vector: Vectors, k: int, numbers: Sequence[int]) -> list[int]:
        """Return the numbers of about the ``k`` nearest of these vectors. ``vector`` is ``(dim,) float32``."""
        # Naming the ids costs 3 ms at 10,000 chunks, ``where`` costs 25.
        everything = self._chroma.count() == len(numbers)
        found = self._chroma.query(
            query_embeddings=[vector],
            n_results=min(k, len(numbers)),
            include=["distances"],
            ids=None if everything else [str(number) for number in numbers],
        )
        return [int(name) for name in found["ids"][0]]


def _private_engine() -> ServerAPI:
    """Start an engine of its own, all in memory; ``EphemeralClient`` would share one per process.

    These imports are half private, so the version of chromadb is pinned. The environment is not consulted for anything
    that is named here.
    """
    system = System(Settings(is_persistent=False, anonymized_telemetry=False, chroma_otel_collection_endpoint=""))
    system.instance(ProductTelemetryClient)
    api = system.instance(ServerAPI)
    system.start()
    return api
