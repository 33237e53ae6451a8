"""Everything one session holds and can be asked: documents, vectors, texts, grants, the learner's key.

Lives in one process and dies with it. Owns the pipeline thread, which takes documents in the order of upload; a
document is found only once all of it is in. Refuses all but ``unlock`` before the learner's key is there.
"""

import contextlib
import hmac
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ingestion.fetch.addresses import Link
from ingestion.jail import JailClient
from ingestion.pipeline import Advance, Incoming, Pipeline, Stage
from ingestion.quarantine import Quarantine, SealedFile, usage_of
from models.content import Extraction, Rerank
from models.errors import InvalidRequest, MayflyError, NoSuchThing, NotAllowed
from models.ids import new_id
from models.sealing import KEY_BYTES, SealBroken, seal, unseal
from processes import events
from sessions import messages as m
from sessions.documents import Document, Quota, Shelf, Stopwatch
from sessions.grants import Grants
from sessions.limits import SessionLimits
from sessions.links import Links
from sessions.messages import FILENAME_PURPOSE, SOURCE_LINK_PURPOSE
from sessions.resumable import Resumables
from sessions.tracer import Tracers
from sessions.tracing import Tracing, Way
from sessions.turns import RecentTurns
from sessions.uploads import FileMark, Idempotency, Upload
from vectorstore.client import EmbedderClient
from vectorstore.collection import Collection
from vectorstore.rerank import CrossEncoding, Reranker
from vectorstore.retrieve import Question, Retrieval

_MAX_WATCH_SECONDS = 60.0
_LET_GO_SECONDS = 30.0
_MAX_TOP_K = 50
# Where in the progress of a document a stage begins, and how much of it it is.
_SHARES: dict[Stage, tuple[float, float]] = {
    "extracting": (0.0, 0.25),
    "chunking": (0.25, 0.05),
    "embedding": (0.3, 0.7),
}


class WorkspaceConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the host tells a session process."""

    session_id: str
    quarantine_dir: str
    jailer_socket: str
    embedder_socket: str
    limits: SessionLimits
    fetcher_socket: str | None = None
    rerank: Rerank = "none"
    rerank_seconds: float = 2.0
    tracer_secret: bytes = b""


class Workspace:
    """One session's content. Safe to use from several threads."""

    def __init__(self, config: WorkspaceConfig) -> None:
        self.shelf = Shelf()
        self.idempotency = Idempotency()
        self.turns = RecentTurns()
        self.resumables = Resumables(
            begin=lambda: self.begin_upload(None),
            commit=lambda upload: self.commit(upload, None),
            state_of=self.shelf.state,
            limits=config.limits,
        )
        self.links = Links(
            config.fetcher_socket,
            self.shelf,
            self.idempotency,
            begin=lambda: self.begin_upload(None),
            make=self._linked_document,
            give_back=lambda: self._quota.give_back(files=1, size=0),
            failed=self._note_failure,
        )
        self._config = config
        self._limits = config.limits
        self._quota = Quota(config.limits)
        self._grants = Grants()
        self._embedder = EmbedderClient(Path(config.embedder_socket))
        self._jail = JailClient(Path(config.jailer_socket))
        self._quarantine = Quarantine(Path(config.quarantine_dir), config.session_id)
        self.tracing: Tracing | None = None
        self._unlocking = threading.Lock()
        self._key: bytes | None = None
        self._languages: tuple[str, ...] = ()

    # --- the key -----------------------------------------------------------------------------------------------------

    def unlock(self, learner_key: bytes, languages: tuple[str, ...]) -> bytes:
        """Take the learner's key (32 bytes) and start; return the commitment to the data key.

        The same key again does nothing.

        Raises ``NotAllowed`` for another key, ``InvalidRequest`` for no key, ``PartUnavailable`` without an embedder.
        """
        with self._unlocking:
            if self._key is not None:
                if not hmac.compare_digest(self._key, learner_key):
                    raise NotAllowed
                return self._quarantine.key_commitment
            if len(learner_key) != KEY_BYTES:
                raise InvalidRequest
            self._languages = languages
            self._start()
            self._key = bytes(learner_key)
        threading.Thread(target=self._work, name="pipeline", daemon=True).start()
        return self._quarantine.key_commitment

    def require_unlocked(self) -> None:
        """Return when ``unlock`` succeeded. Raises ``NotAllowed`` otherwise."""
        if self._key is None:
            raise NotAllowed

    def _start(self) -> None:
        collection = Collection(self._embedder.card(), max_chunks=self._limits.chunks)
        self._collection = collection
        self._pipeline, self._retrieval = self._way(collection, self.shelf.filename)
        tracers = Tracers.of(self._config.tracer_secret)
        if tracers is not None:
            self.tracing = self._tracing(tracers.text(self._config.session_id), collection)

    def _tracing(self, tracer: str, collection: Collection) -> Tracing:
        return Tracing(
            tracer,
            incoming=self._named(new_id(), f"{tracer}.txt", "text/plain"),
            quarantine=self._quarantine,
            way=lambda filename_of: self._way(collection.beside(), filename_of),
        )

    def _way(self, collection: Collection, filename_of: Callable[[str], str]) -> Way:
        return Way(
            Pipeline(self._jail, self._embedder, collection),
            Retrieval(
                collection,
                self._embedder,
                session=self._config.session_id,
                filename_of=filename_of,
                reranker=self._reranker(),
            ),
        )

    def _reranker(self) -> Reranker | None:
        match self._config.rerank:
            case "cross-encoder":
                seconds = self._config.rerank_seconds
                return CrossEncoding(self._embedder, session=self._config.session_id, max_seconds=seconds)
            case "none":
                return None

    # --- uploads -----------------------------------------------------------------------------------------------------

    def begin_upload(self, idempotency_key: str | None) -> Upload:
        """Start an upload; its caller commits or aborts it, and then releases the key.

        Raises ``IdempotencyConflict`` while the key's first use is under way.
        """
        replay = self.idempotency.begin(idempotency_key)
        return Upload(self._quarantine, self._quota, self._limits, keep=not replay)

    def commit(self, upload: Upload, idempotency_key: str | None) -> m.Accepted:
        """Queue the upload's files, all or none; a replay answers with the documents that were made the first time.

        Raises ``IdempotencyConflict`` when the key was used for other files, ``InvalidRequest`` for no or half a file.
        """
        marks = upload.marks()
        if not upload.keep:
            made = set(self.idempotency.replay(idempotency_key or "", marks))
            states = tuple(state for state in self.shelf.states() if state.document_id in made)
            return m.Accepted(documents=states, replayed=True)
        documents = [self._document(mark, sealed) for mark, sealed in upload.hand_over()]
        accepted = tuple(document.state for document in documents)
        self.shelf.place(documents)
        self.idempotency.finish(idempotency_key, marks, tuple(state.document_id for state in accepted))
        return m.Accepted(documents=accepted)

    def _document(self, mark: FileMark, sealed: SealedFile) -> Document:
        state = m.DocumentState(
            document_id=new_id(),
            filename=mark.filename,
            sealed_filename=seal(self._key or b"", mark.filename.encode(), purpose=FILENAME_PURPOSE),
            media_type=None,
            bytes=mark.size,
            commitment=sealed.commitment,
            nonce=sealed.nonce,
        )
        return Document(state, sealed, mark.untrusted_media_type)

    def _linked_document(self, mark: FileMark, sealed: SealedFile, link: Link) -> Document:
        document = self._document(mark, sealed)
        sealed_link = seal(self._key or b"", link.bare.encode(), purpose=SOURCE_LINK_PURPOSE)
        document.state = msgspec.structs.replace(document.state, sealed_source_link=sealed_link, commitment=None)
        return document

    # --- documents ---------------------------------------------------------------------------------------------------

    def watch(self, request: m.WatchDocument) -> m.DocumentState:
        """Return the document once it has changed, at the latest after a minute. Raises ``NoSuchThing``."""
        timeout_seconds = min(max(0.0, request.timeout_seconds), _MAX_WATCH_SECONDS)
        return self.shelf.watch(request.document_id, request.after_version, timeout_seconds)

    def delete(self, document_id: str) -> m.Deleted:
        """Cancel what runs and remove everything of one document. Raises ``NoSuchThing``."""
        document = self.shelf.withdraw(document_id)
        document.job.cancel()
        removed = self._collection.remove(document_id)
        self.shelf.wait_until_let_go(document, _LET_GO_SECONDS)
        document.sealed.destroy()
        self._quota.give_back(files=1, size=document.state.bytes)
        return m.Deleted(
            document_id=document_id, pages=removed.pages, chunks=removed.chunks, bytes=document.state.bytes
        )

    def take_back(self, document_ids: Sequence[str]) -> m.Done:
        """Delete an upload's documents as if it had never come. Its key goes first: a retry must not find it used."""
        self.idempotency.forget(document_ids)
        for document_id in document_ids:
            with contextlib.suppress(NoSuchThing):  # Its learner removed it meanwhile.
                self.delete(document_id)
        return m.Done()

    def summarise(self) -> m.Held:
        """Return how much is held right now."""
        states = self.shelf.states()
        return m.Held(
            documents=len(states),
            pages=sum(state.pages for state in states),
            chunks=self._collection.count(),
            bytes=sum(state.bytes for state in states),
            quarantined_files=usage_of(self._quarantine.folder)[0],
            turns=len(self.turns.read().turns),
        )

    def seal(self, request: m.Seal) -> m.SealedText:
        """Seal a text for the record under this learner's key."""
        sealed = seal(self._key or b"", request.text.encode(), purpose=request.purpose)
        return m.SealedText(purpose=request.purpose, sealed=sealed)

    def unseal(self, request: m.Unseal) -> m.Unsealed:
        """Open texts of the record that were sealed under this learner's key."""
        return m.Unsealed(texts=tuple(self._unseal(text) for text in request.texts))

    def _unseal(self, text: m.SealedText) -> str | None:
        try:
            return unseal(self._key or b"", text.sealed, purpose=text.purpose).decode()
        except SealBroken:
            return None

    # --- questions ---------------------------------------------------------------------------------------------------

    def mint_grant(self, request: m.MintGrant) -> m.Granted:
        """Make a grant. Raises ``InvalidRequest`` for a life beyond the limit."""
        if not 0 < request.ttl_seconds <= self._limits.max_grant_seconds:
            raise InvalidRequest
        return m.Granted(secret=self._grants.mint(request.ttl_seconds), ttl_seconds=request.ttl_seconds)

    def ask(self, request: m.Ask) -> m.Answered:
        """Answer a question. Raises ``SessionExpired`` for a bad grant and what ``Retrieval.answer`` raises."""
        if request.grant is not None:
            self._grants.check(request.grant)
        if not 1 <= request.top_k <= _MAX_TOP_K or (request.max_tokens is not None and request.max_tokens < 1):
            raise InvalidRequest
        question = Question(
            text=request.text,
            top_k=request.top_k,
            max_tokens=request.max_tokens,
            document_ids=request.document_ids,
            language=request.language,
            doubtful=request.doubtful,
        )
        return m.Answered(answer=self._retrieval.answer(question))

    # --- the pipeline thread -----------------------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            document = self.shelf.take_queued()
            try:
                self._ingest(document)
                self._clear(document)
            except Exception as error:  # noqa: BLE001  # Without this thread no later document would ever end.
                self._note_failure(document, error, Stopwatch(before=document.state.timings))
            finally:
                self.shelf.let_go(document)
            if self.tracing is not None:
                self.tracing.begin()

    def _clear(self, document: Document) -> None:
        """Remove what nobody needs any more. Who deletes a document waits until it is let go, which comes after."""
        document.sealed.destroy()
        if document.withdrawn:
            self._collection.remove(document.document_id)

    def _ingest(self, document: Document) -> None:
        watch = Stopwatch(before=document.state.timings)  # A link was fetched before.

        def report(advance: Advance) -> None:
            status = "embedding" if advance.stage == "embedding" else "extracting"
            progress = max(document.state.progress, overall(advance))
            timings = watch.enter(advance.stage, advance.pages_done, advance.pages_known)
            self.shelf.update(document, status=status, progress=progress, timings=timings)

        try:
            extraction = self._pipeline.ingest(
                self._incoming(document), document.sealed, job=document.job, report=report
            )
        except Exception as error:  # noqa: BLE001  # one document may fail, the session may not
            self._note_failure(document, error, watch)
        else:
            pages = len(extraction.pages)
            watch.enter("embedding", pages, pages)
            facts = facts_of(extraction)
            self.shelf.update(document, status="ready", progress=1.0, timings=watch.enter(None), **facts)

    def _incoming(self, document: Document) -> Incoming:
        name = document.untrusted_filename or document.state.filename
        return self._named(document.document_id, name, document.untrusted_media_type)

    def _named(self, document_id: str, untrusted_filename: str, untrusted_media_type: str | None) -> Incoming:
        return Incoming(
            document_id=document_id,
            session=self._config.session_id,
            untrusted_filename=untrusted_filename,
            untrusted_media_type=untrusted_media_type,
            languages=self._languages,
        )

    def _note_failure(self, document: Document, error: Exception, watch: Stopwatch) -> None:
        if document.withdrawn or document.state.status in {"ready", "failed"}:
            return
        if not isinstance(error, MayflyError):
            events.log_failure("ingest_failed", error, document_id=document.document_id)
            error = MayflyError()
        self.shelf.update(document, status="failed", error=error.slug, timings=watch.enter(None))


def overall(advance: Advance) -> float:
    """Return the progress of the whole document; what is recognised counts with what is extracted."""
    start, share = _SHARES.get(advance.stage, (0.0, 0.0))
    return round(start + share * advance.fraction, 3)


def facts_of(extraction: Extraction) -> dict[str, Any]:
    """Return what the record and the learner may know of a document's text: counts, language, how well it was read."""
    confidences = [page.ocr_confidence for page in extraction.pages if page.ocr_confidence is not None]
    return {
        "media_type": extraction.media_type,
        "pages": len(extraction.pages),
        "chunks": len(extraction.chunks),
        "language": extraction.language,
        "attachments": extraction.attachments,
        "ocr_pages": len(confidences),
        "ocr_confidence": round(sum(confidences) / len(confidences), 1) if confidences else None,
    }
