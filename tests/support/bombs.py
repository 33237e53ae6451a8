"""Files that explode, thrown at a running service while another learner asks.

Owns how they are made (by the script that lies beside the shared documents), how two learners upload them at once, and
how the third one's questions are timed.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue

from api.client import FINAL, Client, LearnerSession, Problem, Unreachable
from models.content import DocumentStatus
from tests.conftest import new_learner
from tests.support import library
from tests.support.conformance import Inspector, JailLog

FILE_BYTES = 25 * 1024 * 1024
AT_ONCE = 2
QUESTIONS_BEFORE = 60
_MAKING_SECONDS = 600
_READ: frozenset[DocumentStatus] = frozenset({"embedding"})
_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Bomb:
    """What became of one file; ``complaint`` is empty when it ended as it may."""

    name: str
    outcome: str
    seconds: float
    complaint: str


@dataclass(slots=True)
class Report:
    """What became of all of them, and how long the other learner's questions took, in seconds."""

    bombs: list[Bomb] = field(default_factory=list[Bomb])
    before: list[float] = field(default_factory=list[float])
    during: list[float] = field(default_factory=list[float])
    unanswered: int = 0


def make(script: Path, folder: Path) -> list[Path]:
    """Have the script write its bombs into an empty folder; return them."""
    made = subprocess.run(
        [sys.executable, "-W", "ignore", str(script.resolve())],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=_MAKING_SECONDS,
    )
    assert made.returncode == 0, made.stderr.decode()[-2000:]
    return sorted(path for path in folder.iterdir() if path.is_file())


def throw(url: str, files: Sequence[Path], codes: frozenset[str]) -> Report:
    """Upload every file, two at a time, while another learner asks without end; return what became of both."""
    report, waiting = Report(), SimpleQueue[Path]()
    for file in files:
        waiting.put(file)
    with Client(url) as client, new_learner(client) as learner:
        (document,) = learner.upload(_book())
        assert learner.wait(document.document_id).status == "ready"
        for _ in range(QUESTIONS_BEFORE):
            _ask(learner, report, report.before)
        with _asking(learner, report):
            throwers = [
                threading.Thread(target=_throw_from, args=(url, waiting, codes, report), daemon=True)
                for _ in range(AT_ONCE)
            ]
            for thrower in throwers:
                thrower.start()
            for thrower in throwers:
                thrower.join()
    assert len(report.bombs) == len(files), "a thrower broke off"
    report.bombs.sort(key=lambda bomb: bomb.name)
    return report


def p95(seconds: Sequence[float]) -> float:
    """Return the time that 95 of 100 stay below."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]


def _throw_from(url: str, waiting: "SimpleQueue[Path]", codes: frozenset[str], report: Report) -> None:
    with Client(url) as client, new_learner(client) as learner:
        while True:
            try:
                file = waiting.get_nowait()
            except Empty:
                return
            report.bombs.append(_throw_one(learner, file, codes))


def _throw_one(learner: LearnerSession, file: Path, codes: frozenset[str]) -> Bomb:
    started = time.monotonic()
    is_too_large = file.stat().st_size > FILE_BYTES
    try:
        (document,) = learner.upload((file.name, file.read_bytes(), "application/octet-stream"))
    except Problem as problem:
        complaint = (
            "" if is_too_large and (problem.status, problem.code) == (413, "too_large") else "refused at the door"
        )
        return Bomb(file.name, problem.code, time.monotonic() - started, complaint)
    except Unreachable:
        # The refusal came while the body was still being sent, and the connection was closed before it was read.
        complaint = "" if is_too_large else "the connection broke"
        return Bomb(file.name, "connection closed", time.monotonic() - started, complaint)
    # Once it is read, it is text like any other: embedding 10,000 chunks takes minutes and proves nothing here.
    end = Inspector(learner, codes, JailLog(None)).wait(document.document_id, enough=_READ)
    learner.delete(document.document_id)
    seconds = time.monotonic() - started
    complaint = "larger than allowed, and taken" if is_too_large else ""
    if end.status not in FINAL | _READ:
        complaint = f"still {end.status} after {seconds:.0f} s"
    elif end.error is not None and (end.error not in codes or end.error == "internal_error"):
        complaint = "ended with a code that is not documented"
    return Bomb(file.name, end.error or "read", seconds, complaint)


@contextmanager
def _asking(learner: LearnerSession, report: Report) -> Generator[None]:
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            _ask(learner, report, report.during)
            over.wait(_PAUSE_SECONDS)

    asker = threading.Thread(target=ask, daemon=True)
    asker.start()
    try:
        yield
    finally:
        over.set()
        asker.join()


def _ask(learner: LearnerSession, report: Report, times: list[float]) -> None:
    started = time.perf_counter()
    try:
        answer = learner.ask(library.ENGLISH_QUESTION)
    except (Problem, Unreachable):
        report.unanswered += 1
        return
    times.append(time.perf_counter() - started)
    report.unanswered += not any(library.ENGLISH_ANSWER in passage.text for passage in answer.passages)


def _book() -> tuple[str, bytes, str]:
    book = library.pdf(library.ENGLISH)
    return book.name, book.data, book.media_type
