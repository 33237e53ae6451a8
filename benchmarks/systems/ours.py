"""Our own service, used as a learner's program uses it."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import psutil

from api.client import Client, Document, LearnerSession, Problem
from api.settings import Settings
from benchmarks.results import OURS
from benchmarks.systems.system import REQUEST_SECONDS, RESULTS, Asker, Caller, folder_bytes
from tests.conftest import new_learner
from tests.support.inspection import launcher
from tests.support.library import Upload
from tests.support.service import Service, prepared
from vectorstore import models

_ROOMY = {
    "MAYFLY_UPLOADS_FILES": "1000",
    "MAYFLY_UPLOADS_SESSION_BYTES": str(1024 * 1024 * 1024),
    "MAYFLY_INGEST_CHUNKS": "100000",
}
_ENVIRONMENT = Path("build/peers/mayfly")
_FILES_A_REQUEST = 20


class Ours:
    """A service with default settings, but for limits that would end a benchmark and cheap passwords."""

    name = OURS

    def __init__(self) -> None:
        self._open = contextlib.ExitStack()
        self._service: Service | None = None

    def start(self) -> None:
        self._service = self._open.enter_context(prepared(_ROOMY))
        self._service.start()

    def stop(self) -> None:
        try:
            self._running.stop()
        finally:
            self._open.close()

    def shelf(self) -> "OurShelf":
        client = self._open.enter_context(Client(self._running.url, timeout_seconds=REQUEST_SECONDS))
        return OurShelf(self._running, new_learner(client, languages=("en", "zh", "ar")))

    def roots(self) -> list[psutil.Process]:
        return [launcher(self._running)]

    def folders(self) -> list[Path]:
        """Return where its files are."""
        return [self._running.folder]

    def installed_bytes(self) -> int | None:
        if not _ENVIRONMENT.exists():
            return None
        return folder_bytes(_ENVIRONMENT) + folder_bytes(models.prepare("packaged", Settings().model_dir).folder)

    def versions(self) -> dict[str, str]:
        return {}  # They are among the facts of the machine.

    @property
    def _running(self) -> Service:
        assert self._service is not None
        return self._service


class OurShelf:
    """One learner's session; ``documents`` are the ids of what was uploaded, in order."""

    def __init__(self, service: Service, session: LearnerSession) -> None:
        self._service = service
        self.session = session
        self.documents = list[str]()

    def upload(self, files: Sequence[Upload]) -> int:
        documents = list[Document]()
        for start in range(0, len(files), _FILES_A_REQUEST):
            documents += self._send(files[start : start + _FILES_A_REQUEST], documents)
        ready = [self.session.wait(document.document_id) for document in documents]
        assert all(document.status == "ready" for document in ready), [document.error for document in ready]
        self.documents += [document.document_id for document in ready]
        return sum(document.chunks or 0 for document in ready)

    def _send(self, files: Sequence[Upload], sent: Sequence[Document]) -> tuple[Document, ...]:
        """Send files in one request; while the machine's queue is full, first wait for those that were sent before."""
        earlier = iter(sent)
        while True:
            try:
                return self.session.upload(*((file.name, file.data, file.media_type) for file in files))
            except Problem as problem:
                if problem.code != "queue_full":
                    raise
                self.session.wait(next(earlier).document_id)

    def caller(self) -> Asker:
        return _OurAsker(Caller(self._service.url, token=self.session.signed_in.token))

    def purge(self) -> None:
        self.session.sign_out()


class _OurAsker:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def ask(self, question: str, *, results: int = RESULTS) -> list[str]:
        # A peer always gives as many as it is asked for; "nothing relevant" would be less work.
        wish = {"text": question, "top_k": results, "doubtful": True}
        answer = self._caller.call("POST", "/v1/sessions/current/queries", wish)
        return [passage["text"] for passage in answer["passages"]]
