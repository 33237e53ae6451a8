"""The service that is searched: its processes as the kernel tells them, whatever it says of itself."""

import contextlib
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

import psutil

from api.proving.world import Site
from api.settings import Settings

_PEER_CREDENTIALS = struct.Struct("iII")
_ROLES = {
    "api.front": "front",
    "sessions.host": "host",
    "vectorstore.server": "embedder",
    "ingestion.jailer": "jailer",
    "ingestion.fetch.worker": "fetcher",
}


class NotOnThisMachine(Exception):
    """The service's own sockets are not where the settings say; it cannot be searched from here."""


class NotAllowed(Exception):
    """The memory of the service's processes may not be read by this user; nothing could be proven."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A running service. ``log`` is the file it logs to, or ``None`` where that is to be found out.

    ``site`` is what links of the run may lead to, ``None`` where there is no such site.
    """

    url: str
    settings: Settings
    log: Path | None = None
    site: Site | None = None

    def host(self) -> psutil.Process:
        """Return the process that holds the sessions. Raises ``NotOnThisMachine``."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            try:
                sock.connect(str(self.settings.sockets.host))
            except OSError:
                raise NotOnThisMachine from None
            pid, _, _ = _PEER_CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return psutil.Process(pid)

    def launcher(self) -> psutil.Process:
        """Return the process that started the others."""
        parent = self.host().parent()
        if parent is None:
            raise NotOnThisMachine
        return parent

    def insist_on_rights(self) -> None:
        """Raise ``NotAllowed`` unless this process may read the service's memory, which takes root."""
        try:
            os.close(os.open(f"/proc/{self.host().pid}/mem", os.O_RDONLY | os.O_CLOEXEC))
        except PermissionError:
            raise NotAllowed from None

    def processes(self) -> dict[str, psutil.Process]:
        """Return all processes of the service by what they are; several of a kind are numbered."""
        launcher = self.launcher()
        found = {"launcher": launcher}
        for process in launcher.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                role = self._role(process)
                found[role if role not in found else f"{role} {process.pid}"] = process
        return found

    def session_process(self, session_id: str) -> psutil.Process | None:
        """Return the process that listens on a session's socket, if there is one."""
        inode = _inode_of(self.settings.sockets.sessions / f"{session_id}.sock")
        return next((child for child in self.host().children() if inode in _sockets(child.pid)), None)

    def sealed_files(self, session_id: str) -> list[Path]:
        """Return the files that wait in a session's quarantine."""
        folder = self.settings.sockets.quarantine / session_id
        return [file for file in folder.iterdir() if file.is_file()] if folder.is_dir() else []

    def _role(self, process: psutil.Process) -> str:
        module = next((_ROLES[word] for word in process.cmdline() if word in _ROLES), "other")
        parent = process.parent()
        above = "" if parent is None else next((_ROLES[word] for word in parent.cmdline() if word in _ROLES), "")
        if above == module == "host":
            return "session"
        return "jail" if above in {"jailer", "jail"} else module


def _inode_of(path: Path) -> str | None:
    """Return the number of the listening socket that a path leads to; see proc_net_unix(5)."""
    for line in Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace").splitlines()[1:]:
        words = line.split()
        if len(words) >= 8 and words[7] == str(path) and words[3] != "00000000":
            return words[6]
    return None


def _sockets(pid: int) -> set[str]:
    found = set[str]()
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                target = os.readlink(entry.path)  # noqa: PTH115  # Not a path: socket:[number].
                if target.startswith("socket:["):
                    found.add(target[8:-1])
    return found
