"""The session process: everything one session holds, in one process, answering on one socket.

Owns the way in: each connection has a thread, each request one answer (``FileData`` has none unless it breaks a limit).
Refuses everything before ``Unlock``. A frame that is not a request closes its connection and no other.
"""

import contextlib
import os
import signal
import socket
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec

from models.errors import InvalidRequest, MayflyError
from processes import events, ipc
from processes.hardening import harden
from sessions import messages as m
from sessions.isolation import leave_network
from sessions.resumable import Writing
from sessions.uploads import Upload
from sessions.workspace import Workspace, WorkspaceConfig

_MAX_FRAME_BYTES = 1024 * 1024


def run(listener: socket.socket, config: WorkspaceConfig, *, host_pid: int, private_network: bool) -> NoReturn:
    """Become the process of one session and answer until killed. Called right after the fork, with one thread.

    Exits at once when the host is gone, or when the network cannot be left although the host saw that it can be.
    """
    try:
        _settle(host_pid, private_network=private_network)
        workspace = Workspace(config)
        ipc.serve(listener, m.SessionRequest, lambda connection: Conversation(workspace, connection).hold())
    except BaseException as error:  # noqa: BLE001  # the process ends here, whatever it is
        events.log_failure("session_failed", error, session_id=config.session_id)
    os._exit(1)


def _settle(host_pid: int, *, private_network: bool) -> None:
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    if private_network and not leave_network():
        raise SystemExit("the network could not be left")
    harden()
    if os.getppid() != host_pid:
        raise SystemExit("the host is gone")
    os.chdir("/")
    events.silence_tracebacks()


class Conversation:
    """One connection: requests in, answers out, and at most one upload at a time."""

    def __init__(self, workspace: Workspace, connection: ipc.Connection) -> None:
        self._workspace = workspace
        self._connection = ipc.Connection(connection.sock, m.SessionRequest, max_frame_bytes=_MAX_FRAME_BYTES)
        self._upload: Upload | None = None
        self._writing: Writing | None = None
        self._key: str | None = None
        self._void = False
        self._answers: dict[type[Any], Callable[[Any], msgspec.Struct | None]] = {
            m.Unlock: self._unlock,
            m.BeginUpload: self._begin_upload,
            m.BeginFile: self._begin_file,
            m.FileData: self._file_data,
            m.EndFile: self._end_file,
            m.CommitUpload: self._commit,
            m.StartResumable: workspace.resumables.start,
            m.ResumeUpload: self._resume,
            m.SuspendUpload: self._suspend,
            m.GetResumable: lambda request: workspace.resumables.state(request.upload_id),
            m.DropResumable: lambda request: workspace.resumables.drop(request.upload_id),
            m.FetchLink: workspace.links.fetch,
            m.ListDocuments: lambda _: m.Documents(documents=workspace.shelf.states()),
            m.GetDocument: lambda request: workspace.shelf.state(request.document_id),
            m.AskTracer: lambda _: m.Tracer(went=workspace.tracing is not None and workspace.tracing.went),
            m.WatchDocument: workspace.watch,
            m.DeleteDocument: lambda request: workspace.delete(request.document_id),
            m.TakeBack: lambda request: workspace.take_back(request.document_ids),
            m.Ask: workspace.ask,
            m.MintGrant: workspace.mint_grant,
            m.Summarise: lambda _: workspace.summarise(),
            m.AppendTurn: lambda request: workspace.turns.append(m.Turn(role=request.role, text=request.text)),
            m.ReadTurns: lambda _: workspace.turns.read(),
            m.ClearTurns: lambda _: workspace.turns.clear(),
            m.Seal: workspace.seal,
            m.Unseal: workspace.unseal,
        }

    def hold(self) -> None:
        """Answer until the other side hangs up or sends what is no request; then abort what was not committed."""
        try:
            while (request := self._connection.receive()) is not None:
                reply = self._answer(request)
                if reply is not None:
                    self._connection.send(reply)
        except (msgspec.MsgspecError, ipc.FrameTooLarge) as error:
            events.log("bad_frame", error=type(error).__name__)
        except ipc.PeerGone:
            pass
        finally:
            self._end_upload()
            self._end_writing()

    def _answer(self, request: Any) -> msgspec.Struct | None:
        if self._void:
            return None  # The upload was refused once; what the client had already sent is drained.
        try:
            if not isinstance(request, m.Unlock):
                self._workspace.require_unlocked()
            return self._answers[type(request)](request)
        except MayflyError as error:
            return self._refuse(error)
        except ipc.PeerGone:
            raise
        except Exception as error:  # noqa: BLE001  # one request may fail, the session may not
            events.log_failure("request_failed", error, request=type(request).__name__)
            return self._refuse(MayflyError())

    def _refuse(self, error: MayflyError) -> m.Refused:
        if self._upload is not None:
            self._end_upload()
            self._void = True
        if self._writing is not None:
            self._end_writing()
            self._void = True
        return m.Refused(slug=error.slug, retry_after_seconds=error.retry_after_seconds)

    def _unlock(self, request: m.Unlock) -> m.Unlocked:
        return m.Unlocked(key_commitment=self._workspace.unlock(request.learner_key, request.languages))

    def _begin_upload(self, request: m.BeginUpload) -> m.Done:
        if self._upload is not None or self._writing is not None:
            raise InvalidRequest
        self._upload = self._workspace.begin_upload(request.idempotency_key)
        self._key = request.idempotency_key
        return m.Done()

    def _begin_file(self, request: m.BeginFile) -> m.Done:
        self._current().begin_file(request.untrusted_filename, request.untrusted_media_type)
        return m.Done()

    def _file_data(self, request: m.FileData) -> None:
        (self._writing or self._current()).data(request.data)

    def _end_file(self, _: m.EndFile) -> m.Done:
        self._current().end_file()
        return m.Done()

    def _commit(self, _: m.CommitUpload) -> m.Accepted:
        accepted = self._workspace.commit(self._current(), self._key)
        self._end_upload()
        return accepted

    def _resume(self, request: m.ResumeUpload) -> m.Resumable:
        if self._upload is not None or self._writing is not None:
            raise InvalidRequest
        self._writing = self._workspace.resumables.resume(request.upload_id, request.offset)
        return self._writing.state()

    def _suspend(self, _: m.SuspendUpload) -> m.Resumable:
        writing, self._writing = self._writing, None
        if writing is None:
            raise InvalidRequest
        return writing.suspend()

    def _end_writing(self) -> None:
        """Let go of a resumable upload whose bytes broke off; one that is complete all the same is queued."""
        writing, self._writing = self._writing, None
        if writing is not None:
            with contextlib.suppress(MayflyError):
                writing.suspend()

    def _current(self) -> Upload:
        if self._upload is None:
            raise InvalidRequest
        return self._upload

    def _end_upload(self) -> None:
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.abort()
            self._workspace.idempotency.release(self._key)


def spawn(listener: socket.socket, config: WorkspaceConfig, *, private_network: bool, close: Callable[[], None]) -> int:
    """Fork the process of a session and return its pid. ``close`` closes, in the child, what it must not inherit."""
    host_pid = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            signal.set_wakeup_fd(-1)
            close()
            _close_descriptors_but(listener.fileno())
            run(listener, config, host_pid=host_pid, private_network=private_network)
        finally:
            os._exit(1)
    return child


def _close_descriptors_but(kept: int) -> None:
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208  # names only
        if int(name) > 2 and int(name) != kept:
            try:
                os.close(int(name))
            except OSError:
                continue  # the descriptor of this very listing
