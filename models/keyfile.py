"""Small secret files: made once, mode 0600, never overwritten but by ``replace``."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path


class KeyFileRefused(RuntimeError):
    """A secret file is readable by others, or has the wrong size."""


def load_or_create(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return the secret in ``path``; when there is none, write what ``make`` returns, durably, and return that.

    Two processes that start together get the same secret. Raises ``KeyFileRefused`` when others may read the file.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _create(path, make())
    mode = path.stat().st_mode
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyFileRefused(f"{path.name} must be readable by its owner only (mode 0600)")
    return path.read_bytes()


def replace(path: Path, secret: bytes) -> None:
    """Put another secret in the place of one, durably and at once: who reads it meanwhile gets either whole."""
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)


def _create(path: Path, secret: bytes) -> None:
    # A hard link appears complete or not at all and never replaces what another process put there first.
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # mkstemp makes the file with mode 0600.
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(temporary)
    finally:
        temporary.unlink()
