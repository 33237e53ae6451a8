"""Every place where something of a session could be left, as docs/architecture.md lists them."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from api.proving.deployment import Deployment
from models import database_files
from models.database import Database
from models.errors import PartUnavailable

_CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
_CORE_COLLECTORS = ("/var/lib/systemd/coredump", "/var/lib/apport/coredump", "/var/crash")
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108  # Looked through, not written to.


@dataclass(frozen=True, slots=True)
class Place:
    """Folders that are searched together, with those below if ``deep``: all files, or those changed since the start.

    A file that was not changed since then cannot hold a marker that did not exist before. ``unproven`` says why a place
    cannot be searched at all.
    """

    name: str
    folders: tuple[Path, ...] = ()
    only_changed: bool = False
    deep: bool = True
    unproven: str | None = None


def places(deployment: Deployment, database: Database) -> Iterator[Place]:
    """Yield all places of files. Folders that do not exist are left out: nothing can lie in them."""
    settings = deployment.settings
    environment = deployment.launcher().environ()
    temporary = {environment[name] for name in ("TMPDIR", "TEMP", "TMP") if name in environment}
    yield Place("runtime directory", (settings.runtime_dir,))
    yield Place("data directory", (settings.data_dir,))
    yield _database(database)
    yield _log(deployment)
    yield Place("RAM disk", _existing("/dev/shm"), only_changed=True)  # noqa: S108
    yield Place("temporary directories", _existing(*_TEMPORARY, *temporary), only_changed=True)
    yield Place("home and caches", _existing(environment.get("HOME", str(Path.home()))), only_changed=True)
    yield Place("core dumps", _existing(*_CORE_COLLECTORS, *_core_folders(deployment)), only_changed=True, deep=False)
    yield Place("system logs", _existing("/var/log"), only_changed=True)


def _database(database: Database) -> Place:
    name = "database files"
    try:
        folders = database_files.folders(database)
    except PartUnavailable:
        return Place(name, unproven="the database does not answer")
    if not folders:
        return Place(name, unproven="the database is on another machine")
    unreadable = [folder for folder in folders if not os.access(folder, os.R_OK | os.X_OK)]
    return Place(name, unproven="the server's files may not be read") if unreadable else Place(name, folders)


def _log(deployment: Deployment) -> Place:
    """Find the file that the launcher writes its log to: the descriptor of its standard error leads there."""
    name = "service log"
    log = deployment.log or Path(f"/proc/{deployment.launcher().pid}/fd/2").resolve()
    if log.is_file():
        return Place(name, (log.parent,))
    return Place(name, unproven="the log goes to a terminal or a pipe; search what collects it")


def _core_folders(deployment: Deployment) -> Iterator[str]:
    """Yield where the kernel would write a core file: a fixed folder, or where each process stands."""
    pattern = _CORE_PATTERN.read_text(encoding="utf-8").strip()
    if pattern.startswith("/"):
        yield re.sub(r"/[^/]*$", "", pattern) or "/"
    elif not pattern.startswith("|"):
        yield from {process.cwd() for process in deployment.processes().values() if process.cwd() != "/"}


def _existing(*folders: str) -> tuple[Path, ...]:
    kept = sorted({Path(folder).resolve() for folder in folders if Path(folder).is_dir()})
    return tuple(folder for folder in kept if not any(other in folder.parents for other in kept))
