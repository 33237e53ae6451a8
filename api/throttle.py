"""How often somebody may try: rate limits, counted in this process's memory.

Keys are addresses, accounts and sessions hashed under a secret of this run, so that not even a memory image lists who
came. Behind one proxy all learners share an address: an address may do ten times what an account or a session may. A
sign-up has no account yet, so its limit is the address's own and leaves room for classes that start together.
"""

import hashlib
import math
import os
import time
from collections.abc import Iterable

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from api.settings import AccountSettings
from models.accounts.lookup import normal_name
from models.errors import RateLimited

_ADDRESS_FACTOR = 10


class Throttle:
    """The rate limits of one front."""

    def __init__(self, settings: AccountSettings) -> None:
        self._salt = os.urandom(16)
        self._storage = MemoryStorage()
        self._limiter = MovingWindowRateLimiter(self._storage)
        self._sign_ins = RateLimitItemPerMinute(settings.sign_ins_per_minute)
        self._sign_ins_of_address = RateLimitItemPerMinute(settings.sign_ins_per_minute * _ADDRESS_FACTOR)
        self._sign_ups = RateLimitItemPerHour(settings.sign_ups_per_hour)
        self._queries = RateLimitItemPerMinute(settings.queries_per_minute)
        self._failed_grants = RateLimitItemPerMinute(settings.queries_per_minute * _ADDRESS_FACTOR)

    def sign_in(self, address: str, email: str) -> None:
        """Count an attempt to sign in or to recover. Raises ``RateLimited``."""
        email = normal_name(email)
        self._hit([(self._sign_ins_of_address, "sign-in", address), (self._sign_ins, "sign-in-to", email)])

    def sign_up(self, address: str) -> None:
        """Count a new account. Raises ``RateLimited``."""
        self._hit([(self._sign_ups, "sign-up", address)])

    def query(self, session_id: str) -> None:
        """Count a question to a session. Raises ``RateLimited``."""
        self._hit([(self._queries, "query", session_id)])

    def refuse_spent(self, session_id: str) -> None:
        """Raise ``RateLimited`` when a session has no question left. Counts nothing."""
        key = self._key(session_id)
        if not self._limiter.test(self._queries, "query", key):
            raise self._refusal(self._queries, "query", key)

    def failed_grant(self, address: str) -> None:
        """Count a grant that does not hold. Raises ``RateLimited``."""
        self._hit([(self._failed_grants, "grant", address)])

    def hook(self, address: str) -> None:
        """Count a wrong hook secret. Raises ``RateLimited``."""
        self._hit([(self._sign_ins_of_address, "hook", address)])

    def forget_idle(self) -> None:
        """Drop whoever nothing is counted of any more: the library keeps every key for good, one a session."""
        for key in [key for key, events in self._storage.events.copy().items() if not events]:
            with self._storage.locks[key]:
                if not self._storage.events.get(key):
                    self._storage.events.pop(key, None)
                    self._storage.locks.pop(key, None)

    def _hit(self, counted: Iterable[tuple[RateLimitItem, str, str]]) -> None:
        for item, purpose, who in counted:
            key = self._key(who)
            if not self._limiter.hit(item, purpose, key):
                raise self._refusal(item, purpose, key)

    def _key(self, who: str) -> str:
        return hashlib.blake2b(who.encode(errors="replace"), key=self._salt, digest_size=16).hexdigest()

    def _refusal(self, item: RateLimitItem, purpose: str, key: str) -> RateLimited:
        reset_at = self._limiter.get_window_stats(item, purpose, key).reset_time
        return RateLimited(retry_after_seconds=max(1, math.ceil(reset_at - time.time())))
