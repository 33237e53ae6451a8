"""Whole services over HTTP: start, ingest, questions quiet and busy, purge, memory, size on disk; ours beside peers.

Every service that is installed runs during the whole benchmark, and they take turns within each round, beginning with
another one each time. Peers get the same weights, the same files, chunks of about the same length and the same
number of results. Chunks they made are among the facts; those of Chinese are longer than the model's window, so that
they leave text out. A document counts as ingested when it can be searched, a purge when the service says it is done.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from benchmarks import material
from benchmarks.asking import Bare, Filled, ask_by_turns
from benchmarks.contest import Contest
from benchmarks.results import Tally
from benchmarks.size import Size
from benchmarks.systems.system import MemoryWatch, Shelf, System, resident_bytes
from tests.support.library import Upload

TITLE = "Whole services over HTTP"
MEMORY, INSTALLED, START = "peak memory while ingesting", "installed, with its model", "start to ready"
_MEGABYTE = 1_000_000
_SECOND = "s"
_STARTS = 2


def measure(size: Size, tally: Tally) -> None:
    """Note the rows of all services that are installed, and which are not."""
    contest, end = Contest(tally), time.monotonic() + size.service_seconds
    try:
        for system in contest:
            with contest.trying(system, "to start"):
                _start(system, size, tally)
        for system in contest:
            with contest.trying(system, "warm-up"):
                _ingest(system, material.documents(1), "warm-up", Tally())
        _ingest_all(contest, size, tally)
        bare = Bare()
        for chunks in size.shelves:
            _shelves(contest, chunks, bare, size, tally, end=end)
    finally:
        contest.stop()


def _start(system: System, size: Size, tally: Tally) -> None:
    rounds = min(size.rounds, _STARTS)
    for turn in range(rounds):
        tally.note(START, system.name, seconds(system.start), _SECOND)
        if turn < rounds - 1:
            system.stop()
    tally.note("memory once ready", system.name, resident_bytes(system) / _MEGABYTE, "MB")
    installed = system.installed_bytes()
    if installed is not None:
        tally.note(INSTALLED, system.name, installed / _MEGABYTE, "MB")


def works(size: Size) -> Mapping[str, Callable[[], list[Upload]]]:
    """Return what is ingested, cheapest first as far as that is known before."""
    languages = {"zh": "Chinese", "ar": "Arabic"}
    return (
        {_texts(count): partial(material.documents, count) for count in size.documents if count < 100}
        | {f"4 {name} documents": partial(material.documents, 4, language=code) for code, name in languages.items()}
        | {f"a PDF of {pages} pages": partial(_book, pages) for pages in size.pages}
        | {_texts(count): partial(material.documents, count) for count in size.documents if count >= 100}
    )


def _texts(count: int) -> str:
    return f"{count} text document{'s' if count > 1 else ''}"


def _book(pages: int) -> list[Upload]:
    return [material.book(pages)]


def _ingest_all(contest: Contest, size: Size, tally: Tally) -> None:
    """Ingest by turns; a piece of work is done again in a later round only if there is time for what it took before."""
    deadline = time.monotonic() + size.ingest_seconds
    made, took = {work: make() for work, make in works(size).items()}, dict[str, float]()
    for turn in range(size.rounds):
        for work, files in made.items():
            if turn and time.monotonic() + took[work] > deadline:
                continue
            began = time.monotonic()
            for system in contest.in_turn(turn):
                with contest.trying(system, f"ingest {work}"), MemoryWatch(system) as memory:
                    _ingest(system, files, f"ingest {work}", tally)
                tally.note(f"{MEMORY}, {work}", system.name, memory.peak_bytes / _MEGABYTE, "MB")
            took[work] = time.monotonic() - began


def _ingest(system: System, files: Sequence[Upload], work: str, tally: Tally) -> None:
    shelf = system.shelf()
    _upload(system, shelf, files, work, tally)
    tally.note(f"purge after: {work}", system.name, seconds(shelf.purge), _SECOND)


def _upload(system: System, shelf: Shelf, files: Sequence[Upload], work: str, tally: Tally) -> None:
    began = time.perf_counter()
    chunks = shelf.upload(files)
    tally.note(work, system.name, time.perf_counter() - began, _SECOND, chunks=chunks or "not told")


def _shelves(contest: Contest, chunks: int, bare: Bare, size: Size, tally: Tally, *, end: float) -> None:
    """Fill a shelf in every service, ask by turns with more and more clients, then purge what was filled."""
    files, shelves = material.shelf(chunks), dict[str, Shelf]()
    for system in contest:
        with contest.trying(system, f"{chunks} chunks"):
            shelves[system.name] = system.shelf()
            _upload(system, shelves[system.name], files, f"fill a shelf of {chunks:,} chunks", tally)
    for turn in range(size.rounds):
        if turn and time.monotonic() > end:
            break
        bare.note(size, tally)
        ask_by_turns(contest, Filled(chunks, shelves), turn, size, tally)
    for system in contest:
        with contest.trying(system, f"purge of {chunks} chunks"):
            tally.note(f"purge {chunks:,} chunks", system.name, seconds(shelves[system.name].purge), _SECOND)


def seconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began
