"""The front's background thread: it finishes what ended by itself, and opens the doors once it has done so first."""

import threading
import time

from api import logging
from api.alarm import raise_alarm
from api.erasure import finish_interrupted
from api.resources import Progress, Resources
from models.errors import MayflyError
from models.receipts.signing import Receipt
from sessions.sweep import Swept, sweep

_RETRY_SECONDS = 0.25


class Sweeper:
    """Sweeps at once and then every ``sweep_seconds``, until stopped."""

    def __init__(self, resources: Resources, progress: Progress) -> None:
        self._resources = resources
        self._progress = progress
        self._stopping = threading.Event()
        self._memory_due_at = 0.0
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        """Begin. The first sweep opens the front's doors."""
        self._thread.start()

    def stop(self) -> None:
        """Return when the sweep in progress, if any, is over."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            swept = self._sweep()
            if swept:
                self._finish_erasures()
                self._search_memory()
            pause = self._resources.settings.sessions.sweep_seconds if swept else _RETRY_SECONDS

    def _sweep(self) -> bool:
        try:
            # A front that has just started must find the host, or it would take a host that is starting for a dead one.
            if not self._progress.is_open:
                self._resources.host.hello()
            swept = sweep(self._resources.purge_parts)
        except MayflyError as error:
            self._note_failure(error)
            return False
        except Exception as error:  # noqa: BLE001  # A sweeper that dies would leave everything behind from then on.
            self._note_failure(error)
            return False
        return self._note(swept)

    def _finish_erasures(self) -> None:
        try:
            finish_interrupted(self._resources)
        except Exception as error:  # noqa: BLE001  # As above; the doors stay open.
            self._note_failure(error)

    def _search_memory(self) -> None:
        """Look for the tracers of ended sessions in the embedder's memory, now and then: it takes a while."""
        search, sessions = self._resources.purge_parts.search, self._resources.settings.sessions
        if search is None or time.monotonic() < self._memory_due_at:
            return
        try:
            found = search.search_embedder(self._resources.embedder)
        except Exception as error:  # noqa: BLE001  # As above.
            self._note_failure(error)
            return
        self._memory_due_at = time.monotonic() + sessions.memory_search_seconds
        for session_id, count in found.items():
            raise_alarm("embedder_memory", count, session_id, metrics=self._resources.metrics)

    def _note(self, swept: Swept) -> bool:
        """Tell what a sweep did; say whether it may be followed by a pause.

        The doors stay closed while the first one left anything of an earlier run behind.
        """
        self._resources.leases.forget_ended()
        self._resources.throttle.forget_idle()
        for receipt in swept.receipts:
            self._tell(receipt)
        if swept.unfinished:
            logging.get().warning("purges_unfinished", count=len(swept.unfinished))
        if not self._progress.is_open:
            if swept.unfinished:
                return False
            logging.get().info("start_up_sweep_done", count=len(swept.receipts))
        self._progress.note_sweep()
        self._resources.metrics.last_sweep.set_to_current_time()
        return True

    def _tell(self, receipt: Receipt) -> None:
        statement = receipt.statement
        self._resources.metrics.purges.labels(statement.reason).inc()
        logging.get().info(
            "session_purged",
            session_id=statement.session_id,
            reason=statement.reason,
            receipt_id=statement.receipt_id,
            documents=statement.documents_purged,
        )

    def _note_failure(self, error: Exception) -> None:
        self._resources.metrics.sweep_failures.inc()
        logging.get().warning("sweep_failed", error=type(error).__name__, where=logging.where(error))
