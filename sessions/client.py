"""How a front talks to the host and to session processes.

Owns the blocking clients and the asynchronous upload stream; refuses nothing itself. Every failure is raised as the
``MayflyError`` that the other side named; a session process that is gone is ``SessionExpired``, a host that is gone, or
any process that does not answer in time, is ``PartUnavailable``.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from models.content import Answer
from models.errors import MayflyError, PartUnavailable, SessionExpired, from_slug
from processes import ipc
from sessions import messages as m

_Reply = TypeVar("_Reply", bound=msgspec.Struct)
_SEND_BYTES = 256 * 1024
_LENGTH_BYTES = 4
# A session process takes frames of 1 MiB.
_UNSEAL_TEXTS = 500
_UNSEAL_BYTES = 512 * 1024


class HostClient:
    """The front's side of the session host. One connection per call, so it may be shared by threads."""

    def __init__(self, socket: Path, *, timeout_seconds: float = 15.0) -> None:
        self._socket = socket
        self._timeout_seconds = timeout_seconds

    def hello(self) -> m.HostHello:
        """Return the host's identity; a new ``instance`` means every earlier session is gone."""
        return self._call(m.Hello(), m.HostHello)

    def open(self, session_id: str, *, idle_seconds: int, absolute_seconds: int) -> m.Leased:
        """Fork a session process; its socket accepts as soon as this returns.

        Raises ``HostFull`` at capacity, ``InvalidRequest`` when the id lives, has ended, or cannot be a file name.
        """
        request = m.OpenSession(session_id=session_id, idle_seconds=idle_seconds, absolute_seconds=absolute_seconds)
        return self._call(request, m.Leased)

    def renew(self, session_id: str) -> m.Leased:
        """Start the idle time anew. Raises ``SessionExpired`` when the session does not live."""
        return self._call(m.RenewLease(session_id=session_id), m.Leased)

    def kill(self, session_id: str) -> m.Killed:
        """Kill and reap the session process, remove its socket and quarantine, forget how it ended. Idempotent."""
        return self._call(m.KillSession(session_id=session_id), m.Killed)

    def list(self) -> m.LiveSessions:
        """Return the sessions that live and how others ended, until ``kill`` names those."""
        return self._call(m.ListSessions(), m.LiveSessions)

    def _call(self, request: msgspec.Struct, expected: type[_Reply]) -> _Reply:
        try:
            with ipc.connect(self._socket, m.HostReply, timeout_seconds=self._timeout_seconds) as connection:
                return _checked(connection.call(request), expected)
        except ipc.PeerGone as gone:
            raise PartUnavailable(retry_after_seconds=1) from gone


