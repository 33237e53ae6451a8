"""Finding an account by e-mail address or user name without storing either.

A lookup hash is HMAC-SHA-256 under a secret of this deployment that is not in the database. Who has the database alone
cannot even test a guess.
"""

import hashlib
import hmac
import unicodedata
from pathlib import Path

from models import keyfile
from models.sealing import KEY_BYTES, new_key


class LookupKey:
    """The deployment's secret for lookup hashes (32 bytes)."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise keyfile.KeyFileRefused("the record key must be 32 bytes")
        self._key = key

    @classmethod
    def load(cls, path: Path) -> "LookupKey":
        """Read the key file, or make it (mode 0600) on the first start. Without it nobody can sign in: back it up."""
        return cls(keyfile.load_or_create(path, new_key))

    def email(self, email: str) -> str:
        """Return the lookup hash (64 hex digits) of an e-mail address."""
        return self._hash(b"email", email)

    def username(self, username: str) -> str:
        """Return the lookup hash (64 hex digits) of a user name."""
        return self._hash(b"username", username)

    def _hash(self, purpose: bytes, name: str) -> str:
        return hmac.new(self._key, purpose + b"\0" + normal_name(name).encode(), hashlib.sha256).hexdigest()


def normal_name(name: str) -> str:
    """Return the one form of a name that counts: NFKC, case folded, blanks at the ends gone and inside single."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())
