"""Whole services over HTTP: start, ingest, questions quiet and busy, purge, memory, size on disk; ours beside peers.

Every service that is installed runs during the whole benchmark, and they take turns within each round. Peers get the
same weights, the same files, chunks of about the same length and the same number of results. Chunks they made are
among the facts; those of Chinese are longer than the model's window, so that they leave text out. A document counts as
ingested when it can be searched; a purge when the service says that it is done.
"""

import itertools
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from api.settings import Settings
from benchmarks import material
from benchmarks.results import Row, percentile
from benchmarks.size import Size
from benchmarks.systems import available
from benchmarks.systems.system import MemoryWatch, Shelf, System
from tests.support.library import Upload
from vectorstore import models

TITLE = "Whole services over HTTP"
_MEGABYTE = 1_000_000
_SECOND = "s"
_numbers = itertools.count()


class Tally:
    """Figures by work and system, a value a round."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str, str], list[float]] = {}
        self._facts: dict[tuple[str, str, str], dict[str, float | str]] = {}

    def note(self, work: str, system: System, unit: str, value: float, **facts: float | str) -> None:
        """Add one round's figure."""
        self._values.setdefault((work, system.name, unit), []).append(round(value, 4))
        self._facts.setdefault((work, system.name, unit), {}).update(facts)

    def rows(self) -> list[Row]:
        """Return all that was noted, in the order in which it first was."""
        return [
            Row(work=work, system=system, unit=unit, values=tuple(values), facts=self._facts[work, system, unit])
            for (work, system, unit), values in self._values.items()
        ]


def measure(size: Size) -> tuple[list[Row], list[str]]:
    """Return the rows of all services that are installed, and which are not."""
    systems, missing = available()
    tally = Tally()
    with ExitStack() as running:
        for system in systems:
            _start(system, size, tally)
            running.callback(system.stop)
        for system in systems:
            _ingest(system, material.documents(1), "warm-up", Tally())
        for _ in range(size.rounds):
            for system in systems:
                _ingest_all(system, size, tally)
        for chunks in size.shelves:
            _questions(systems, chunks, size, tally)
    return [*tally.rows(), _bare_embedding(size)], missing


def _start(system: System, size: Size, tally: Tally) -> None:
    for turn in range(size.rounds):
        tally.note("start to ready", system, _SECOND, seconds(system.start))
        if turn < size.rounds - 1:
            system.stop()
    installed = system.installed_bytes()
    if installed is not None:
        tally.note("installed, with its model", system, "MB", installed / _MEGABYTE)


def _ingest_all(system: System, size: Size, tally: Tally) -> None:
    with MemoryWatch(system) as memory:
        for count in size.documents:
            _ingest(system, material.documents(count), f"ingest {count} text documents", tally)
        for pages in size.pages:
            _ingest(system, [material.book(pages)], f"ingest a PDF of {pages} pages", tally)
        for language, name in (("zh", "Chinese"), ("ar", "Arabic")):
            _ingest(system, material.documents(4, language=language), f"ingest 4 {name} documents", tally)
    tally.note("peak memory while ingesting", system, "MB", memory.peak_bytes / _MEGABYTE)


def _ingest(system: System, files: Sequence[Upload], work: str, tally: Tally) -> None:
    shelf = system.shelf()
    _upload(system, shelf, files, work, tally=tally)
    shelf.purge()


def _upload(system: System, shelf: Shelf, files: Sequence[Upload], work: str, *, tally: Tally) -> None:
    began = time.perf_counter()
    chunks = shelf.upload(files)
    tally.note(work, system, _SECOND, time.perf_counter() - began, chunks=chunks or "not told")


def _questions(systems: Sequence[System], chunks: int, size: Size, tally: Tally) -> None:
    """Fill a shelf in every service, ask by turns with more and more clients, then purge what was filled."""
    shelves = {system.name: system.shelf() for system in systems}
    for system in systems:
        _upload(system, shelves[system.name], material.shelf(chunks), f"fill a shelf of {chunks} chunks", tally=tally)
    for _ in range(size.rounds):
        for system in systems:
            for clients in size.clients:
                _ask(
                    system,
                    shelves[system.name],
                    clients,
                    f"{chunks} chunks, quiet",
                    questions=size.questions,
                    tally=tally,
                )
        for system in systems:
            with _ingesting(system, size):
                for clients in size.clients:
                    when = f"{chunks} chunks, while ingesting"
                    _ask(system, shelves[system.name], clients, when, questions=size.questions, tally=tally)
    for system in systems:
        tally.note(f"purge {chunks} chunks", system, _SECOND, seconds(shelves[system.name].purge))


def _ask(system: System, shelf: Shelf, clients: int, circumstances: str, *, questions: int, tally: Tally) -> None:
    shares = [[next(_numbers) for _ in range(max(1, questions // clients))] for _ in range(clients)]
    with ThreadPoolExecutor(clients) as threads:
        times = [took for share in threads.map(lambda share: _ask_in_turn(shelf, share), shares) for took in share]
    who = f"question, {clients} client{'s' if clients > 1 else ''}, {circumstances}"
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        tally.note(f"{who}, {name}", system, "ms", 1000 * percentile(times, share), questions=len(times))


def _ask_in_turn(shelf: Shelf, numbers: Sequence[int]) -> list[float]:
    """Ask once to open the connection, then time every question; return seconds."""
    caller = shelf.caller()
    assert caller.ask(material.question(next(_numbers))) > 0
    return [seconds(lambda n=number: caller.ask(material.question(n))) for number in numbers]


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
            time.sleep(0.5)
            yield
        finally:
            over.set()
            busy.result()


def _bare_embedding(size: Size) -> Row:
    """Return what the vector of such a question takes in process, nothing else running: the floor under a question."""
    embedder = models.load(models.prepare("packaged", Settings().model_dir), threads=1)
    embedder.embed_query(material.question(0))
    rounds = [
        [seconds(lambda: embedder.embed_query(material.question(next(_numbers)))) for _ in range(size.questions)]
        for _ in range(size.rounds)
    ]
    values = tuple(round(1000 * percentile(times, 0.5), 4) for times in rounds)
    return Row(work="bare embedding of a question, p50", system="onnxruntime, ours", unit="ms", values=values)


def seconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began
