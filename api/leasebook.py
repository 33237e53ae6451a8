"""When each session would end, as the host last said: so that looking does not count as using."""

import threading
import time
from datetime import UTC, datetime, timedelta

from sessions.messages import Leased


def _boot_clock() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class LeaseBook:
    """The latest lease of every session this front has renewed. A front that restarts starts with an empty book."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: dict[str, float] = {}

    def note(self, session_id: str, lease: Leased) -> datetime:
        """Remember a lease that was just given and return when it ends (UTC)."""
        seconds_left = min(lease.idle_seconds_left, lease.absolute_seconds_left)
        with self._lock:
            self._ends[session_id] = _boot_clock() + seconds_left
        return _from_now(seconds_left)

    def end_of(self, session_id: str) -> datetime | None:
        """Return when the session ends unless it is used (UTC), or ``None`` when this front never renewed it."""
        with self._lock:
            end = self._ends.get(session_id)
        return None if end is None else _from_now(max(0.0, end - _boot_clock()))

    def forget_ended(self) -> None:
        """Drop the leases that are over."""
        now = _boot_clock()
        with self._lock:
            self._ends = {session_id: end for session_id, end in self._ends.items() if end > now}


def _from_now(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)
