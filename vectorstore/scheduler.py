"""Who is next: questions before passages, and sessions in turn.

A question waits for at most the texts that are in work when it comes, never for somebody's book. Within questions and
within passages every session that waits gives one text a round. Texts are let go of as soon as they are embedded.
"""

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Literal

import numpy as np

from models.errors import EmbeddingFailed, MayflyError, PartUnavailable, QueueFull, SessionExpired
from vectorstore.embedder import Embedder, Vectors

Kind = Literal["question", "passage"]
_RETRY_AFTER_SECONDS = 5


class Ticket:
    """One request's texts. ``future`` gives ``(n_texts, dim) float32`` in the order given, or why there is none."""

    def __init__(self, session: str, kind: Kind, texts: Sequence[str]) -> None:
        self.session = session
        self.kind: Kind = kind
        self.future: Future[Vectors] = Future()
        self._texts: list[str | None] = list(texts)
        self._rows: list[Vectors | None] = [None] * len(texts)
        self._missing = len(texts)

    def __len__(self) -> int:
        return len(self._texts)

    def take_text(self, place: int) -> str:
        """Return a text and keep it no longer."""
        text, self._texts[place] = self._texts[place], None
        return text or ""

    def settle(self, place: int, row: Vectors) -> None:
        """Note one vector; the last one settles the ticket."""
        self._rows[place] = row
        self._missing -= 1
        if self._missing == 0 and not self.future.done():
            self.future.set_result(np.stack([row for row in self._rows if row is not None]))

    def fail(self, error: MayflyError) -> None:
        """Settle the ticket with an error, unless it is settled; its texts and vectors are let go of."""
        self._texts, self._rows = [None] * len(self._texts), [None] * len(self._rows)
        if not self.future.done():
            self.future.set_exception(error)


_Place = tuple[Ticket, int]


class _Lane:
    """Texts of one kind that wait, a queue for each session, sessions in turn."""

    def __init__(self) -> None:
        self._queues: OrderedDict[str, deque[_Place]] = OrderedDict()
        self.size = 0

    def put(self, ticket: Ticket) -> None:
        self._queues.setdefault(ticket.session, deque()).extend((ticket, place) for place in range(len(ticket)))
        self.size += len(ticket)

    def take(self) -> _Place:
        session, queue = self._queues.popitem(last=False)
        taken = queue.popleft()
        self.size -= 1
        if queue:
            self._queues[session] = queue  # At the end: the others come first.
        return taken

    def remove(self, session: str, ticket: Ticket | None = None) -> list[_Place]:
        """Take out what waits for a session, or for one ticket of it."""
        queue = self._queues.pop(session, deque())
        removed = [place for place in queue if ticket is None or place[0] is ticket]
        kept = deque(place for place in queue if not (ticket is None or place[0] is ticket))
        if kept:
            self._queues[session] = kept
        self.size -= len(removed)
        return removed


class Scheduler:
    """Runs an embedder on ``threads`` threads, one text at a time each.

    At most ``queue_texts`` questions and as many passages wait. All methods may be called from any thread.
    """

    def __init__(self, embedder: Embedder, *, threads: int, queue_texts: int) -> None:
        self._embedder = embedder
        self._queue_texts = queue_texts
        self._lanes: dict[Kind, _Lane] = {"question": _Lane(), "passage": _Lane()}  # In order of precedence.
        self._in_work: Counter[str] = Counter()
        self._closed = False
        lock = threading.Lock()
        self._arrived, self._finished = threading.Condition(lock), threading.Condition(lock)
        self._workers = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for worker in self._workers:
            worker.start()

    def submit(self, session: str, kind: Kind, texts: Sequence[str]) -> Ticket:
        """Queue texts and return their ticket at once. Raises ``QueueFull``, or ``PartUnavailable`` after ``close``."""
        ticket = Ticket(session, kind, texts)
        with self._arrived:
            if self._closed:
                raise PartUnavailable
            if self._lanes[kind].size + len(ticket) > self._queue_texts:
                raise QueueFull(retry_after_seconds=_RETRY_AFTER_SECONDS)
            self._lanes[kind].put(ticket)
            self._arrived.notify(len(ticket))
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """Take a ticket's waiting texts out; its future is settled when this returns."""
        with self._arrived:
            self._lanes[ticket.kind].remove(ticket.session, ticket)
            ticket.fail(SessionExpired())

    def drop(self, session: str) -> int:
        """Take out all that waits for a session and return how many texts that were.

        Their tickets fail with ``SessionExpired``. Returns when no text of the session is in work either.
        """
        with self._finished:
            removed = [place for lane in self._lanes.values() for place in lane.remove(session)]
            for ticket, _ in removed:
                ticket.fail(SessionExpired())
            self._finished.wait_for(lambda: self._in_work[session] == 0)
            del self._in_work[session]
        return len(removed)

    def waiting(self) -> int:
        """Return how many texts wait, of all sessions."""
        with self._arrived:
            return sum(lane.size for lane in self._lanes.values())

    def close(self) -> None:
        """Finish the texts in work, fail all others, stop the threads."""
        with self._arrived:
            self._closed = True
            for ticket, _ in self._drain():
                ticket.fail(PartUnavailable())
            self._arrived.notify_all()
        for worker in self._workers:
            worker.join()

    def _drain(self) -> Iterator[_Place]:
        for lane in self._lanes.values():
            while lane.size:
                yield lane.take()

    def _work(self) -> None:
        while self._step():
            pass

    def _step(self) -> bool:
        """Embed the next text; say whether to go on. A function of its own, so that no text outlives its turn."""
        place = self._next()
        if place is None:
            return False
        ticket, index = place
        row = self._embed(ticket, index)
        with self._finished:
            if isinstance(row, MayflyError):
                self._lanes[ticket.kind].remove(ticket.session, ticket)
                ticket.fail(row)
            else:
                ticket.settle(index, row)
            self._in_work[ticket.session] -= 1
            if self._in_work[ticket.session] == 0:
                del self._in_work[ticket.session]
            self._finished.notify_all()
        return True

    def _next(self) -> _Place | None:
        with self._arrived:
            while not self._closed:
                for lane in self._lanes.values():
                    if lane.size:
                        ticket, index = lane.take()
                        self._in_work[ticket.session] += 1
                        return ticket, index
                self._arrived.wait()
        return None

    def _embed(self, ticket: Ticket, index: int) -> Vectors | MayflyError:
        """Return one vector, ``(dim,) float32``, or an error made anew: one that a model raises may hold its text."""
        text = ticket.take_text(index)
        try:
            if ticket.kind == "question":
                return self._embedder.embed_query(text)
            return self._embedder.embed_passages([text])[0]
        except PartUnavailable:
            return PartUnavailable()
        except Exception:  # noqa: BLE001 -- the caller learns that it failed, and nothing else may.
            return EmbeddingFailed()
