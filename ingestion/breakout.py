"""Tries to break out of the jail it is in: a miniature of what a hostile document would try, run before the service is.

Owns the question which walls withstand, whatever was reported of how they went up. Must run in a child that dies
afterwards: where a wall is missing, some of this succeeds.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from ingestion import landlock, seccomp
from ingestion.level import Walls
from ingestion.limits import JailLimits

_PR_GET_NO_NEW_PRIVS = 39
_PTRACE_TRACEME = 0
_CLONE_NEWUSER = 0x1000_0000
_FAMILIES = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK, socket.AF_PACKET)

_libc = ctypes.CDLL(None, use_errno=True)


def withstood(walls: Walls, limits: JailLimits, *, witnesses: Sequence[str], jailer: int) -> Walls:
    """Return those of the walls that hold when they are tried.

    ``witnesses`` are paths of files outside that must not open, the first of which must not even exist where the jail
    has its own root; ``jailer`` is a process outside. That a network namespace cuts off was tried before the filter
    went up, which leaves no socket to try it with.
    """
    opened = [path for path in witnesses if not _fails(lambda path=path: os.close(os.open(path, os.O_RDONLY)))]
    can_signal = not _fails(lambda: os.kill(jailer, 0))
    has_root = walls.has("files", "namespace")
    trials = {
        ("limits", "rlimits"): _fails(lambda: mmap.mmap(-1, limits.memory_bytes)),
        ("user", "capabilities"): _fails(lambda: os.setuid(0)) and _gains_nothing(),
        ("network", "namespace"): True,
        ("network", "seccomp"): _makes_no_socket(),
        ("processes", "namespace"): os.getpid() == 1 and not can_signal,
        ("processes", "seccomp"): _is_refused("ptrace", _PTRACE_TRACEME) and not can_signal and _names_no_owner(),
        ("files", "namespace"): not opened and _fails(Path(witnesses[0]).stat, errno.ENOENT),
        ("files", "landlock"): not opened and _lists_no_root() and (has_root or _empties_nothing()),
        ("landlock", "landlock"): _lists_no_root(),
        ("syscalls", "seccomp"): _is_filtered(),
    }
    return Walls(frozenset(pair for pair in walls.held if trials[pair]))


def _is_filtered() -> bool:
    """Say whether calls are refused that are open to everybody where no filter is."""
    return (
        _is_refused("memfd_create", b"", 0)
        and _is_refused("keyctl", 0, -3, 0)
        and _is_refused("unshare", _CLONE_NEWUSER)
        and _is_refused("mount", None, b"/", None, 0, None)
        and _is_refused("ptrace", _PTRACE_TRACEME)
    )


def _makes_no_socket() -> bool:
    return all(_fails(lambda family=family: socket.socket(family).close(), errno.EPERM) for family in _FAMILIES)


def _lists_no_root() -> bool:
    """Say whether Landlock rules: everybody may read the root, and nothing but Landlock forbids it in a jail."""
    return _fails(lambda: list(Path("/").iterdir()), errno.EACCES)


def _names_no_owner() -> bool:
    """Say whether no process can be named that a ready descriptor signals: that process is asked no leave for it."""
    return _fails(lambda: fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid()), errno.EPERM)


def _empties_nothing() -> bool:
    """Say whether opening for reading empties no file. Tried on a device, which has nothing to lose."""
    flags = os.O_RDONLY | os.O_TRUNC
    return landlock.rules_truncation() or _fails(lambda: os.close(os.open(os.devnull, flags)), errno.EPERM)


def _gains_nothing() -> bool:
    return _libc.prctl(_PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1


def _is_refused(name: str, *arguments: object) -> bool:
    return _libc.syscall(seccomp.number(name), *arguments) < 0 and ctypes.get_errno() == errno.EPERM


def _fails(attempt: Callable[[], object], reason: int | None = None) -> bool:
    try:
        attempt()
    except OSError as error:
        return reason in {None, error.errno}
    return False
