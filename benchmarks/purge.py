"""How long from signing out until the receipt of a verified purge is there, while somebody else's book is read.

Run ``python -m benchmarks.purge [--chunks 1000,10000] [--sessions 20,10] [--data-dir FOLDER] [--without-tracer]``. It
starts a service whose record lies on a disk (a RAM disk would make its commits free), fills that many sessions of each
size over HTTP with the packaged model, and signs them out one after the other. Beside it another learner uploads a
book, again and again. Times are milliseconds of wall clock at the client; the steps are what the receipts say. It fails
when a receipt is not true.
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from api.client import FINAL, Client, LearnerSession, Receipt
from api.receipts import is_valid
from api.weaknesses import filesystem_of
from benchmarks.ingest import page_text
from benchmarks.machine import describe
from benchmarks.material import shelf
from benchmarks.results import percentile
from tests.conftest import new_learner
from tests.support import library
from tests.support.service import Service, running

GOALS_MS = {1_000: 200, 10_000: 1_000}
_FINISHED_SECONDS = 600.0
_PAUSE_SECONDS = 0.2


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--chunks", default="1000,10000")
    parser.add_argument("--sessions", default="20,10")
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--data-dir", type=Path, default=None)
    parser.add_argument("--without-tracer", action="store_true")
    arguments = parser.parse_args()
    sizes = dict(
        zip(map(int, arguments.chunks.split(",")), map(int, arguments.sessions.split(",")), strict=True),
    )
    with tempfile.TemporaryDirectory(dir=arguments.data_dir) as folder:
        print(json.dumps(measure(sizes, arguments.pages, Path(folder), tracer=not arguments.without_tracer), indent=2))


def measure(sizes: dict[int, int], pages: int, data_dir: Path, *, tracer: bool) -> dict[str, object]:
    """Return times of sign-outs by number of chunks."""
    settings = {"MAYFLY_DATA_DIR": str(data_dir), "MAYFLY_SESSIONS_TRACER": str(tracer)}
    with running(settings) as service, Client(service.url, timeout_seconds=600) as client:
        return {
            "machine": describe(),
            "tracer": tracer,
            "record_lies_on": filesystem_of(data_dir),
            "book_beside_pages": pages,
            "sizes": [sign_outs(service, client, chunks, count, pages) for chunks, count in sizes.items()],
        }


def sign_outs(service: Service, client: Client, chunks: int, count: int, pages: int) -> dict[str, object]:
    """Fill sessions, then time the end of each while a book is read for somebody else."""
    sessions = [filled(client, chunks) for _ in range(count)]
    ended, beside = list[tuple[float, Receipt]](), 0
    with reading_beside(client, pages) as reader:
        for session in sessions:
            reader.wait_until_at_work()
            ended.append(timed_sign_out(service, client, session, chunks))
            beside += reader.is_at_work
            time.sleep(_PAUSE_SECONDS)
    times = [milliseconds for milliseconds, _ in ended]
    return {
        "chunks": chunks,
        "sign_outs": count,
        "p50_ms": round(statistics.median(times), 1),
        "p95_ms": round(percentile(times, 0.95), 1),
        "max_ms": round(max(times), 1),
        "goal_p95_ms": GOALS_MS.get(chunks),
        "steps_ms": steps([receipt for _, receipt in ended]),
        "while_a_book_was_read": beside,
    }


def filled(client: Client, chunks: int) -> LearnerSession:
    """Return a session in which that many chunks can be searched."""
    session = new_learner(client)
    uploads = shelf(chunks)
    documents = session.upload(*((upload.name, upload.data, upload.media_type) for upload in uploads))
    assert all(session.wait(document.document_id).status == "ready" for document in documents)
    assert session.held()["chunks"] == chunks
    return session


class Reader:
    """Another learner, whose book is uploaded, read and deleted again and again in a thread."""

    def __init__(self, session: LearnerSession, pages: int) -> None:
        self._session = session
        self._book = library.pdf([page_text(number) for number in range(1, pages + 1)])
        self._at_work, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._read)

    def wait_until_at_work(self) -> None:
        """Return while the chunks of a book are being embedded."""
        assert self._at_work.wait(_FINISHED_SECONDS), "no book is read"

    @property
    def is_at_work(self) -> bool:
        """Whether the chunks of a book are being embedded."""
        return self._at_work.is_set()

    def start(self) -> None:
        """Begin with the first book."""
        self._thread.start()

    def stop(self) -> None:
        """Return when the last book is left."""
        self._over.set()
        self._thread.join(_FINISHED_SECONDS)

    def _read(self) -> None:
        while not self._over.is_set():
            (document,) = self._session.upload((self._book.name, self._book.data, self._book.media_type))
            while not self._over.wait(0.05):
                status = self._session.document(document.document_id).status
                if status in FINAL:
                    break
                if status == "embedding":
                    self._at_work.set()
            self._at_work.clear()
            self._session.delete(document.document_id)


@contextmanager
def reading_beside(client: Client, pages: int) -> Generator[Reader]:
    """Have books read for another learner while the block runs."""
    with new_learner(client) as session:
        reader = Reader(session, pages)
        reader.start()
        try:
            yield reader
        finally:
            reader.stop()


def timed_sign_out(service: Service, client: Client, session: LearnerSession, chunks: int) -> tuple[float, Receipt]:
    """Return how long a sign-out took, and its receipt, after a look that it is true."""
    started = time.perf_counter()
    receipt = session.sign_out()
    milliseconds = (time.perf_counter() - started) * 1000
    assert is_valid(receipt, client.receipt_key())
    assert receipt["statement"]["chunks_purged"] == chunks
    assert not (service.runtime_dir / "sessions" / f"{session.session_id}.sock").exists()
    return milliseconds, receipt


def steps(receipts: list[Receipt]) -> dict[str, dict[str, float]]:
    """Return median and maximum of every step, as the receipts say."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for receipt in receipts:
        for step in receipt["statement"]["steps"]:
            found[step["name"]].append(step["duration_ms"])
    return {name: {"p50": statistics.median(values), "max": max(values)} for name, values in found.items()}


if __name__ == "__main__":
    main()
