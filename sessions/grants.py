"""The tutor's right to ask: grants, of which only a hash is kept."""

import hashlib
import secrets
import threading
from collections.abc import Callable

from models.errors import RateLimited, SessionExpired
from sessions.leases import boot_clock

SECRET_BYTES = 32
_MAX_GRANTS = 1000


class Grants:
    """The grants of one session. Safe to use from several threads."""

    def __init__(self, clock: Callable[[], float] = boot_clock) -> None:
        self._clock = clock
        self._ends: dict[bytes, float] = {}
        self._lock = threading.Lock()

    def mint(self, ttl_seconds: float) -> bytes:
        """Return a new secret that ``check`` accepts for ``ttl_seconds``. Raises ``RateLimited`` past 1,000 of them."""
        secret = secrets.token_bytes(SECRET_BYTES)
        now = self._clock()
        with self._lock:
            self._ends = {digest: end for digest, end in self._ends.items() if end > now}
            if len(self._ends) >= _MAX_GRANTS:
                raise RateLimited(retry_after_seconds=max(1, round(min(self._ends.values()) - now)))
            self._ends[_digest(secret)] = now + ttl_seconds
        return secret

    def check(self, secret: bytes) -> None:
        """Return when the secret is a grant that still holds. Raises ``SessionExpired`` otherwise."""
        with self._lock:
            end = self._ends.get(_digest(secret))
        if end is None or self._clock() >= end:
            raise SessionExpired


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()
