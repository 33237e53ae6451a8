"""Resumable uploads on their way: the core of tus 1.0 with creation, creation-with-upload, expiration and termination.

Owns what tus says in headers and how its requests become calls to the session process, where the bytes lie sealed. An
upload of which a request breaks off stands where its last byte was sealed; HEAD tells where, PATCH goes on from there.
"""

import base64
import re
from contextlib import aclosing, suppress
from datetime import timedelta
from email.utils import format_datetime
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from api import uploads
from api.dependencies import LearnersSession, end_of_lease
from api.intake import arriving, drain
from api.middleware import RESUMABLE_PATH
from api.problems import TUS_VERSION, FieldsInvalid, TooSlow, UnsupportedContentType, UnsupportedTusVersion
from api.resources import Resources
from models.database import now
from models.errors import FileTooLarge, MayflyError, NoSuchThing
from sessions.client import UploadStream
from sessions.messages import Accepted, Resumable, StartResumable

OFFSET_STREAM: Final = "application/offset+octet-stream"
DOCUMENT_HEADER: Final = "Mayfly-Document-Id"
# `key value` with the value in base64, or a key alone; joined by commas.
_BASE64 = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
_PAIR = rf"[!-+\--~]+(?: {_BASE64})?"
METADATA_PATTERN: Final = rf"^{_PAIR}(?:, ?{_PAIR})*$"
_SEPARATOR = re.compile(r", ?")


def check_version(untrusted_version: str | None) -> None:
    """Return when the request speaks our tus. Raises ``UnsupportedTusVersion``."""
    if untrusted_version != TUS_VERSION:
        raise UnsupportedTusVersion


def features(resources: Resources) -> dict[str, str]:
    """Return the headers that tell a client what it can do here."""
    return {
        "Tus-Version": TUS_VERSION,
        "Tus-Extension": "creation,creation-with-upload,expiration,termination",
        "Tus-Max-Size": str(resources.settings.uploads.file_bytes),
    }


async def start(
    request: Request, resources: Resources, session: LearnersSession, *, length: int, untrusted_metadata: str
) -> Resumable:
    """Make an upload and take the bytes that came with the request. One that is not answered leaves nothing.

    Raises ``InvalidRequest``, ``UnsupportedContentType`` for other bytes, ``FileTooLarge``, ``QuotaExceeded``,
    ``QueueFull``, ``NoSpace``, ``TooSlow``, ``SessionExpired``.
    """
    wish = _wish(length, untrusted_metadata)
    if not _says_offset_stream(request):
        await _expect_no_body(request, resources)
    started = await run_in_threadpool(session.client.start_resumable, wish)
    try:
        if _says_offset_stream(request):
            return await receive(request, resources, session, started.upload_id, offset=0)
        await _write_down(resources, session, started)
    except Exception:
        with suppress(MayflyError):
            await run_in_threadpool(drop, resources, session, started.upload_id)
        raise
    return started


async def receive(
    request: Request, resources: Resources, session: LearnersSession, upload_id: str, *, offset: int
) -> Resumable:
    """Take bytes from ``offset`` on and tell how far the upload is; a complete one is a document and written down.

    What arrived before a connection breaks or grows too slow is kept. Raises ``NoSuchThing``, ``OffsetConflict``,
    ``UploadLocked``, ``UnsupportedContentType``, ``FileTooLarge``, ``QuotaExceeded``, ``QueueFull``, ``NoSpace``,
    ``TooSlow``, ``SessionExpired``.
    """
    try:
        if not _says_offset_stream(request):
            raise UnsupportedContentType
        async with uploads.kept_alive(resources, session):
            return await _stream(request, resources, session, upload_id, offset)
    except TooSlow:
        raise
    except MayflyError:
        await drain(request.receive)
        raise


def look(resources: Resources, session: LearnersSession, upload_id: str) -> Resumable:
    """Tell how far an upload is. A document that its last request did not come to write down is written down now.

    Raises ``NoSuchThing``, ``SessionExpired``.
    """
    state = session.client.resumable(upload_id)
    if state.document is not None:
        uploads.record(resources, session, [state.document])
        _require_held(resources, session, state.document.document_id)
    return state


