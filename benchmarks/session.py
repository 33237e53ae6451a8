"""What a session costs: time to ready, private memory, adds and searches by number of chunks, time to kill.

Run ``python -m benchmarks.session [--sessions 20] [--chunks 10,1000,10000]``. It starts a host of its own; vectors are
made up (clustered unit rows) so that the embedder's time does not hide the rest; texts are English paragraphs, each a
little different. Times are milliseconds of wall clock. A search is by meaning and words, as a question makes it.
"""

import argparse
import contextlib
import json
import os
import statistics
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass

import numpy as np
import psutil

from benchmarks.machine import describe
from benchmarks.questions import load
from models.content import Chunk, Extraction, Page
from tests.support.hosting import Parts, Session, hosting
from tests.support.vectors import CARD, clustered
from vectorstore.collection import Collection
from vectorstore.ranking import words_of
from vectorstore.sentences import SentenceVectors, pack_vectors

K = 48
DOCUMENTS = 10
QUESTIONS = 200
SENTENCES = 6  # in a chunk of the usual length


def milliseconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    last = ordered[min(len(ordered) - 1, round(len(ordered) * 0.99))]
    return {"p50": round(statistics.median(ordered), 2), "p99": round(last, 2)}


def private_mb(pid: int) -> float:
    return round(psutil.Process(pid).memory_full_info().uss / 1e6, 1)


@dataclass(frozen=True, slots=True)
class Lives:
    """What a session process costs: spreads of milliseconds and megabytes."""

    ready: dict[str, float]
    private_mb_empty: dict[str, float]
    round_trip: dict[str, float]
    kill_and_reap: dict[str, float]


@dataclass(frozen=True, slots=True)
class Searches:
    """What a collection of so many chunks costs: spreads of milliseconds; ``longest_stall`` of another thread too."""

    chunks: int
    add_seconds: float
    longest_stall: float
    private_mb: float
    search: dict[str, float]
    search_one_document: dict[str, float]


def lives(parts: Parts, sessions: int) -> Lives:
    """Open, unlock, measure and kill sessions that are all alive at once."""
    opened: list[Session] = []
    with hosting(parts, capacity=sessions) as host:
        ready = [milliseconds(lambda: opened.append(host.open())) for _ in range(sessions)]
        memory = [private_mb(session.pid) for session in opened]
        calls = [milliseconds(opened[0].client.summarise) for _ in range(QUESTIONS)]
        killed = [milliseconds(lambda s=session: host.client.kill(s.session_id)) for session in opened]
    return Lives(spread(ready), spread(memory), spread(calls), spread(killed))


def book(chunks: int, seed: int) -> Extraction:
    """Return a document of that many paragraphs, a page each, no two alike."""
    texts = load("en").paragraphs
    pages = [Page(n + 1, f"{texts[(n * 7 + seed) % len(texts)]} {seed}-{n}") for n in range(chunks)]
    return Extraction("text/plain", tuple(pages), tuple(Chunk(page.number, 0, len(page.text)) for page in pages), "en")


def searches(chunks: int) -> Searches:
    """Fill a collection of ten documents and search it with and without naming one of them."""
    vectors, documents = clustered(chunks), min(DOCUMENTS, chunks)
    books = [book(chunks // documents, seed) for seed in range(documents)]
    before = private_mb(os.getpid())
    collection = Collection(CARD, max_chunks=chunks)
    parts = np.split(vectors, documents)
    apart = [_sentences(len(part), seed) for seed, part in enumerate(parts)]
    with stalls() as worst:
        adding = sum(
            milliseconds(lambda n=n, one=one: collection.add(str(n), one, parts[n], sentences=apart[n]))
            for n, one in enumerate(books)
        )
    for number in range(documents):
        collection.publish(str(number))
    asked = list(zip(clustered(QUESTIONS, seed=1), map(words_of, load("en").questions), strict=False))

    def times(*only: str) -> dict[str, float]:
        began = time.thread_time()
        found = [milliseconds(lambda q=q, w=w: collection.search(q, K, only or None, words=w)) for q, w in asked]
        return spread(found) | {"mean_cpu": round((time.thread_time() - began) * 1000 / len(found), 2)}

    return Searches(
        chunks=chunks,
        add_seconds=round(adding / 1000, 2),
        longest_stall=round(max(worst), 1),
        private_mb=round(private_mb(os.getpid()) - before, 1),
        search=times(),
        search_one_document=times("0"),
    )


def _sentences(chunks: int, seed: int) -> SentenceVectors:
    return pack_vectors([SENTENCES] * chunks, clustered(SENTENCES * chunks, seed=seed))


@contextlib.contextmanager
def stalls() -> Generator[list[float]]:
    """Yield a list that grows by how much too late, in milliseconds, another thread woke up each time."""
    late, over = [0.0], threading.Event()

    def tick() -> None:
        while not over.is_set():
            late.append(milliseconds(lambda: over.wait(0.001)) - 1)

    ticking = threading.Thread(target=tick)
    ticking.start()
    try:
        yield late
    finally:
        over.set()
        ticking.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--chunks", default="10,1000,10000")
    arguments = parser.parse_args()
    parts = Parts()
    try:
        parts.start()
        result: dict[str, object] = asdict(lives(parts, arguments.sessions))
    finally:
        parts.stop()
    result["searches"] = [asdict(searches(int(chunks))) for chunks in arguments.chunks.split(",")]
    result["machine"] = describe()
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
