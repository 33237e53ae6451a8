"""What waits for a model: requests as tickets, a queue for each session, and which texts go together in one call.

A text that is next in turn is never passed over. Others go with it where they are of about its length, so that little
of a call is padding; they may come from any session.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from itertools import islice
from typing import Literal

import numpy as np

from models.errors import MayflyError
from vectorstore.embedder import Batching, Vectors

Kind = Literal["question", "pair", "passage"]
# So much of a call may be padding at the most: what a text is shorter than the longest one beside it.
MAX_PADDING = 0.2
_LOOK_AHEAD = 8  # times the texts of a call


class Ticket:
    """One request's texts. ``future`` gives ``(n_texts, dim) float32`` in the order given, or why there is none.

    ``lengths`` are the texts' tokens, where they matter. A ``pair`` is ``question`` with each of the texts.
    """

    def __init__(
        self, session: str, kind: Kind, texts: Sequence[str], *, lengths: Sequence[int] = (), question: str = ""
    ) -> None:
        self.session = session
        self.kind: Kind = kind
        self.question = question
        self.future: Future[Vectors] = Future()
        self.lengths = lengths or (1,) * len(texts)
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
            self.question = ""
            self.future.set_result(np.stack([row for row in self._rows if row is not None]))

    def fail(self, error: MayflyError) -> None:
        """Settle the ticket with an error, unless it is settled; its texts and vectors are let go of."""
        self._texts, self._rows = [None] * len(self._texts), [None] * len(self._rows)
        self.question = ""
        if not self.future.done():
            self.future.set_exception(error)


Place = tuple[Ticket, int]


class Lane:
    """Texts of one kind that wait, a queue for each session, sessions in turn.

    ``batching`` says what one call takes, ``width`` how many calls run at once; ``running`` is how many do.
    """

    def __init__(self, batching: Batching, *, width: int) -> None:
        self._batching = batching
        self._queues: OrderedDict[str, deque[Place]] = OrderedDict()
        self.width = batching.calls or width
        self.running = 0
        self.size = 0

    @property
    def is_ready(self) -> bool:
        """Whether a text waits and may be begun."""
        return self.size > 0 and self.running < self.width

    def put(self, ticket: Ticket) -> None:
        """Let a ticket's texts wait behind those of its session."""
        self._queues.setdefault(ticket.session, deque()).extend((ticket, place) for place in range(len(ticket)))
        self.size += len(ticket)

    def take(self) -> list[Place]:
        """Take the text that is next in turn, and those that go with it in one call."""
        first = self._take_next()
        company = self._company(first) if self._batching.texts > 1 else []
        for session in {ticket.session for ticket, _ in company}:
            self._leave_out(session, set(company))
        return [first, *company]

    def remove(self, session: str, ticket: Ticket | None = None) -> list[Place]:
        """Take out what waits for a session, or for one ticket of it."""
        queue = self._queues.pop(session, deque())
        removed = [place for place in queue if ticket is None or place[0] is ticket]
        kept = deque(place for place in queue if not (ticket is None or place[0] is ticket))
        if kept:
            self._queues[session] = kept
        self.size -= len(removed)
        return removed

    def _leave_out(self, session: str, taken: set[Place]) -> None:
        """Take texts out of a session's queue. It keeps its turn, which a text unlike the others needs."""
        queue = self._queues[session]
        kept = deque(place for place in queue if place not in taken)
        self.size -= len(queue) - len(kept)
        if kept:
            self._queues[session] = kept
        else:
            del self._queues[session]

    def _take_next(self) -> Place:
        session, queue = self._queues.popitem(last=False)
        taken = queue.popleft()
        self.size -= 1
        if queue:
            self._queues[session] = queue  # At the end: the others come first.
        return taken

    def _company(self, first: Place) -> list[Place]:
        """Choose what goes with a text: those nearest to its length, sessions in turn where they are equally near."""
        limits = self._batching
        nearby = sorted(
            islice(self._in_turn(), _LOOK_AHEAD * limits.texts), key=lambda place: abs(_length(place) - _length(first))
        )
        company = list[Place]()
        total = longest = _length(first)
        for place in nearby:
            if len(company) + 1 == limits.texts:
                break
            longest_then = max(longest, _length(place))
            padded = longest_then * (len(company) + 2)
            if padded <= limits.tokens and total + _length(place) >= (1 - MAX_PADDING) * padded:
                company.append(place)
                total, longest = total + _length(place), longest_then
        return company

    def _in_turn(self) -> Iterator[Place]:
        """Go through all that waits in the order of its turns."""
        going = [iter(queue) for queue in self._queues.values()]
        while going:
            rounds = [(each, next(each, None)) for each in going]
            yield from (place for _, place in rounds if place is not None)
            going = [each for each, place in rounds if place is not None]


def _length(place: Place) -> int:
    ticket, index = place
    return ticket.lengths[index]
