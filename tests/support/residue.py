"""The search of ``proof``, as tests ask for it: is one marker in these files, these processes?"""

from collections.abc import Iterable
from pathlib import Path

import psutil

from proof.needles import new_marker, of_text
from proof.scan import Scanner

__all__ = ["forms", "in_bytes", "in_files", "in_memory", "in_open_files", "new_marker", "scanner"]


def scanner(marker: str) -> Scanner:
    """Return a scanner for one marker in all its forms."""
    return Scanner(of_text("marker", marker))


def forms(marker: str) -> tuple[bytes, ...]:
    """Return the byte forms a marker may take."""
    return tuple(needle.data for needle in of_text("marker", marker))


def in_bytes(data: bytes, marker: str) -> int:
    """Count the hits of every form of the marker."""
    return scanner(marker).in_bytes(data).total()


def in_files(folders: Iterable[Path], marker: str) -> list[str]:
    """Return the files below the folders whose name or bytes hold the marker."""
    return list(scanner(marker).in_files(folders))


def in_open_files(processes: Iterable[psutil.Process], marker: str) -> list[str]:
    """Return the regular files, deleted ones too, that the processes hold open and that hold the marker."""
    return list(scanner(marker).in_open_files(processes))


def in_memory(processes: Iterable[psutil.Process], marker: str) -> dict[str, int]:
    """Return, by process, the number of hits in its memory; processes without hits are left out.

    So are those that end meanwhile, as a jail does that has read its document: they hold nothing any more.
    """
    search = scanner(marker)
    counted = dict[str, int]()
    for process in processes:
        try:
            counted[_label(process)] = search.in_memory(process).total()
        except (psutil.NoSuchProcess, ProcessLookupError):
            if _lives(process):
                raise
    return {label: hits for label, hits in counted.items() if hits}


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _label(process: psutil.Process) -> str:
    arguments = process.cmdline()
    return f"{process.pid} {' '.join(arguments[1:4])}"