class SessionClient:
    """The front's side of one session process. One connection per call, so it may be shared by threads."""

    def __init__(self, socket_path: Path, *, timeout_seconds: float = 30.0) -> None:
        self._socket_path = socket_path
        self._timeout_seconds = timeout_seconds

    def unlock(self, learner_key: bytes, languages: tuple[str, ...]) -> bytes:
        """Give the session its learner's key and languages; the first call, after which all others are answered.

        Returns the commitment to the session's data key, for the log. Raises ``NotAllowed`` when the session was
        unlocked with another key.
        """
        return self._call(m.Unlock(learner_key=learner_key, languages=languages), m.Unlocked).key_commitment

    def documents(self) -> tuple[m.DocumentState, ...]:
        """Return all documents in the order of upload."""
        return self._call(m.ListDocuments(), m.Documents).documents

    def tracer_went(self) -> bool:
        """Say whether the session's tracer has been everywhere that content goes."""
        return self._call(m.AskTracer(), m.Tracer).went

    def document(self, document_id: str) -> m.DocumentState:
        """Return one document. Raises ``NoSuchThing``."""
        return self._call(m.GetDocument(document_id=document_id), m.DocumentState)

    def watch(self, document_id: str, *, after_version: int, timeout_seconds: float) -> m.DocumentState:
        """Return the document once its version exceeds ``after_version``, or as it is after ``timeout_seconds``.

        Raises ``NoSuchThing`` also when the document is deleted meanwhile.
        """
        request = m.WatchDocument(document_id=document_id, after_version=after_version, timeout_seconds=timeout_seconds)
        return self._call(request, m.DocumentState, extra_seconds=timeout_seconds)

    def delete(self, document_id: str) -> m.Deleted:
        """Cancel and remove one document; nothing of it is held when this returns. Raises ``NoSuchThing``."""
        return self._call(m.DeleteDocument(document_id=document_id), m.Deleted)

    def take_back(self, document_ids: Sequence[str]) -> None:
        """Delete the documents of an upload that could not be written down; its idempotency key is free again."""
        self._call(m.TakeBack(document_ids=tuple(document_ids)), m.Done)

    def start_resumable(self, request: m.StartResumable) -> m.Resumable:
        """Make room for an upload; one of no bytes is complete at once.

        Raises ``FileTooLarge``, ``QuotaExceeded`` (too many files), ``QueueFull``, ``NoSpace``.
        """
        return self._call(request, m.Resumable)

    def resumable(self, upload_id: str) -> m.Resumable:
        """Return how far a resumable upload is. Raises ``NoSuchThing``, also when its document was removed."""
        return self._call(m.GetResumable(upload_id=upload_id), m.Resumable)

    def drop_resumable(self, upload_id: str) -> m.Resumable:
        """Forget a resumable upload and return how far it was; its document, if any, stays. Raises ``NoSuchThing``."""
        return self._call(m.DropResumable(upload_id=upload_id), m.Resumable)

    def fetch_link(self, untrusted_url: str, *, idempotency_key: str | None = None) -> m.Accepted:
        """Start to fetch a link and return its one document.

        Raises ``LinksNotAllowed``, ``LinkRefused``, ``VideoLink``, ``QuotaExceeded``, ``QueueFull``, ``NoSpace``,
        ``IdempotencyConflict``, ``PartUnavailable``.
        """
        return self._call(m.FetchLink(untrusted_url=untrusted_url, idempotency_key=idempotency_key), m.Accepted)

    def ask(self, question: m.Ask) -> Answer:
        """Return the passages for one question.

        Raises ``NothingIndexed`` before a document is ready, ``NoSuchThing`` for an unknown ``document_ids`` entry and
        ``SessionExpired`` for a grant that is unknown or over.
        """
        return self._call(question, m.Answered).answer

    def mint_grant(self, ttl_seconds: int) -> m.Granted:
        """Make a grant that is good for ``ask`` for ``ttl_seconds``."""
        return self._call(m.MintGrant(ttl_seconds=ttl_seconds), m.Granted)

    def summarise(self) -> m.Held:
        """Return how much the session holds right now."""
        return self._call(m.Summarise(), m.Held)

    def append_turn(self, role: m.Role, text: str) -> m.Turns:
        """Hold one more turn of the conversation and return all. Raises ``InvalidRequest`` for one that is too long."""
        return self._call(m.AppendTurn(role=role, text=text), m.Turns)

    def turns(self) -> m.Turns:
        """Return the turns that are held, the oldest first."""
        return self._call(m.ReadTurns(), m.Turns)

    def clear_turns(self) -> m.Turns:
        """Forget all turns."""
        return self._call(m.ClearTurns(), m.Turns)

    def seal(self, text: str, *, purpose: str) -> bytes:
        """Seal a text with the learner's key: the only form in which it may reach the record."""
        return self._call(m.Seal(purpose=purpose, text=text), m.SealedText).sealed

    def unseal(self, texts: Sequence[m.SealedText]) -> tuple[str | None, ...]:
        """Open texts of the record with the learner's key, in order; ``None`` where the seal does not fit."""
        opened = list[str | None]()
        for batch in _batches(texts):
            opened += self._call(m.Unseal(texts=batch), m.Unsealed).texts
        return tuple(opened)

    def _call(self, request: msgspec.Struct, expected: type[_Reply], *, extra_seconds: float = 0.0) -> _Reply:
        timeout_seconds = self._timeout_seconds + extra_seconds
        try:
            with ipc.connect(self._socket_path, m.SessionReply, timeout_seconds=timeout_seconds) as connection:
                return _checked(connection.call(request), expected)
        except ipc.PeerGone as gone:
            raise _explain(gone) from gone


