"""The embedder process: one model a machine, behind a fair queue. ``python -m vectorstore.server``, settings on stdin.

It loads the model, then listens; a socket that accepts means that the model answers. It keeps no text and no vector
beyond the call they came in, and writes none of them to its log.
"""

import os
import select
import signal
import sys
import time
from pathlib import Path

import msgspec

from models.errors import EmbeddingFailed, MayflyError
from processes import events, ipc
from processes.hardening import harden, state
from vectorstore import messages, models
from vectorstore.container import UnreadableModel
from vectorstore.embedder import Embedder
from vectorstore.endpoint import EndpointConfig
from vectorstore.endpoint_backend import EndpointEmbedder
from vectorstore.scheduler import Kind, Scheduler, Ticket


class EmbedderConfig(msgspec.Struct, frozen=True):
    """What the launcher hands over. ``queue_texts`` bounds waiting questions, and waiting passages, each."""

    socket: str
    model: str
    model_dir: str
    backend: models.BackendChoice
    threads: int
    queue_texts: int
    endpoint: EndpointConfig | None = None


class EmbedderServer:
    """Answers the messages of ``vectorstore.messages`` from a loaded model."""

    def __init__(self, embedder: Embedder, *, threads: int, queue_texts: int) -> None:
        self._embedder = embedder
        self._identity = embedder.card.identity
        self._scheduler = Scheduler(embedder, threads=threads, queue_texts=queue_texts)

    def handle(self, connection: ipc.Connection) -> None:
        """Answer one connection until the other side closes it or breaks the protocol."""
        while self._answer_one(connection):
            pass

    def _answer_one(self, connection: ipc.Connection) -> bool:
        """Read and answer one message; say whether to go on. A function of its own, so that no text outlives it."""
        try:
            request = connection.receive()
        except (msgspec.DecodeError, ipc.FrameTooLarge):
            return False
        if request is None:
            return False
        connection.send(self._reply(connection, request))
        return True

    def _reply(self, connection: ipc.Connection, request: messages.EmbedderRequest) -> messages.EmbedderReply:
        try:
            match request:
                case messages.Ping():
                    return messages.Pong(hardening=state())
                case messages.Describe():
                    return messages.Described(card=self._embedder.card)
                case messages.DropSession(session=session):
                    return messages.Dropped(texts=self._scheduler.drop(session))
                case messages.EmbedQuery(session=session, text=text):
                    return self._embed(connection, session, "question", (text,))
                case messages.EmbedPassages(session=session, texts=texts):
                    return self._embed(connection, session, "passage", texts)
        except MayflyError as error:
            return messages.Refused(slug=error.slug, retry_after_seconds=error.retry_after_seconds)

    def _embed(
        self, connection: ipc.Connection, session: str, kind: Kind, texts: tuple[str, ...]
    ) -> messages.Embedded | messages.Refused:
        if not texts:
            return messages.Embedded(model=self._identity, rows=0, dim=self._embedder.card.dim, data=b"")
        ticket = self._scheduler.submit(session, kind, texts)
        self._wait(connection, ticket)
        error = ticket.future.exception()
        if error is not None:
            # Not raised: its traceback would hold this frame, and the frame the ticket, and so the texts, until a
            # garbage collection that may never come.
            return messages.Refused(slug=getattr(error, "slug", EmbeddingFailed.slug))
        vectors = ticket.future.result()
        rows, dim = vectors.shape
        return messages.Embedded(model=self._identity, rows=rows, dim=dim, data=vectors.astype("<f4").tobytes())

    def _wait(self, connection: ipc.Connection, ticket: Ticket) -> None:
        """Wait until the ticket is settled. Raises ``PeerGone`` when the caller hangs up first; its texts are dropped.

        A caller that says something before it has its answer is treated like one that hung up.
        """
        done = os.eventfd(0)
        try:
            ticket.future.add_done_callback(lambda _: os.eventfd_write(done, 1))
            poll = select.poll()
            poll.register(done, select.POLLIN)
            poll.register(connection.sock, select.POLLIN | select.POLLRDHUP)
            ready = {descriptor for descriptor, _ in poll.poll()}
            if done not in ready:
                self._scheduler.cancel(ticket)
            os.eventfd_read(done)  # The callback has run, so nothing writes to a closed descriptor later.
        finally:
            os.close(done)
        if connection.sock.fileno() in ready:
            raise ipc.PeerGone


def main() -> None:
    """Run the embedder until it is terminated."""
    harden()
    events.silence_tracebacks()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    config = msgspec.json.decode(sys.stdin.buffer.read(), type=EmbedderConfig)
    started = time.monotonic()
    embedder = _load(config)
    server = EmbedderServer(embedder, threads=config.threads, queue_texts=config.queue_texts)
    listener = ipc.listen(Path(config.socket))
    card = embedder.card
    events.log("embedder_ready", model=card.name, backend=card.backend, seconds=round(time.monotonic() - started, 3))
    ipc.serve(listener, messages.EmbedderRequest, server.handle)


def _load(config: EmbedderConfig) -> Embedder:
    """Return the embedder, warm. Ends the process with the reason in its log when the model cannot be used."""
    try:
        embedder = _open(config)
    except UnreadableModel as error:
        events.log("embedder_unfit", error=UnreadableModel.__name__, reason=str(error))
        sys.exit(1)
    if config.endpoint is None:
        embedder.embed_query("")  # An endpoint was asked already, and may not take an empty text.
    return embedder


def _open(config: EmbedderConfig) -> Embedder:
    if config.endpoint is not None:
        return EndpointEmbedder(config.endpoint, models.tokenizer_of(config.endpoint, Path(config.model_dir)))
    prepared = models.prepare(config.model, Path(config.model_dir), backend=config.backend)
    return models.load(prepared, threads=config.threads)


if __name__ == "__main__":
    main()
