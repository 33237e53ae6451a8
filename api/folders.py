"""The service's folders: private, made on demand, and used by one service at a time."""

import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Generator
from pathlib import Path

from api.settings import Settings


class FolderRefused(Exception):
    """A folder cannot be used; the reason is for the operator."""


@contextlib.contextmanager
def claimed(settings: Settings) -> Generator[None]:
    """Make the folders, hold them against other services, and empty the temporary one before and after.

    Raises ``FolderRefused`` for a folder of somebody else, or one that another service uses.
    """
    private(settings.runtime_dir)
    private(settings.data_dir)
    with _locked(settings.runtime_dir), _locked(settings.data_dir):
        for folder in (settings.sockets.sessions, settings.sockets.quarantine):
            private(folder)
        _empty(settings.sockets.temporary)
        try:
            yield
        finally:
            _empty(settings.sockets.temporary)


def private(folder: Path) -> None:
    """Make a folder that only our user can enter. Raises ``FolderRefused`` when it is a link or another user's."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise FolderRefused(f"{folder} cannot be made: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise FolderRefused(f"{folder} is not a folder of this user")
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)


@contextlib.contextmanager
def _locked(folder: Path) -> Generator[None]:
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderRefused(f"another service uses {folder}") from error
        yield


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    private(folder)
