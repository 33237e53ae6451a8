"""How a jail ends: it is killed with all that it started, and nothing of it is left when that is said.

Owns killing and reaping, and adding up what the dead had used.
"""

import contextlib
import ctypes
import os
import signal
import time
from dataclasses import dataclass

from ingestion import usage
from ingestion.usage import Usage

_DEATH_SECONDS = 5.0
_DEATH_PAUSE_SECONDS = 0.002
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Make this process the parent of its descendants' orphans, so that it can wait for all that a jail started."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class End:
    """Whether nothing of a group was left in time, and what those of it used that were reaped here."""

    is_gone: bool
    used: Usage


def end_group(pid: int, *, seconds: float = _DEATH_SECONDS) -> End:
    """Kill a child and its process group and reap all of it, as far as that is done in time."""
    deadline = time.monotonic() + seconds
    used = Usage()
    _kill_group(pid)
    # The child by itself first: it may not have had the time to make the group.
    for whom in (pid, -pid):
        with contextlib.suppress(ChildProcessError):
            while True:
                reaped, _, account = os.wait4(whom, os.WNOHANG)
                if reaped:
                    used = used.with_another(usage.of_dead(account))
                    continue
                if time.monotonic() > deadline:
                    return End(is_gone=False, used=used)
                _kill_group(pid)
                time.sleep(_DEATH_PAUSE_SECONDS)
    return End(is_gone=True, used=used)


def _kill_group(pid: int) -> None:
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)
