"""Who may still live: the idle and absolute end of every session.

Owns the clock. It is the one that goes on while the machine sleeps: a laptop opened in the morning finds its sessions
over.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sessions.messages import EndedBy, Leased


def boot_clock() -> float:
    """Return seconds since the machine started, time asleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(slots=True)
class _Lease:
    idle_seconds: float
    idle_end: float
    absolute_end: float


class Leases:
    """The leases of one host, all on one clock."""

    def __init__(self, clock: Callable[[], float] = boot_clock) -> None:
        self._clock = clock
        self._leases: dict[str, _Lease] = {}

    def __len__(self) -> int:
        return len(self._leases)

    def __iter__(self) -> Iterator[str]:
        return iter(self._leases)

    def __contains__(self, session_id: object) -> bool:
        return session_id in self._leases

    def open(self, session_id: str, *, idle_seconds: float, absolute_seconds: float) -> Leased:
        """Start a lease; both ends count from now."""
        now = self._clock()
        lease = _Lease(idle_seconds, idle_end=now + idle_seconds, absolute_end=now + absolute_seconds)
        self._leases[session_id] = lease
        return _left(lease, now)

    def renew(self, session_id: str) -> Leased | None:
        """Let the idle time start anew and return what is left; ``None`` when there is no lease or it is over."""
        now = self._clock()
        lease = self._leases.get(session_id)
        if lease is None or _ended(lease, now):
            return None
        lease.idle_end = now + lease.idle_seconds
        return _left(lease, now)

    def end(self, session_id: str) -> bool:
        """Forget a lease; say whether there was one."""
        return self._leases.pop(session_id, None) is not None

    def expired(self) -> dict[str, EndedBy]:
        """Return the leases that are over, and by which end. They stay until ``end`` names them."""
        now = self._clock()
        return {
            session_id: ended for session_id, lease in self._leases.items() if (ended := _ended(lease, now)) is not None
        }

    def seconds_to_next_end(self) -> float | None:
        """Return how long nothing can expire, at least 0; ``None`` without a lease."""
        ends = [min(lease.idle_end, lease.absolute_end) for lease in self._leases.values()]
        return max(0.0, min(ends) - self._clock()) if ends else None


def _ended(lease: _Lease, now: float) -> EndedBy | None:
    if now >= lease.absolute_end:
        return "absolute"
    return "idle" if now >= lease.idle_end else None


def _left(lease: _Lease, now: float) -> Leased:
    absolute = lease.absolute_end - now
    return Leased(idle_seconds_left=min(lease.idle_end - now, absolute), absolute_seconds_left=absolute)
