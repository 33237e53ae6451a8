"""What makes a host unfit for content: ways in which memory could reach a disk, or a parser what is not its document.

Checked before the service is ready.

Each weakness is a sentence for the operator and holds no secret.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from api.settings import Settings
from ingestion.level import Walls
from processes.hardening import Hardening, state

RAM_FILESYSTEMS = frozenset({"tmpfs", "ramfs"})
_MOUNTS = Path("/proc/self/mountinfo")
_SWAPS = Path("/proc/swaps")
SWAP_ACTIVE = "swap is active"
_KEPT_BY_WALLS = {
    "limits": "a parser from using up the machine",
    "user": "a parser from gaining rights",
    "network": "a parser from the network",
    "processes": "a parser from other processes",
    "files": "a parser from other files",
    "syscalls": "a parser from the whole of the kernel",
}


class HostTooWeak(Exception):
    """The host would not keep what Mayfly promises; the message names everything that is missing."""


def insist(settings: Settings, found: Sequence[str]) -> None:
    """Raise ``HostTooWeak`` when anything but swap was found, unless the operator allows a weak host.

    Swap is told in the log and in ``GET /v1/assurance`` and refused nowhere: most machines on which somebody tries
    Mayfly for the first time have it, and only their owner can turn it off.
    """
    fatal = [weakness for weakness in found if weakness != SWAP_ACTIVE]
    if fatal and not settings.allow_weak_host:
        reasons = "; ".join(fatal)
        raise HostTooWeak(f"this host is too weak: {reasons} (MAYFLY_ALLOW_WEAK_HOST=true starts all the same)")


def insist_on_jail(settings: Settings, found: Sequence[str]) -> None:
    """Raise ``HostTooWeak`` when a jail is too weak, unless the operator allows that. A weak host's leave is not it."""
    if found and not settings.allow_weak_jail:
        reasons = "; ".join(found)
        raise HostTooWeak(f"the jail is too weak: {reasons} (MAYFLY_ALLOW_WEAK_JAIL=true starts all the same)")


def of_jail(walls: Walls) -> list[str]:
    """Return what is missing around a parser; nothing where namespaces, or what stands in for them, hold."""
    if walls.level != "none":
        return []
    return [f"no wall keeps {what}" for name, what in _KEPT_BY_WALLS.items() if name not in walls.names]


def of_host(settings: Settings) -> list[str]:
    """Return what is weak about the folders and the kernel. The folders must exist."""
    places = {"runtime directory": settings.runtime_dir, "temporary directory": settings.sockets.temporary}
    on_disk = [
        f"the {name} {folder} lies on {filesystem} and not in memory"
        for name, folder in places.items()
        if (filesystem := filesystem_of(folder)) not in RAM_FILESYSTEMS
    ]
    return on_disk + ([SWAP_ACTIVE] if swap_active() else [])


def of_parts(host: Hardening, embedder: Hardening) -> list[str]:
    """Return what is weak about this process, a front, and about the two it talks to."""
    return [
        *of_process("front", state(), scrubbing=True),
        *of_process("host", host, scrubbing=False),
        *of_process("embedder", embedder, scrubbing=True),
    ]


def of_process(name: str, hardening: Hardening, *, scrubbing: bool) -> list[str]:
    """Return what is weak about one process; ``scrubbing`` says whether its allocator has to overwrite."""
    faults = {
        f"the {name} process is dumpable": hardening.dumpable,
        f"the {name} process may write core files": hardening.core_limit_bytes != 0,
        f"the {name} process frees memory without scrubbing it": scrubbing and not hardening.scrubbing_allocator,
        f"the {name} process runs code that is not installed": hardening.foreign_code,
    }
    return [fault for fault, is_there in faults.items() if is_there]


def of_core_limit(name: str, pid: int | None) -> list[str]:
    """Return whether a process may write core files, by the kernel's word; nothing for one that is gone."""
    try:
        limits = Path(f"/proc/{pid}/limits").read_text()
    except OSError:
        return []
    found = re.search(r"^Max core file size +(\S+)", limits, re.MULTILINE)
    return [] if found is None or found[1] == "0" else [f"the {name} process may write core files"]


def swap_active() -> bool:
    """Say whether the kernel may write memory to a swap area."""
    return len(_SWAPS.read_text().splitlines()) > 1


def filesystem_of(folder: Path) -> str:
    """Return the kind of file system a folder lies on, ``unknown`` where the kernel does not say.

    Of the mounts above the folder that are of its device, the deepest counts and, where several share a path, the
    last: it hides the others. Some file systems (btrfs) hide their device; then all mounts above the folder count.
    """
    place = folder.resolve()
    device = _device(place)
    above = [mount for mount in _mounts() if place.is_relative_to(mount[1])]
    ranked = [(number == device, len(point.parts), order) for order, (number, point, _) in enumerate(above)]
    return above[max(ranked)[2]][2] if ranked else "unknown"


def _mounts() -> list[tuple[str, Path, str]]:
    """Return each mount's device number, path and kind, in the order of mounting; proc_pid_mountinfo(5)."""
    lines = [line.split() for line in _MOUNTS.read_text().splitlines()]
    return [(words[2], Path(_unescaped(words[4])), words[words.index("-", 6) + 1]) for words in lines]


def _device(place: Path) -> str:
    number = next(folder.stat().st_dev for folder in (place, *place.parents) if folder.exists())
    return f"{os.major(number)}:{os.minor(number)}"


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
