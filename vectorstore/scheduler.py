"""Who is next: questions before pairs to be judged before passages, and sessions in turn.

A question waits for at most the calls that are in work when it comes, never for somebody's book. Within each kind every
session that waits begins one call a round; what goes with its text is for ``vectorstore.lanes`` to say. Texts are let
go of as soon as the model has seen them.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from models.errors import EmbeddingFailed, MayflyError, PartUnavailable, QueueFull, SessionExpired
from vectorstore.embedder import Batching, Embedder, PairJudge, Vectors
from vectorstore.lanes import Kind, Lane, Place, Ticket

_RETRY_AFTER_SECONDS = 5
_ONE_BY_ONE = Batching()


class Scheduler:
    """Runs an embedder, and a judge of pairs where there is one, on ``threads`` threads, a call at a time each.

    At most ``queue_texts`` questions and as many pairs and passages wait. All methods may be called from any thread.
    """

    def __init__(self, embedder: Embedder, *, threads: int, queue_texts: int, judge: PairJudge | None = None) -> None:
        self._embedder = embedder
        self._judge = judge
        self._queue_texts = queue_texts
        self._batching: dict[Kind, Batching] = {
            "question": _ONE_BY_ONE,
            "pair": judge.batching if judge else _ONE_BY_ONE,
            "passage": embedder.batching,
        }  # In order of precedence.
        self._lanes = {kind: Lane(batching, width=threads) for kind, batching in self._batching.items()}
        self._in_work: Counter[str] = Counter()
        self._closed = False
        lock = threading.Lock()
        self._arrived, self._finished = threading.Condition(lock), threading.Condition(lock)
        self._workers = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for worker in self._workers:
            worker.start()

    def submit(self, session: str, kind: Kind, texts: Sequence[str], *, question: str = "") -> Ticket:
        """Queue texts, or pairs of ``question`` and each of them, and return their ticket at once.

        Raises ``QueueFull``, or ``PartUnavailable`` after ``close``.
        """
        ticket = Ticket(session, kind, texts, lengths=self._lengths(kind, texts), question=question)
        with self._arrived:
            if self._closed:
                raise PartUnavailable
            if self._lanes[kind].size + len(ticket) > self._queue_texts:
                raise QueueFull(retry_after_seconds=_RETRY_AFTER_SECONDS)
            self._lanes[kind].put(ticket)
            self._arrived.notify(len(ticket))
        return ticket

    def _lengths(self, kind: Kind, texts: Sequence[str]) -> list[int]:
        """Count tokens, but only for a model that takes several texts at once: counting costs a little."""
        if self._batching[kind].texts == 1:
            return []
        model = self._judge if kind == "pair" and self._judge else self._embedder
        return [min(model.count_tokens(text), model.card.max_tokens) for text in texts]

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

    def _drain(self) -> Iterator[Place]:
        for lane in self._lanes.values():
            while lane.size:
                yield from lane.take()

    def _work(self) -> None:
        while self._step():
            pass

    def _step(self) -> bool:
        """Run the next call; say whether to go on. A function of its own, so that no text outlives its turn."""
        batch = self._next()
        if batch is None:
            return False
        rows = self._run(batch)
        with self._finished:
            for (ticket, index), row in zip(batch, rows, strict=True):
                self._settle(ticket, index, row)
            self._lanes[batch[0][0].kind].running -= 1
            self._finished.notify_all()
            self._arrived.notify()  # Another thread may have left this lane alone because enough were at it.
        return True

    def _settle(self, ticket: Ticket, index: int, row: Vectors | MayflyError) -> None:
        if isinstance(row, MayflyError):
            self._lanes[ticket.kind].remove(ticket.session, ticket)
            ticket.fail(row)
        else:
            ticket.settle(index, row)
        self._in_work[ticket.session] -= 1
        if self._in_work[ticket.session] == 0:
            del self._in_work[ticket.session]

    def _next(self) -> list[Place] | None:
        with self._arrived:
            while not self._closed:
                for lane in self._lanes.values():
                    if lane.is_ready:
                        batch = lane.take()
                        lane.running += 1
                        self._in_work.update(ticket.session for ticket, _ in batch)
                        return batch
                self._arrived.wait()
        return None

    def _run(self, batch: Sequence[Place]) -> Sequence[Vectors | MayflyError]:
        """Return a row for each text, or an error; one text that breaks the model fails by itself."""
        kind, questions = batch[0][0].kind, [ticket.question for ticket, _ in batch]
        texts = [ticket.take_text(index) for ticket, index in batch]
        rows = self._rows(kind, questions, texts)
        if len(texts) > 1 and isinstance(rows, EmbeddingFailed):
            alone = [self._rows(kind, [question], [text]) for question, text in zip(questions, texts, strict=True)]
            return [row if isinstance(row, MayflyError) else row[0] for row in alone]
        return [rows] * len(texts) if isinstance(rows, MayflyError) else list(rows)

    def _rows(self, kind: Kind, questions: Sequence[str], texts: Sequence[str]) -> Vectors | MayflyError:
        """Return ``(n_texts, dim) float32``, or an error made anew: one that a model raises may hold its text."""
        try:
            if kind == "question":
                return np.stack([self._embedder.embed_query(text) for text in texts])
            if kind == "pair" and self._judge is not None:
                rows = self._judge.scores(questions, texts)[:, None]
            else:
                rows = self._embedder.embed_passages(texts)
        except PartUnavailable:
            return PartUnavailable()
        except Exception:  # noqa: BLE001 -- the caller learns that it failed, and nothing else may.
            return EmbeddingFailed()
        # A model that gives too few would leave somebody waiting for ever.
        return rows if len(rows) == len(texts) else EmbeddingFailed()
