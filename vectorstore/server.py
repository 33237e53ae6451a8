"""The embedder process: one model a machine, behind a fair queue. ``python -m vectorstore.server``, settings on stdin.

It loads the model, then listens; a socket that accepts means that the model answers. It keeps no text and no vector
beyond the call they came in, and writes none of them to its log.
"""

import os
import select
import signal
import sys
import threading
import time
from pathlib import Path

import msgspec

from models.errors import EmbeddingFailed, MayflyError, PartUnavailable
from processes import events, ipc
from processes.hardening import harden, state
from processes.memory import tails, unmask
from vectorstore import messages, models
from vectorstore.container import UnreadableModel
from vectorstore.cross_encoder import CrossEncoderJudge
from vectorstore.embedder import Embedder, PairJudge, Vectors
from vectorstore.endpoint import EndpointConfig
from vectorstore.endpoint_backend import EndpointEmbedder
from vectorstore.lanes import Kind, Ticket
from vectorstore.scheduler import Scheduler


class EmbedderConfig(msgspec.Struct, frozen=True):
    """What the launcher hands over. ``queue_texts`` bounds waiting questions, pairs and passages, each.

    ``cross_encoder`` is the folder of a second stage.
    """

    socket: str
    model: str
    model_dir: str
    backend: models.BackendChoice
    threads: int
    queue_texts: int
    endpoint: EndpointConfig | None = None
    cross_encoder: str | None = None


class EmbedderServer:
    """Answers the messages of ``vectorstore.messages`` from a loaded model."""

    def __init__(self, embedder: Embedder, *, threads: int, queue_texts: int, judge: PairJudge | None = None) -> None:
        self._embedder = embedder
        self._judge = judge
        self._searching = threading.Lock()
        self._identity = embedder.card.identity
        self._scheduler = Scheduler(embedder, threads=threads, queue_texts=queue_texts, judge=judge)

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
        reply = self._reply(connection, request)
        del request  # Before anybody has the answer: who has it may look for the texts at once.
        connection.send(reply)
        return True

    def _reply(self, connection: ipc.Connection, request: messages.EmbedderRequest) -> messages.EmbedderReply:
        try:
            return self._done(connection, request)
        except MayflyError as error:
            return messages.Refused(slug=error.slug, retry_after_seconds=error.retry_after_seconds)

    def _done(  # noqa: PLR0911  # One return for each kind.
        self, connection: ipc.Connection, request: messages.EmbedderRequest
    ) -> messages.EmbedderReply:
        match request:
            case messages.Ping():
                return messages.Pong(hardening=state())
            case messages.Describe():
                return messages.Described(card=self._embedder.card, judge=self._judge.card if self._judge else None)
            case messages.DropSession(session=session):
                return messages.Dropped(texts=self._scheduler.drop(session))
            case messages.SearchMemory():
                return self._search_memory(request)
            case messages.EmbedQuery(session=session, text=text):
                return self._embed(connection, session, "question", (text,))
            case messages.EmbedPassages(session=session, texts=texts):
                return self._embed(connection, session, "passage", texts)
            case messages.RankPairs(session=session, question=question, texts=texts):
                return self._rank(connection, session, question, texts)

    def _search_memory(self, request: messages.SearchMemory) -> messages.MemorySearched:
        with self._searching:  # Two at once would find each other.
            try:
                return messages.MemorySearched(
                    tails=tuple(tails(unmask(request.masked, request.mask), request.tail_bytes))
                )
            except OSError:
                raise PartUnavailable from None

    def _embed(
        self, connection: ipc.Connection, session: str, kind: Kind, texts: tuple[str, ...]
    ) -> messages.Embedded | messages.Refused:
        if not texts:
            return messages.Embedded(model=self._identity, rows=0, dim=self._embedder.card.dim, data=b"")
        vectors = self._waited_for(connection, self._scheduler.submit(session, kind, texts))
        if isinstance(vectors, messages.Refused):
            return vectors
        rows, dim = vectors.shape
        return messages.Embedded(model=self._identity, rows=rows, dim=dim, data=vectors.astype("<f4").tobytes())

    def _rank(
        self, connection: ipc.Connection, session: str, question: str, texts: tuple[str, ...]
    ) -> messages.Ranked | messages.Refused:
        if self._judge is None:
            raise PartUnavailable
        if not texts:
            return messages.Ranked(data=b"")
        scores = self._waited_for(connection, self._scheduler.submit(session, "pair", texts, question=question))
        return scores if isinstance(scores, messages.Refused) else messages.Ranked(data=scores.astype("<f4").tobytes())

    def _waited_for(self, connection: ipc.Connection, ticket: Ticket) -> Vectors | messages.Refused:
        self._wait(connection, ticket)
        error = ticket.future.exception()
        if error is not None:
            # Not raised: its traceback would hold this frame, and the frame the ticket, and so the texts, until a
            # garbage collection that may never come.
            return messages.Refused(slug=getattr(error, "slug", EmbeddingFailed.slug))
        return ticket.future.result()

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
    embedder, judge = _load(config)
    server = EmbedderServer(embedder, threads=config.threads, queue_texts=config.queue_texts, judge=judge)
    listener = ipc.listen(Path(config.socket))
    card = embedder.card
    events.log("embedder_ready", model=card.name, backend=card.backend, seconds=round(time.monotonic() - started, 3))
    ipc.serve(listener, messages.EmbedderRequest, server.handle)


def _load(config: EmbedderConfig) -> tuple[Embedder, PairJudge | None]:
    """Return the embedder and the judge of pairs, warm. Ends the process, its reason in the log, if one is unfit."""
    try:
        embedder = _open(config)
        folder = config.cross_encoder
        judge = None if folder is None else CrossEncoderJudge(Path(folder), threads=config.threads)
    except UnreadableModel as error:
        events.log("embedder_unfit", error=UnreadableModel.__name__, reason=str(error))
        sys.exit(1)
    if config.endpoint is None:
        embedder.embed_query("")  # An endpoint was asked already, and may not take an empty text.
    return embedder, judge


def _open(config: EmbedderConfig) -> Embedder:
    if config.endpoint is not None:
        return EndpointEmbedder(config.endpoint, models.tokenizer_of(config.endpoint, Path(config.model_dir)))
    prepared = models.prepare(config.model, Path(config.model_dir), backend=config.backend)
    return models.load(prepared, threads=config.threads)


if __name__ == "__main__":
    main()
