"""Sending a session's tracer wherever content goes: sealed file, jail, chunks, embedder's queue, Chroma, a question.

Owns one hidden document in the session's own process. It goes through the same code as a learner's document, at the
session's own places in the jailer's and the embedder's queues, and then lies in a collection of its own beside his, in
the same ChromaDB engine, until the process is killed: so no question of his finds it and no count knows of it.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from ingestion.jail import Job
from ingestion.pipeline import Incoming, Pipeline
from ingestion.quarantine import Quarantine
from processes import events
from vectorstore.retrieve import Question, Retrieval


class Way(NamedTuple):
    """How a document comes in, and how it is found."""

    pipeline: Pipeline
    retrieval: Retrieval


class Tracing:
    """One session's tracer on its way. ``way`` makes its way in the tracer's thread, given what the document is called.

    It goes once a document of the learner's is through: nobody waits for it then.
    """

    def __init__(
        self, tracer: str, *, incoming: Incoming, quarantine: Quarantine, way: Callable[[Callable[[str], str]], Way]
    ) -> None:
        self._tracer = tracer
        self._incoming = incoming
        self._quarantine = quarantine
        self._way = way
        self._turn = threading.Lock()
        self._went = threading.Event()

    @property
    def went(self) -> bool:
        """Whether the tracer has been everywhere, and a question has found it."""
        return self._went.is_set()

    def begin(self) -> None:
        """Send the tracer, in a thread of its own, unless it went or is on its way. One that failed is sent again."""
        if not self.went and self._turn.acquire(blocking=False):
            threading.Thread(target=self._go, name="tracer", daemon=True).start()

    def _go(self) -> None:
        try:
            if self._send():
                self._went.set()
        except Exception as error:  # noqa: BLE001  # Nobody asked for it; the receipt will not say that it went.
            events.log_failure("tracer_failed", error, session_id=self._incoming.session)
        finally:
            self._turn.release()

    def _send(self) -> bool:
        """Let the tracer come in as a document and be asked for; say whether it was found."""
        sealed = self._quarantine.create(hidden=True)
        try:
            sealed.write(f"{self._tracer}\n".encode())
            sealed.close()
            way = self._way(lambda _: self._incoming.untrusted_filename)
            way.pipeline.ingest(self._incoming, sealed, job=Job(), report=lambda _: None)
        finally:
            with suppress(OSError):
                sealed.destroy()
        answer = way.retrieval.answer(Question(text=self._tracer, top_k=1, doubtful=True))
        return any(self._tracer in passage.text for passage in answer.passages)
