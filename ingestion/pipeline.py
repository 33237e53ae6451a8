"""A document's way from sealed bytes to something that can be found.

Owns the order of the steps and when the sealed file goes: as soon as its text is out. Refuses half a document: it is
published when all its chunks are in, or not at all.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeVar

import msgspec
import numpy as np

from ingestion.chunk import passage
from ingestion.jail import ExtractRequest, JailClient, JailStage, Job
from ingestion.quarantine import SealedFile
from models.content import Chunk, Extraction, Page
from models.errors import PartUnavailable, QueueFull, QuotaExceeded
from vectorstore.client import EmbedderClient
from vectorstore.collection import Collection
from vectorstore.embedder import Vectors
from vectorstore.sentences import SentenceVectors, joined, split

EMBED_TEXTS = 32  # Some five chunks' sentences: a call is short, and soon somebody else's turn.
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
        texts = Texts(extraction)
        vectors, sentences = texts.joined(self._embed(incoming, texts, job, report))
        try:
            self._collection.add(incoming.document_id, extraction, vectors, sentences=sentences, on_batch=job.check)
            self._collection.publish(incoming.document_id)
        except BaseException:
            self._collection.remove(incoming.document_id)
            raise
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

    def _embed(self, incoming: Incoming, texts: "Texts", job: Job, report: Report) -> Vectors:
        vectors = np.empty((len(texts.texts), self._embedder.card().dim), np.float32)
        for start in range(0, len(texts.texts), EMBED_TEXTS):
            report(Advance("embedding", texts.pages[start] - 1, texts.page_count, start / len(texts.texts)))
            batch = texts.texts[start : start + EMBED_TEXTS]
            embed = partial(self._embedder.embed_passages, batch, session=incoming.session, job=job)
            vectors[start : start + len(batch)] = _patiently(embed, job)
        return vectors


class Texts:
    """What is embedded of a document: its sentences, chunk by chunk, under each chunk's headings.

    ``pages`` tells the page of each of the ``texts``; ``page_count`` how many there are. The headings stand before a
    chunk's first sentence: before each of them they would cost as much as a sentence does.
    """

    def __init__(self, extraction: Extraction) -> None:
        self.texts: list[str] = []
        self.pages: list[int] = []
        self.page_count = len(extraction.pages)
        self._counts: list[int] = []
        for chunk in extraction.chunks:
            self._take(extraction.pages[chunk.page - 1], chunk)

    def _take(self, page: Page, chunk: Chunk) -> None:
        text = page.text[chunk.start : chunk.end]
        (_, first_end), *others = split(text) or [(0, len(text))]
        first = msgspec.structs.replace(chunk, end=chunk.start + first_end)
        texts = [passage(page, first), *(text[start:end] for start, end in others)]
        self.texts += texts
        self.pages += [chunk.page] * len(texts)
        self._counts.append(len(texts))

    def joined(self, vectors: Vectors) -> tuple[Vectors, SentenceVectors]:
        """Return the vectors of the chunks, ``(n_chunks, dim) float32``, and those of the sentences.

        ``vectors`` is ``(n_texts, dim) float32``, in the order of the texts.
        """
        return joined(self._counts, vectors)


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
