"""Random names for things, and bearer tokens. Nothing here can be guessed, ordered or traced back to content."""

import hashlib
import re
import secrets

_ID = re.compile(r"[0-9a-f]{32}")


def new_id() -> str:
    """Return a fresh identifier: 128 random bits as 32 lower-case hex digits."""
    return secrets.token_hex(16)


def is_id(untrusted: str) -> bool:
    """Say whether this has the form of an identifier, and so may become part of a path."""
    return _ID.fullmatch(untrusted) is not None


def new_token() -> str:
    """Return a fresh bearer token: 256 random bits in URL-safe base64."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """Return the only form of a token that may be stored: its SHA-256 as 64 hex digits.

    A plain hash suffices because a token has 256 random bits; there is nothing to guess.
    """
    return hashlib.sha256(token.encode()).hexdigest()