def _require_held(resources: Resources, session: LearnersSession, document_id: str) -> None:
    """Return when a document that was just written down is still there; else take its row out again.

    Who removed it meanwhile may have looked for the row before there was one. Raises ``NoSuchThing``.
    """
    try:
        session.client.document(document_id)
    except NoSuchThing:
        uploads.remove(resources, session, document_id)
        raise


def drop(resources: Resources, session: LearnersSession, upload_id: str) -> None:
    """Destroy an upload, and the document it may have become. Raises ``NoSuchThing``, ``SessionExpired``."""
    state = session.client.resumable(upload_id)
    if state.document is None:
        state = session.client.drop_resumable(upload_id)
    # The upload of a document is known as long as the document: who is interrupted here can ask again.
    if state.document is not None:
        uploads.remove(resources, session, state.document.document_id)


def headers_of(resources: Resources, session: LearnersSession, state: Resumable) -> dict[str, str]:
    """Return what tus tells of an upload: where it stands and when it expires, or which document it became."""
    headers = {"Upload-Offset": str(state.offset)}
    if state.document is not None:
        return headers | {DOCUMENT_HEADER: state.document.document_id}
    expires = end_of_lease(resources, session.session_id)
    if state.seconds_left is not None:
        expires = min(expires, now() + timedelta(seconds=state.seconds_left))
    return headers | {"Upload-Expires": format_datetime(expires, usegmt=True)}


def description_of(state: Resumable) -> dict[str, str]:
    """Return what tus tells besides when it is asked: the length, and the client's own words about the file."""
    metadata = {"Upload-Metadata": state.untrusted_metadata} if state.untrusted_metadata else {}
    return {"Upload-Length": str(state.length)} | metadata


def location_of(state: Resumable) -> dict[str, str]:
    """Return where a new upload goes on."""
    return {"Location": f"{RESUMABLE_PATH}/{state.upload_id}"}


async def _stream(
    request: Request, resources: Resources, session: LearnersSession, upload_id: str, offset: int
) -> Resumable:
    limits = resources.settings.uploads
    body = arriving(request.receive, idle_seconds=limits.idle_seconds, total_seconds=limits.total_seconds)
    async with UploadStream(resources.session_socket(session.session_id)) as upload, aclosing(body):
        before = await upload.resume(upload_id, offset)
        if int(request.headers.get("content-length", "0")) > before.length - before.offset:
            raise FileTooLarge
        replayed = before.document is not None
        try:
            async for untrusted in body:
                await upload.data(untrusted)
        except (ClientDisconnect, TooSlow):
            with suppress(MayflyError):
                await _write_down(resources, session, await upload.suspend(), replayed=replayed)
            raise
        state = await upload.suspend()
        await _write_down(resources, session, state, replayed=replayed)
        return state


async def _write_down(
    resources: Resources, session: LearnersSession, state: Resumable, *, replayed: bool = False
) -> None:
    if state.document is not None:
        accepted = Accepted(documents=(state.document,), replayed=replayed)
        await run_in_threadpool(uploads.write_down, resources, session, accepted)


async def _expect_no_body(request: Request, resources: Resources) -> None:
    limits = resources.settings.uploads
    body = arriving(request.receive, idle_seconds=limits.idle_seconds, total_seconds=limits.idle_seconds)
    async with aclosing(body):
        async for _ in body:
            await drain(request.receive)
            raise UnsupportedContentType


def _says_offset_stream(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == OFFSET_STREAM


def _wish(length: int, untrusted_metadata: str) -> StartResumable:
    """Return what a client wants to upload; of its words about the file only name and type are read."""
    said: dict[str, str] = {}
    for pair in _SEPARATOR.split(untrusted_metadata):
        key, _, value = pair.partition(" ")
        if key in {"filename", "filetype"}:
            if key in said:
                raise FieldsInvalid([("/upload-metadata", "repeated_key")])
            said[key] = _text(value)
    return StartResumable(
        untrusted_filename=said.get("filename", ""),
        untrusted_media_type=said.get("filetype") or None,
        length=length,
        untrusted_metadata=untrusted_metadata,
    )


def _text(untrusted_value: str) -> str:
    try:
        return base64.b64decode(untrusted_value, validate=True).decode()
    except ValueError as error:
        raise FieldsInvalid([("/upload-metadata", "not_base64_of_utf8")]) from error