class UploadStream:
    """One upload request on its way into a session process.

    Use it as ``async with UploadStream(path) as upload``; then ``begin``, for every file ``begin_file``, ``data`` …,
    ``end_file``, and at last ``commit``. Leaving the block without ``commit`` aborts: the session keeps nothing.
    After any error the upload is void and only ``abort`` is left to do.
    """

    def __init__(self, socket_path: Path, *, timeout_seconds: float = 30.0) -> None:
        self._socket_path = socket_path
        self._timeout_seconds = timeout_seconds
        self._replies: asyncio.Queue[Any] = asyncio.Queue()
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None

    async def begin(self, idempotency_key: str | None = None) -> None:
        """Open the connection. Raises ``IdempotencyConflict`` while the key is in use, ``SessionExpired``."""
        await self._connect()
        await self._call(m.BeginUpload(idempotency_key=idempotency_key), m.Done)

    async def resume(self, upload_id: str, offset: int) -> m.Resumable:
        """Open the connection for ``data`` of a resumable upload; end with ``suspend``. What was sealed is kept.

        Raises ``NoSuchThing``, ``OffsetConflict``, ``UploadLocked`` while another connection sends, ``SessionExpired``.
        """
        await self._connect()
        return await self._call(m.ResumeUpload(upload_id=upload_id, offset=offset), m.Resumable)

    async def suspend(self) -> m.Resumable:
        """End the bytes of a resumable upload, for now or for good. Raises what ``data`` could not raise in time."""
        state = await self._call(m.SuspendUpload(), m.Resumable)
        await self.abort()
        return state

    async def begin_file(self, untrusted_filename: str, untrusted_media_type: str | None = None) -> None:
        """Start a file. Raises ``QuotaExceeded`` (too many files), ``QueueFull``, ``NoSpace``."""
        request = m.BeginFile(untrusted_filename=untrusted_filename, untrusted_media_type=untrusted_media_type)
        await self._call(request, m.Done)

    async def data(self, data: bytes) -> None:
        """Send bytes of the current file; waits while the session process is behind.

        Raises ``FileTooLarge``, ``QuotaExceeded``, ``QueueFull`` or ``NoSpace`` soon after the byte that broke a limit.
        """
        for start in range(0, len(data), _SEND_BYTES):
            if not self._replies.empty():
                await self._answer(m.Done)
            await self._send(m.FileData(data=data[start : start + _SEND_BYTES]))

    async def end_file(self) -> None:
        """End the current file. Raises what ``data`` could not raise in time."""
        await self._call(m.EndFile(), m.Done)

    async def commit(self) -> m.Accepted:
        """Queue all files, all or none. Raises ``IdempotencyConflict`` when the key was used for other files."""
        accepted = await self._call(m.CommitUpload(), m.Accepted)
        await self.abort()
        return accepted

    async def abort(self) -> None:
        """Hang up. What was not committed is destroyed by the session process. A second call does nothing."""
        listening, self._listening = self._listening, None
        writer, self._writer = self._writer, None
        if listening is not None:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
        if writer is not None:
            writer.transport.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.abort()

    async def _connect(self) -> None:
        try:
            reader, self._writer = await asyncio.open_unix_connection(str(self._socket_path))
        except OSError as error:
            raise SessionExpired from error
        self._listening = asyncio.create_task(self._listen(reader))

    async def _call(self, request: msgspec.Struct, expected: type[_Reply]) -> _Reply:
        await self._send(request)
        return await self._answer(expected)

    async def _send(self, request: msgspec.Struct) -> None:
        if self._writer is None:
            raise SessionExpired
        body = msgspec.msgpack.encode(request)
        try:
            self._writer.write(len(body).to_bytes(_LENGTH_BYTES, "big") + body)
            async with asyncio.timeout(self._timeout_seconds):
                await self._writer.drain()
        except TimeoutError as error:
            raise PartUnavailable from error
        except OSError as error:
            raise SessionExpired from error

    async def _answer(self, expected: type[_Reply]) -> _Reply:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                reply = await self._replies.get()
        except TimeoutError as error:
            raise PartUnavailable from error
        if reply is None:
            self._replies.put_nowait(None)
            raise SessionExpired
        return _checked(reply, expected)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        decoder = msgspec.msgpack.Decoder(m.SessionReply)
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "big")
                self._replies.put_nowait(decoder.decode(await reader.readexactly(length)))
        except (OSError, EOFError, msgspec.DecodeError):
            self._replies.put_nowait(None)


def _batches(texts: Sequence[m.SealedText]) -> Iterator[tuple[m.SealedText, ...]]:
    """Cut texts into runs that fit a frame; one text alone always does."""
    batch, size = list[m.SealedText](), 0
    for text in texts:
        if batch and (len(batch) == _UNSEAL_TEXTS or size + len(text.sealed) > _UNSEAL_BYTES):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(text)
        size += len(text.sealed)
    if batch:
        yield tuple(batch)


def _checked(reply: Any, expected: type[_Reply]) -> _Reply:
    if isinstance(reply, m.Refused):
        raise from_slug(reply.slug, retry_after_seconds=reply.retry_after_seconds)
    if not isinstance(reply, expected):
        raise MayflyError
    return reply


def _explain(gone: ipc.PeerGone) -> MayflyError:
    return PartUnavailable() if isinstance(gone.__cause__, TimeoutError) else SessionExpired()
