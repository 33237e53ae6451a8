"""Taking the network away from a session process.

A fresh network namespace has no interface that is up, so nothing can be reached; Unix sockets with a path still work.
"""

import ctypes
import os
from pathlib import Path

from processes.hardening import PR_SET_DUMPABLE

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000


def leave_network() -> bool:
    """Move this process, which must have one thread, into a network namespace of its own; say whether that worked.

    Without privileges it takes a user namespace too, in which our user keeps its own number. Afterwards the process
    may be dumpable: call ``harden`` next.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) == 0:
        return True
    user, group = os.getuid(), os.getgid()
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # else /proc/self belongs to root and the maps cannot be written
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return False
    _keep_numbers(user, group)
    return True


def can_leave_network() -> bool:
    """Try ``leave_network`` in a child that does nothing else."""
    child = os.fork()
    if child == 0:
        worked = False
        try:
            worked = leave_network()
        finally:
            os._exit(0 if worked else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _keep_numbers(user: int, group: int) -> None:
    process = Path("/proc/self")
    (process / "uid_map").write_text(f"{user} {user} 1")
    (process / "setgroups").write_text("deny")
    (process / "gid_map").write_text(f"{group} {group} 1")
