"""What a front remembers of sessions in its memory: when each would end, and whose token was seen.

The ends, as the host last said, so that looking does not count as using. The hashes of tokens, so that a session can be
ended while the record cannot be asked whose token it is.
"""

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
        self._tokens: dict[str, str] = {}

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

    def is_over(self, session_id: str) -> bool:
        """Say whether the last lease this front knows of is over; another front may know of a later one."""
        with self._lock:
            end = self._ends.get(session_id)
        return end is not None and end <= _boot_clock()

    def know(self, token_hash: str, session_id: str) -> None:
        """Remember whose a token is that the record has just called good."""
        with self._lock:
            self._tokens[token_hash] = session_id

    def session_of(self, token_hash: str) -> str | None:
        """Return the session of a token that this front has seen good. Whether it still is, only the record says."""
        with self._lock:
            return self._tokens.get(token_hash)

    def forget_ended(self) -> None:
        """Drop the leases that are over, and the tokens of sessions without a lease."""
        now = _boot_clock()
        with self._lock:
            self._ends = {session_id: end for session_id, end in self._ends.items() if end > now}
            self._tokens = {token: session for token, session in self._tokens.items() if session in self._ends}


def _from_now(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)
