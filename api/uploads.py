"""An upload on its way: from the client's bytes to sealed files in the session process, nothing kept in between."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from api.dependencies import LearnersSession, renew
from api.intake import arriving, drain
from api.multipart import FileBytes, FileStart, FormReader, Part, boundary_of
from api.problems import TooSlow
from api.resources import Resources
from api.schemas import documents as wire
from models.documents import service as document_record
from models.errors import FileTooLarge, MayflyError, NoSuchThing
from sessions.client import UploadStream
from sessions.facts import facts_of
from sessions.messages import Accepted, DocumentState

# Boundaries, part headers and the like, on top of what a session may hold.
_ENVELOPE_BYTES = 1024 * 1024


async def receive(
    request: Request, resources: Resources, session: LearnersSession, idempotency_key: str | None
) -> wire.Documents:
    """Take an upload request, all of it or nothing, and return its documents, queued and written down.

    Raises ``MalformedBody``, ``InvalidRequest``, ``TooSlow``, ``FileTooLarge``, ``QuotaExceeded``, ``QueueFull``,
    ``NoSpace``, ``IdempotencyConflict``, ``SessionExpired``; the session then holds nothing of it.
    """
    try:
        async with kept_alive(resources, session):
            accepted = await _stream(request, resources, session, idempotency_key)
    except TooSlow:
        raise
    except MayflyError:
        await drain(request.receive)
        raise
    await run_in_threadpool(write_down, resources, session, accepted)
    return wire.Documents(documents=[wire.Document.of(state) for state in accepted.documents])


def remove(resources: Resources, session: LearnersSession, document_id: str) -> wire.Removed:
    """Remove one document from the session, then from the record. Raises ``NoSuchThing``."""
    try:
        deleted = session.client.delete(document_id)
    except NoSuchThing:
        # An earlier request may have removed it and then not reached the record.
        _forget(resources, session, document_id)
        raise
    _forget(resources, session, document_id)
    return wire.Removed.of(deleted)


def _forget(resources: Resources, session: LearnersSession, document_id: str) -> None:
    with resources.database.transaction() as db:
        document_record.remove(db, document_id, session_id=session.session_id)


@asynccontextmanager
async def kept_alive(resources: Resources, session: LearnersSession) -> AsyncGenerator[None]:
    """Renew the lease while bytes arrive: a long upload is use, from its first byte to its last."""

    async def keep() -> None:
        with suppress(MayflyError):  # The session is over, which the upload itself finds out.
            while True:
                await asyncio.sleep(session.info.idle_seconds / 3)
                await run_in_threadpool(renew, resources, session.session_id)

    keeping = asyncio.create_task(keep())
    try:
        yield
    finally:
        keeping.cancel()


async def _stream(
    request: Request, resources: Resources, session: LearnersSession, idempotency_key: str | None
) -> Accepted:
    limits = resources.settings.uploads
    form = FormReader(boundary_of(request.headers.get("content-type")))
    left = limits.session_bytes + _ENVELOPE_BYTES
    body = arriving(request.receive, idle_seconds=limits.idle_seconds, total_seconds=limits.total_seconds)
    async with UploadStream(resources.session_socket(session.session_id)) as upload, aclosing(body):
        await upload.begin(idempotency_key)
        sender = _Sender(upload, max_file_bytes=limits.file_bytes)
        async for untrusted in body:
            left -= len(untrusted)
            if left < 0:
                raise FileTooLarge
            for part in form.feed(untrusted):
                await sender.send(part)
        form.finish()
        return await upload.commit()


class _Sender:
    """Passes parts on and refuses a file at the byte that makes it too large."""

    def __init__(self, upload: UploadStream, *, max_file_bytes: int) -> None:
        self._upload = upload
        self._max_file_bytes = max_file_bytes
        self._file_bytes = 0

    async def send(self, part: Part) -> None:
        if isinstance(part, FileStart):
            self._file_bytes = 0
            await self._upload.begin_file(part.untrusted_filename, part.untrusted_media_type)
        elif isinstance(part, FileBytes):
            self._file_bytes += len(part.untrusted)
            if self._file_bytes > self._max_file_bytes:
                raise FileTooLarge
            await self._upload.data(part.untrusted)
        else:
            await self._upload.end_file()


def write_down(resources: Resources, session: LearnersSession, accepted: Accepted) -> None:
    """Write the documents into the record; when that fails they are taken back, so that nothing is held unrecorded.

    A replay writes what its first request did not come to write, and takes nothing back: the documents are not its own.
    """
    try:
        renew(resources, session.session_id)
        record(resources, session, accepted.documents)
    except Exception:
        if not accepted.replayed:
            with suppress(MayflyError):  # The session is over, and its documents with it.
                session.client.take_back([state.document_id for state in accepted.documents])
        raise


def record(resources: Resources, session: LearnersSession, documents: Sequence[DocumentState]) -> None:
    """Write documents of the session into the record that have no row there yet. Raises ``SessionExpired``."""
    facts = [facts_of(state) for state in documents]
    with resources.database.transaction() as db:
        written = document_record.insert(db, facts, user_id=session.user_id, session_id=session.session_id)
    resources.metrics.documents.inc(len(written))
    resources.metrics.upload_bytes.inc(sum(fact.size_bytes for fact in written))
