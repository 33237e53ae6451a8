"""Questions to whole services by one to eight clients, quiet and while somebody else uploads, some seconds each."""

import itertools
import threading
import time
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from api.settings import Settings
from benchmarks import material
from benchmarks.contest import Contest
from benchmarks.results import Tally, percentile
from benchmarks.size import Size
from benchmarks.systems.system import Shelf, System
from vectorstore import models

BARE, BARE_SYSTEM = "bare embedding of a question, p50", "the same weights in process"
QUIET, BUSY = "quiet", "while somebody ingests"
_LEAST_QUESTIONS = 3
_FEW = 1_000  # Fewer chunks are asked only to see whether more take longer.
_SETTLE_SECONDS = 0.5
_numbers = itertools.count()


class Bare:
    """What the vector of such a question takes in a process that does nothing else: the floor under a question."""

    def __init__(self) -> None:
        self._embedder = models.load(models.prepare("packaged", Settings().model_dir), threads=1)
        self._embedder.embed_query(material.question(0))

    def note(self, size: Size, tally: Tally) -> None:
        """Embed questions for a while and note their middle."""
        took, end = list[float](), time.perf_counter() + size.ask_seconds / 2
        while time.perf_counter() < end or len(took) < _LEAST_QUESTIONS:
            question, began = material.question(next(_numbers)), time.perf_counter()
            self._embedder.embed_query(question)
            took.append(time.perf_counter() - began)
        tally.note(BARE, BARE_SYSTEM, 1000 * percentile(took, 0.5), "ms")


def work(clients: int, chunks: int, when: str, name: str) -> str:
    """Return what a row of questions is called."""
    return f"question, {clients} client{'s' if clients > 1 else ''}, {chunks:,} chunks, {when}, {name}"


@dataclass(frozen=True, slots=True)
class Filled:
    """A shelf of so many chunks in every service, by its name."""

    chunks: int
    shelves: Mapping[str, Shelf]


def ask_by_turns(contest: Contest, filled: Filled, turn: int, size: Size, tally: Tally) -> None:
    """Let every service answer one round of questions, each number of clients in turn; then while it ingests too."""
    chunks, shelves = filled.chunks, filled.shelves
    few = chunks < _FEW
    for clients in size.clients[:1] if few else size.clients:
        for system in contest.in_turn(turn):
            with contest.trying(system, f"questions to {chunks} chunks"):
                _ask(system, shelves[system.name], clients, (chunks, QUIET), size=size, tally=tally)
    if few:
        return
    for system in contest.in_turn(turn):
        with contest.trying(system, f"questions while ingesting, {chunks} chunks"), _ingesting(system, size):
            for clients in size.clients:
                _ask(system, shelves[system.name], clients, (chunks, BUSY), size=size, tally=tally)


def _ask(system: System, shelf: Shelf, clients: int, where: tuple[int, str], *, size: Size, tally: Tally) -> None:
    chunks, when = where
    with ThreadPoolExecutor(clients) as threads:
        asked = [threads.submit(_ask_in_turn, shelf, chunks, size.ask_seconds) for _ in range(clients)]
        times = [1000 * took for each in asked for took in each.result()]
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        tally.note(
            work(clients, chunks, when, name), system.name, percentile(times, share), "ms", questions_a_round=len(times)
        )


def _ask_in_turn(shelf: Shelf, chunks: int, ask_seconds: float) -> list[float]:
    """Ask once to open the connection, then time every question until time is up; return seconds."""
    caller, took = shelf.caller(), list[float]()
    assert caller.ask(material.question(next(_numbers), chunks)), "no passage came"
    end = time.perf_counter() + ask_seconds
    while time.perf_counter() < end or len(took) < _LEAST_QUESTIONS:
        question, began = material.question(next(_numbers), chunks), time.perf_counter()
        caller.ask(question)
        took.append(time.perf_counter() - began)
    return took


@contextmanager
def _ingesting(system: System, size: Size) -> Generator[None]:
    """Have another learner upload one book after the other while the block runs."""
    over, book = threading.Event(), material.book(size.busy_pages)

    def upload() -> None:
        while not over.is_set():
            other = system.shelf()
            other.upload([book])
            other.purge()

    with ThreadPoolExecutor(1) as thread:
        busy = thread.submit(upload)
        try:
            over.wait(_SETTLE_SECONDS)
            yield
        finally:
            over.set()
            busy.result()
