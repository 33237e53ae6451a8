"""The queue before the model: what a question waits, how fairly sessions share, what cancelling costs, cores in use.

The packaged model behind the real scheduler, in this process. Each claim of the design has a row: a question passes
passages by; a session with a page is not behind one with a book; two threads keep two cores busy and no third;
dropping a session is quick; the queue says no instead of growing. Every text has a run of its own here, so nothing is
padded; for models that take several texts a call, padding is counted.
"""

import statistics
import time
from collections.abc import Callable, Sequence

from api.settings import Settings
from benchmarks import material
from benchmarks.results import OURS, Tally, percentile
from benchmarks.size import Size
from models.errors import QueueFull
from vectorstore import models
from vectorstore.embedder import Batching, Embedder
from vectorstore.lanes import Lane, Ticket
from vectorstore.scheduler import Scheduler

TITLE = "The embedder's queue"
THREADS = 2
_QUEUE_TEXTS = 4096
_QUESTIONS = 10
_SESSIONS = 4
_CALLS = Batching(texts=32, tokens=16_384)


def measure(size: Size, tally: Tally) -> None:
    """Note the rows; nothing can be missing."""
    embedder = models.load(models.prepare("packaged", Settings().model_dir), threads=THREADS)
    texts = material.passages(size.texts)
    embedder.embed_passages(texts[:4])
    for _ in range(size.rounds):
        for (work, unit), value in _round(embedder, texts).items():
            tally.note(work, OURS, value, unit)


def _round(embedder: Embedder, texts: Sequence[str]) -> dict[tuple[str, str], float]:
    scheduler = Scheduler(embedder, threads=THREADS, queue_texts=_QUEUE_TEXTS)
    try:
        return (
            _questions(scheduler, embedder, texts)
            | _cores(scheduler, texts)
            | _fairness(scheduler, texts)
            | _cancelling(scheduler, texts)
            | _bound(scheduler, texts)
            | _padding(embedder, texts)
        )
    finally:
        scheduler.close()


def _questions(scheduler: Scheduler, embedder: Embedder, texts: Sequence[str]) -> dict[tuple[str, str], float]:
    """A question beside nothing, beside a whole book, and what one text in work takes, which it may wait for."""
    ask = _asker(scheduler)
    quiet = [ask(number) for number in range(_QUESTIONS)]
    book = _book(scheduler, texts, "book")
    busy = [ask(number) for number in range(_QUESTIONS)]
    scheduler.drop("book")
    assert not all(ticket.future.exception() is None for ticket in book), "the book ended before the last question"
    alone = statistics.median(_milliseconds(lambda text=text: embedder.embed_passages([text])) for text in texts[:8])
    return {
        ("question, nothing waits, p50", "ms"): percentile(quiet, 0.5),
        ("question, a book waits, p50", "ms"): percentile(busy, 0.5),
        ("question, a book waits, longest", "ms"): max(busy),
        ("one passage alone", "ms"): alone,
    }


def _asker(scheduler: Scheduler) -> Callable[[int], float]:
    def ask(number: int) -> float:
        began = time.perf_counter()
        scheduler.submit("asking", "question", [material.question(number)]).future.result()
        return 1000 * (time.perf_counter() - began)

    return ask


def _cores(scheduler: Scheduler, texts: Sequence[str]) -> dict[tuple[str, str], float]:
    """Cores that were busy on average while passages were embedded; more than the threads would be too many."""
    wall, cpu = time.perf_counter(), time.process_time()
    scheduler.submit("cores", "passage", texts).future.result()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {("cores busy with two threads", "cores"): cpu / wall, ("passages", "texts/s"): len(texts) / wall}


def _fairness(scheduler: Scheduler, texts: Sequence[str]) -> dict[tuple[str, str], float]:
    """Sessions with as much to do end together; one with a page does not wait for one with a book."""
    ends = [_ending(scheduler.submit(f"s{number}", "passage", texts[:8])) for number in range(_SESSIONS)]
    began = time.perf_counter()
    seconds = [end() - began for end in ends]
    book = _book(scheduler, texts, "book")
    page = scheduler.submit("page", "passage", texts[:2])
    waited = _milliseconds(page.future.result)
    ahead = sum(ticket.future.done() for ticket in book)
    scheduler.drop("book")
    return {
        (f"{_SESSIONS} equal sessions, first end over last", "share"): min(seconds) / max(seconds),
        ("a page of 2 passages behind a book", "ms"): waited,
        ("sixteens of the book done before it", "tickets"): float(ahead),
    }


def _cancelling(scheduler: Scheduler, texts: Sequence[str]) -> dict[tuple[str, str], float]:
    """Dropping a session whose book waits: no more than what is in work at that moment."""
    _book(scheduler, texts, "doomed")
    took = _milliseconds(lambda: scheduler.drop("doomed"))
    return {
        ("drop a session with a book waiting", "ms"): took,
        ("texts left of it", "texts"): float(scheduler.waiting()),
    }


def _bound(scheduler: Scheduler, texts: Sequence[str]) -> dict[tuple[str, str], float]:
    """How many texts wait before the queue says no, and how fast it does."""
    batch = (list(texts) * (_QUEUE_TEXTS // len(texts) + 1))[:512]
    refused = False
    while not refused:
        try:
            scheduler.submit("flood", "passage", batch)
        except QueueFull:
            refused = True
    waiting = scheduler.waiting()
    scheduler.drop("flood")
    return {("texts waiting when the queue said no", "texts"): float(waiting)}


def _padding(embedder: Embedder, texts: Sequence[str]) -> dict[tuple[str, str], float]:
    """Count what calls would be padding with texts from a line to a whole chunk: as they come, and as lanes fill them.

    Of calls with one text nothing is padding, and there are as many as texts.
    """
    mixed = [text[: 40 + 137 * place % len(text)] for place, text in enumerate(list(texts) * 8)]
    lengths = [embedder.count_tokens(text) for text in mixed]
    lane = Lane(_CALLS, width=1)
    for start in range(0, len(mixed), 16):
        part = slice(start, start + 16)
        lane.put(Ticket(f"s{start % 64}", "passage", mixed[part], lengths=lengths[part]))
    filled = list[list[int]]()
    while lane.size:
        filled.append([ticket.lengths[index] for ticket, index in lane.take()])
    as_they_come = [lengths[start : start + _CALLS.texts] for start in range(0, len(lengths), _CALLS.texts)]
    return {
        ("padding, 32 texts a call as they come", "share"): _share_padded(as_they_come),
        ("padding, calls filled by length", "share"): _share_padded(filled),
        ("texts a call filled by length", "texts"): len(mixed) / len(filled),
    }


def _share_padded(calls: Sequence[Sequence[int]]) -> float:
    return 1 - sum(map(sum, calls)) / sum(len(call) * max(call) for call in calls)


def _book(scheduler: Scheduler, texts: Sequence[str], session: str) -> list[Ticket]:
    """Queue far more than can be done while a question is asked, as tickets of sixteen."""
    many = (list(texts) * 50)[:800]
    return [scheduler.submit(session, "passage", many[start : start + 16]) for start in range(0, len(many), 16)]


def _ending(ticket: Ticket) -> Callable[[], float]:
    """Return what waits for a ticket's end and tells the moment of it."""
    ends = list[float]()
    ticket.future.add_done_callback(lambda _: ends.append(time.perf_counter()))

    def end() -> float:
        ticket.future.result()
        while not ends:
            time.sleep(0.001)
        return ends[0]

    return end


def _milliseconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - began)
