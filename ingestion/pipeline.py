"""A document's way from sealed bytes to something that can be found.

Owns the order of the steps and when the sealed file goes: as soon as its text is out. Refuses half a document: it is
published when all its chunks are in, or not at all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeVar

import numpy as np

from ingestion.chunk import passage
from ingestion.jail import ExtractRequest, JailClient, JailStage, Job
from ingestion.quarantine import SealedFile
from models.content import Extraction
from models.errors import PartUnavailable, QueueFull, QuotaExceeded
from vectorstore.client import EmbedderClient
from vectorstore.collection import Collection
from vectorstore.embedder import Vectors

EMBED_CHUNKS = 16
# A part that died is started anew by the launcher within seconds; a document waits for it this long in all.
_PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)

Stage = JailStage | Literal["embedding"]
Report = Callable[["Advance"], None]
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Advance:
    """How far a stage is: pages through it, pages known (0 at first), and the share of its work, 0 to 1."""

    stage: Stage
    pages_done: int
    pages_known: int
    fraction: float


@dataclass(frozen=True, slots=True)
class Incoming:
    """One upload as it was announced. ``languages`` are the learner's, ISO 639-1, best first."""

    document_id: str
    session: str
    untrusted_filename: str = field(repr=False)
    untrusted_media_type: str | None = field(default=None, repr=False)
    languages: tuple[str, ...] = ()


class Pipeline:
    """Takes documents in, one after the other, for one session."""

    def __init__(self, jail: JailClient, embedder: EmbedderClient, collection: Collection) -> None:
        self._jail = jail
        self._embedder = embedder
        self._collection = collection

    def ingest(self, incoming: Incoming, sealed: SealedFile, *, job: Job, report: Report) -> Extraction:
        """Read a sealed upload, embed it, and publish it; return its text. The sealed file is gone afterwards.

        Raises ``Cancelled`` and any ``MayflyError`` of the jail, the embedder and the collection; then nothing of the
        document is kept.
        """
        try:
            extraction = self._extract(incoming, sealed, job, report)
        finally:
            sealed.destroy()
        if len(extraction.chunks) > self._collection.room():
            raise QuotaExceeded  # The collection would say so too, after minutes of embedding.
        vectors = self._embed(incoming, extraction, job, report)
        self._collection.add(incoming.document_id, extraction, vectors, on_batch=job.check)
        self._collection.publish(incoming.document_id)
        return extraction

    def _extract(self, incoming: Incoming, sealed: SealedFile, job: Job, report: Report) -> Extraction:
        request = ExtractRequest(
            session=incoming.session,
            size=sealed.plain_bytes,
            untrusted_filename=incoming.untrusted_filename,
            untrusted_media_type=incoming.untrusted_media_type,
            languages=incoming.languages,
        )

        def on_progress(stage: JailStage, done: int, known: int) -> None:
            report(Advance(stage, done, known, done / max(1, known)))

        on_progress("extracting", 0, 0)
        return _patiently(
            lambda: self._jail.extract(sealed.read(), request, on_progress=on_progress, job=job),
            job,
        )

    def _embed(self, incoming: Incoming, extraction: Extraction, job: Job, report: Report) -> Vectors:
        texts = passages(extraction)
        parts: list[Vectors] = [np.empty((0, self._embedder.card().dim), np.float32)]
        for start in range(0, len(texts), EMBED_CHUNKS):
            pages_done = extraction.chunks[start].page - 1
            report(Advance("embedding", pages_done, len(extraction.pages), start / len(texts)))
            batch = texts[start : start + EMBED_CHUNKS]
            embed = partial(self._embedder.embed_passages, batch, session=incoming.session, job=job)
            parts.append(_patiently(embed, job))
        return np.concatenate(parts)


def passages(extraction: Extraction) -> Sequence[str]:
    """Return what is embedded for each chunk, in order."""
    return [passage(extraction.pages[chunk.page - 1], chunk) for chunk in extraction.chunks]


def _patiently(call: Callable[[], _Result], job: Job) -> _Result:
    """Return what the call returns, trying again while the part it needs is restarting or full."""
    for pause_seconds in _PAUSES_SECONDS:
        job.check()
        try:
            return call()
        except (PartUnavailable, QueueFull):
            job.pause(pause_seconds)
    try:
        return call()
    except PartUnavailable:
        job.check()  # A cancelled wait ends like a part that went away.
        raise
