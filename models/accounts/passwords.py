"""Passwords: argon2id, never more at once than the machine can bear.

Every run of argon2 goes through one gate, which bounds them (64 MiB each by default) and counts them.
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


class Passwords:
    """Hashes passwords and derives keys from them.

    ``memory_kib`` and ``passes`` are argon2id's (RFC 9106); ``concurrent`` runs go on at once, the others wait.
    """

    def __init__(self, *, memory_kib: int, passes: int, concurrent: int) -> None:
        self.cost = Cost(memory_kib=memory_kib, passes=passes, lanes=1)
        self._hasher = PasswordHash((Argon2Hasher(time_cost=passes, memory_cost=memory_kib, parallelism=1),))
        self._gate = threading.BoundedSemaphore(concurrent)
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
        with self._gate:
            with self._counting:
                self.runs += 1
            yield


def normal_password(password: str) -> str:
    """Return the form that is hashed: NFKC, so that it is the same on every keyboard (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)
