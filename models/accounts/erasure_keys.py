"""The half of every learner key's wrap that lies outside the database: one small file an account.

Owns that an erasure reaches backups. A password or a recovery code alone opens nothing: a wrap is made under it *and*
this key, and this key is destroyed when the account is erased. What copies of the database still hold then opens no
more. Refuses to be part of any backup that is kept: see docs/adr/0016-erasure-reaches-backups.md.
"""

import contextlib
import os
from pathlib import Path

from models import keyfile
from models.sealing import KEY_BYTES


class ErasureKeys:
    """The erasure keys of this deployment: 32 random bytes an account, in a folder of mode 0700."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, user_id: str, key: bytes) -> None:
        """Write the key of a new account down, durably: it is there before the account is."""
        keyfile.load_or_create(self._folder / user_id, lambda: key)
        self._settle()

    def get(self, user_id: str) -> bytes | None:
        """Return the key of an account; ``None`` when it was destroyed, or lost."""
        try:
            return (self._folder / user_id).read_bytes()
        except FileNotFoundError:
            return None

    def destroy(self, user_id: str) -> bool:
        """Overwrite and remove the key of an account; say whether there was one. What it half wrapped stays shut."""
        file = self._folder / user_id
        with contextlib.suppress(FileNotFoundError):
            with file.open("r+b", buffering=0) as held:
                held.write(os.urandom(KEY_BYTES))
                os.fsync(held.fileno())
            file.unlink()
            self._settle()
            return True
        return False

    def missing(self, user_ids: list[str]) -> list[str]:
        """Return those accounts whose key is not there: nobody can sign in to them."""
        return [user_id for user_id in user_ids if not (self._folder / user_id).exists()]

    def _settle(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
