"""Passwords: argon2id, never more at once than the machine can bear.

Every run of argon2 goes through one gate, which bounds them (64 MiB each by default) and counts them. Few may wait at
the gate, and not for long: a burst of sign-ins must not take every thread of the front.
"""

import contextlib
import secrets
import threading
import unicodedata
from collections.abc import Generator

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from models.accounts.wraps import Cost
from models.errors import RateLimited

# Who finds no room to wait, or waits too long, is told to come back. With the 64 runs at once that the settings allow,
# 32 who wait still leave threads of the front's 100 to everybody else.
_WAITING_PER_RUN = 8
_MAX_WAITING = 32
_MAX_WAIT_SECONDS = 5.0
_RETRY_AFTER_SECONDS = 2


class Passwords:
    """Hashes passwords and derives keys from them.

    ``memory_kib`` and ``passes`` are argon2id's (RFC 9106); ``concurrent`` runs go on at once, eight times as many wait
    (32 at most) for at most ``max_wait_seconds``. Runs of argon2 raise ``RateLimited`` when there is no room to wait.
    """

    def __init__(
        self, *, memory_kib: int, passes: int, concurrent: int, max_wait_seconds: float = _MAX_WAIT_SECONDS
    ) -> None:
        self.cost = Cost(memory_kib=memory_kib, passes=passes, lanes=1)
        self._hasher = PasswordHash((Argon2Hasher(time_cost=passes, memory_cost=memory_kib, parallelism=1),))
        self._gate = threading.BoundedSemaphore(concurrent)
        self._room = threading.BoundedSemaphore(concurrent + min(_WAITING_PER_RUN * concurrent, _MAX_WAITING))
        self._max_wait_seconds = max_wait_seconds
        self._counting = threading.Lock()
        self.runs = 0
        self._decoy = self.hash(secrets.token_urlsafe(32))

    def hash(self, password: str) -> str:
        """Return the argon2id hash, with its salt and parameters. One run."""
        with self._run():
            return self._hasher.hash(normal_password(password))

    def matches(self, password: str, password_hash: str | None) -> bool:
        """Say whether the password has this hash. ``None`` (no such account) costs exactly the same. One run."""
        with self._run():
            matched = self._hasher.verify(normal_password(password), password_hash or self._decoy)
        return matched and password_hash is not None

    def needs_rehash(self, password_hash: str) -> bool:
        """Say whether the hash was made with other parameters than today's. No run."""
        return self._hasher.current_hasher.check_needs_rehash(password_hash)

    def derive(self, password: str, salt: bytes, cost: Cost) -> bytes:
        """Return the 32-byte key that the password opens the learner key with. One run."""
        kdf = Argon2id(salt=salt, length=32, iterations=cost.passes, lanes=cost.lanes, memory_cost=cost.memory_kib)
        with self._run():
            return kdf.derive(normal_password(password).encode())

    @contextlib.contextmanager
    def _run(self) -> Generator[None]:
        with (
            _acquired(self._room, timeout_seconds=0),
            _acquired(self._gate, timeout_seconds=self._max_wait_seconds),
        ):
            with self._counting:
                self.runs += 1
            yield


@contextlib.contextmanager
def _acquired(semaphore: threading.Semaphore, *, timeout_seconds: float) -> Generator[None]:
    if not semaphore.acquire(timeout=timeout_seconds):
        raise RateLimited(retry_after_seconds=_RETRY_AFTER_SECONDS)
    try:
        yield
    finally:
        semaphore.release()


def normal_password(password: str) -> str:
    """Return the form that is hashed: NFKC, so that it is the same on every keyboard (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)
