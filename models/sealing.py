"""Sealing of short texts under a 32-byte key: the only form in which a learner's own words may reach SQL.

AES-256-GCM with a random 12-byte nonce in front. ``purpose`` is authenticated with the text, so that a sealed file name
cannot be passed off as a sealed user name. With random nonces one key is good for 2**32 messages (NIST SP 800-38D,
8.3).
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12


class SealBroken(ValueError):
    """The key is another one, the purpose is another one, or the bytes were changed."""


def new_key() -> bytes:
    """Return 32 random bytes."""
    return os.urandom(KEY_BYTES)


def seal(key: bytes, plain: bytes, *, purpose: str) -> bytes:
    """Return ``plain`` encrypted and authenticated: 12 bytes of nonce, the ciphertext, 16 bytes of tag."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, purpose.encode())


def unseal(key: bytes, sealed: bytes, *, purpose: str) -> bytes:
    """Return what was sealed. Raises ``SealBroken`` when key, purpose or bytes do not fit."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose.encode())
    except (InvalidTag, ValueError) as error:
        raise SealBroken from error
