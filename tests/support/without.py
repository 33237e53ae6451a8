"""A machine that forbids more: ``python -m tests.support.without CALLS COMMAND...`` runs a command without these calls.

``CALLS`` are names of system calls, joined by commas. Without ``unshare`` no namespace can be made, as in most
containers; without ``landlock_create_ruleset`` or ``seccomp`` the kernel is an old one; without ``capset`` no jail can
be built at all.
"""

import ctypes
import os
import sys
from collections.abc import Iterable

from ingestion import seccomp

NAMESPACES, LANDLOCK, SECCOMP, CAPABILITIES = "unshare", "landlock_create_ruleset", "seccomp", "capset"
_PR_SET_NO_NEW_PRIVS = 38


def command(calls: Iterable[str], arguments: Iterable[str]) -> list[str]:
    """Return the command that runs another one without these calls."""
    names = ",".join(calls)
    prefix = [sys.executable, "-m", "tests.support.without", names] if names else [sys.executable]
    return [*prefix, *arguments]


def main() -> None:
    """Give the calls up and become Python with the other arguments."""
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    seccomp.forbid(sys.argv[1].split(","))
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])  # noqa: S606 - ourselves.


if __name__ == "__main__":
    main()
