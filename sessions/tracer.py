"""A session's tracer: a word that goes wherever its content goes, so that what is left of a session can be looked for.

Owns how the word is made: of a secret that the launcher makes at each start, and the session's id. So it is kept
nowhere, any front of this machine can make it again when the session's process and the host are dead, and no other
start of the service can. It opens nothing and names nobody.
"""

import hmac
import secrets
from collections.abc import Generator
from contextlib import contextmanager

SECRET_BYTES = 32
TRACER_BYTES = 64
_TAG_BYTES = 8
_DIGITS = b"0123456789abcdef"


class Tracers:
    """Makes the tracers of one start of the service; ``start`` is its public name, 16 hex digits.

    All tracers of a start begin alike, so that one pass over memory finds every one; that beginning is not ``start``.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._tag = hmac.digest(secret, b"how tracers begin", "sha256")[:_TAG_BYTES]
        self.start = hmac.digest(secret, b"the name of this start", "sha256").hex()[:16]

    @classmethod
    def of(cls, secret: bytes) -> "Tracers | None":
        """Return the tracers of a secret; ``None`` for no secret, which is how tracers are switched off."""
        return cls(secret) if secret else None

    def name_host(self) -> str:
        """Return a name for a host of this start that no other host has."""
        return f"{self.start}-{secrets.token_hex(16)}"

    def knows(self, host_instance: str) -> bool:
        """Say whether a host was of this start: the tracers of another start's sessions cannot be made."""
        return host_instance.startswith(f"{self.start}-")

    def text(self, session_id: str) -> str:
        """Return the tracer, 64 hex digits. For the session's own process: whoever else has this word finds itself."""
        return self._digest(session_id).hex()

    def masked_beginning(self) -> tuple[bytes, bytes]:
        """Return how all tracers of this start begin, masked, and the mask: neither is a part of any tracer."""
        beginning, mask = bytearray(2 * _TAG_BYTES), secrets.token_bytes(2 * _TAG_BYTES)
        _write_digits(beginning, self._tag)
        for place, byte in enumerate(mask):
            beginning[place] ^= byte
        return bytes(beginning), mask

    def is_rest_of(self, tail: bytes, session_id: str) -> bool:
        """Say whether this followed such a beginning in the tracer of a session; at least half of it must be there."""
        with self.needle(session_id) as needle:
            rest = memoryview(needle)[2 * _TAG_BYTES :]
            return len(tail) >= len(rest) // 2 and hmac.compare_digest(rest[: len(tail)], tail)

    @contextmanager
    def needle(self, session_id: str) -> Generator[bytearray]:
        """Yield the tracer's bytes in the one place where they are, and overwrite them afterwards."""
        needle = bytearray(TRACER_BYTES)
        _write_digits(needle, self._digest(session_id))
        try:
            yield needle
        finally:
            needle[:] = bytes(TRACER_BYTES)

    def _digest(self, session_id: str) -> bytes:
        own = hmac.digest(self._secret, b"tracer of " + session_id.encode(), "sha256")
        return self._tag + own[_TAG_BYTES:]


def _write_digits(buffer: bytearray, data: bytes) -> None:
    """Write bytes as hex digits without making them anywhere else."""
    for place, byte in enumerate(data):
        buffer[2 * place], buffer[2 * place + 1] = _DIGITS[byte >> 4], _DIGITS[byte & 15]
