"""Fifty learners at once: sign in, upload, ask, sign out, for two minutes, against a real service on this machine.

Reports throughput and latency by step, and what is left afterwards: descriptors, threads, processes and files on the
RAM disk must be back where they were before the first learner came.
"""

import json
import secrets
import statistics
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from api.client import Client, LearnerSession, Problem, SignUp
from benchmarks.machine import describe
from tests.support import inspection, library
from tests.support.service import Service, running

LEARNERS = 50
SECONDS = 120.0
WARM_UP_SECONDS = 10.0


class Tally:
    """Times of every step in seconds, and every refusal by code."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self.refusals: Counter[str] = Counter()

    def timed(self, step: str, action: Callable[[], Any]) -> Any:
        """Run one step and note how long it took; a refusal is counted and raised again."""
        began = time.perf_counter()
        try:
            return action()
        except Problem as problem:
            with self._lock:
                self.refusals[f"{problem.status} {problem.code}"] += 1
            raise
        finally:
            with self._lock:
                self.seconds[step].append(time.perf_counter() - began)

    def summary(self) -> dict[str, dict[str, float]]:
        """Return count, median, 95th percentile and maximum of every step."""
        return {step: _spread(sorted(seconds)) for step, seconds in self.seconds.items()}


def learner(service: Service, number: int, tally: Tally, end: float) -> None:
    """Live one learner's life over and over until the time is up."""
    with Client(service.url, timeout_seconds=600) as client:
        name = f"load-{number}-{secrets.token_hex(4)}"
        wish = SignUp(username=name, email=f"{name}@example.org", password="correct horse battery")  # noqa: S106
        client.sign_up(wish)
        while time.monotonic() < end:
            try:
                one_visit(client, wish, number, tally)
            except Problem as problem:
                if problem.status >= 500:
                    raise
                time.sleep(problem.retry_after_seconds or 1)


def one_visit(client: Client, wish: SignUp, number: int, tally: Tally) -> None:
    """Sign in, upload a document of ten pages, wait for it, ask three times, sign out."""
    session: LearnerSession = tally.timed("sign in", lambda: client.sign_in(wish.email, wish.password))
    try:
        upload = library.pdf((*library.ENGLISH[:9], f"The key number {number} opens the tenth door."))
        (document,) = tally.timed("upload", lambda: session.upload((upload.name, upload.data, upload.media_type)))
        ready = tally.timed("until searchable", lambda: session.wait(document.document_id))
        assert ready.status == "ready", ready.error
        for _ in range(3):
            answer = tally.timed("ask", lambda: session.ask(f"Which door does key number {number} open?"))
            assert answer.passages[0].page == 10
    finally:
        tally.timed("sign out", session.sign_out)


def footprint(service: Service) -> dict[str, int]:
    """Count what a leak would show in."""
    processes = inspection.processes(service)
    return {
        "processes": len(processes),
        "descriptors": sum(process.num_fds() for process in processes),
        "threads": sum(process.num_threads() for process in processes),
        "resident_mb": sum(process.memory_info().rss for process in processes) // 1_000_000,
        "ram_disk_files": sum(1 for file in service.runtime_dir.rglob("*") if file.is_file()),
    }


def crowd(service: Service, learners: int, seconds: float, tally: Tally) -> list[str]:
    """Let that many learners live at once for that long; return what ended any of them early."""
    failures: list[str] = []
    end = time.monotonic() + seconds

    def live(number: int) -> None:
        try:
            learner(service, number, tally, end)
        except Exception as error:  # noqa: BLE001  # Whatever ends a learner is a finding of the run.
            failures.append(repr(error))

    threads = [threading.Thread(target=live, args=(number,)) for number in range(1, learners + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    inspection.wait_until(service, lambda: not inspection.session_processes(service))
    return failures


def run(*, learners: int = LEARNERS, seconds: float = SECONDS) -> dict[str, Any]:
    """Run the load and return its figures. A short crowd comes first: pools grow to their size once and stay there."""
    tally = Tally()
    with running() as service:
        crowd(service, learners, WARM_UP_SECONDS, Tally())
        before = footprint(service)
        failures = crowd(service, learners, seconds, tally)
        after = footprint(service)
    return {
        "machine": describe(),
        "learners": learners,
        "seconds": seconds,
        "visits": len(tally.seconds["sign out"]),
        "steps_seconds": tally.summary(),
        "refusals": dict(tally.refusals),
        "failures": failures,
        "before": before,
        "after": after,
    }


def _spread(ordered: list[float]) -> dict[str, float]:
    return {
        "count": len(ordered),
        "median": round(statistics.median(ordered), 4),
        "p95": round(ordered[int(len(ordered) * 0.95) - 1], 4),
        "max": round(ordered[-1], 4),
    }


if __name__ == "__main__":
    json.dump(run(), sys.stdout, indent=1)
