"""The learner key, wrapped: it is stored twice, once under the password and once under the recovery code.

Each needs the account's erasure key as well, which lies outside the database. A wrap is 9 bytes of argon2id cost (zeros
for a recovery code), 16 bytes of salt, then the sealed key. The code has 160 random bits, so HKDF is enough for it; a
password needs argon2id.
"""

import base64
import os
import secrets
import struct
from typing import NamedTuple

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from models.sealing import SealBroken, seal, unseal

_HEADER = struct.Struct(">IIB16s")
_PURPOSE = "learner key"
_CODE_BYTES = 20


class Cost(NamedTuple):
    """Argon2id parameters, kept with every wrap so that they can be raised later."""

    memory_kib: int
    passes: int
    lanes: int


_FREE = Cost(0, 0, 0)


def new_salt() -> bytes:
    """Return 16 random bytes."""
    return os.urandom(16)


def wrap(learner_key: bytes, wrapping_key: bytes, *, salt: bytes, cost: Cost = _FREE) -> bytes:
    """Seal the learner key under a wrapping key that was derived with this salt and cost."""
    return _HEADER.pack(*cost, salt) + seal(wrapping_key, learner_key, purpose=_PURPOSE)


def parameters(wrapped: bytes) -> tuple[Cost, bytes]:
    """Return cost and salt of a wrap. Raises ``SealBroken`` when it is none."""
    try:
        memory_kib, passes, lanes, salt = _HEADER.unpack_from(wrapped)
    except struct.error as error:
        raise SealBroken from error
    return Cost(memory_kib, passes, lanes), salt


def unwrap(wrapped: bytes, wrapping_key: bytes) -> bytes:
    """Return the learner key (32 bytes). Raises ``SealBroken`` when the wrapping key is another one."""
    return unseal(wrapping_key, wrapped[_HEADER.size :], purpose=_PURPOSE)


def new_recovery_code() -> str:
    """Return a fresh code: 160 random bits as 32 base32 letters in groups of four."""
    letters = base64.b32encode(secrets.token_bytes(_CODE_BYTES)).decode()
    return "-".join(letters[place : place + 4] for place in range(0, len(letters), 4))


def joined(wrapping_key: bytes, erasure_key: bytes) -> bytes:
    """Return the key (32 bytes) that only both together give (HKDF-SHA-256, RFC 5869)."""
    kdf = HKDF(algorithm=SHA256(), length=32, salt=erasure_key, info=b"mayfly learner key")
    return kdf.derive(wrapping_key)


def recovery_key(code: str, salt: bytes) -> bytes:
    """Return the wrapping key of a recovery code; case, blanks and hyphens do not matter."""
    letters = "".join(character for character in code.upper() if character.isalnum())
    kdf = HKDF(algorithm=SHA256(), length=32, salt=salt, info=b"mayfly recovery code")
    return kdf.derive(letters.encode())
