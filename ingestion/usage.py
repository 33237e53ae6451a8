"""What a jail took of the machine: processor time of all that ran in it, and the memory of its largest process.

Owns reading it from the kernel. What a process waited for is counted with it; what was killed beside its parent is
not, and for that there is the look at the living before the axe falls.
"""

import contextlib
import os
import resource
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_KIB = 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """``peak_bytes`` is resident memory, pages shared with the jailer included."""

    cpu_seconds: float = 0.0
    peak_bytes: int = 0

    def with_another(self, other: "Usage") -> "Usage":
        """Return the use of both, which ran side by side or one after the other."""
        return Usage(self.cpu_seconds + other.cpu_seconds, max(self.peak_bytes, other.peak_bytes))

    def or_more(self, other: "Usage") -> "Usage":
        """Return the larger of two accounts of the same processes."""
        return Usage(max(self.cpu_seconds, other.cpu_seconds), max(self.peak_bytes, other.peak_bytes))


def of_dead(account: resource.struct_rusage) -> Usage:
    """Return what a reaped process used, with all it had waited for."""
    return Usage(account.ru_utime + account.ru_stime, account.ru_maxrss * _KIB)


def of_group(leader: int) -> Usage:
    """Return what the living of a process group have used so far, with all they have waited for."""
    total = Usage()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, LookupError, ValueError):  # It ended meanwhile.
            total = total.with_another(_of_one(process, leader))
    return total


def _of_one(process: Path, leader: int) -> Usage:
    """Read proc_pid_stat(5): the name is in brackets and may hold anything; then come fields 3 and on."""
    state, _, group, *rest = (process / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    if int(group) != leader:
        return Usage()
    seconds = sum(map(int, rest[8:12])) / _TICKS_PER_SECOND
    if state == "Z":  # Its memory is gone already.
        return Usage(seconds)
    status = (process / "status").read_text("utf-8", "replace").splitlines()
    peak = next((int(line.split()[1]) for line in status if line.startswith("VmHWM:")), 0)
    return Usage(seconds, peak * _KIB)
