"""A limit on one process's memory, kept by the kernel: who goes beyond it is killed as where there is no more."""

import contextlib
import re
import secrets
from collections.abc import Generator
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


class NoControl(RuntimeError):
    """This machine lets nobody here limit memory; the message says what was refused."""


class Limited:
    """A group of processes with one limit, by version 1 or 2 of the kernel's interface."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def kills(self) -> int:
        """How often the kernel has killed somebody here for want of memory."""
        events = next(
            file for name in ("memory.events", "memory.oom_control") if (file := self._folder / name).exists()
        )
        found = re.search(r"^oom_kill (\d+)$", events.read_text(encoding="ascii"), re.MULTILINE)
        return int(found[1]) if found else 0


@contextlib.contextmanager
def limited(pid: int, *, mib: int) -> Generator[Limited]:
    """Let a process take so much memory beyond what it has; it must be gone when the block ends.

    Raises ``NoControl`` where that is not possible.
    """
    folder = _own_group() / f"mayfly-test-{secrets.token_hex(4)}"
    try:
        folder.mkdir()
    except OSError as refusal:
        raise NoControl(f"no group for memory: {refusal.strerror}") from refusal
    try:
        name = next((name for name in ("memory.max", "memory.limit_in_bytes") if (folder / name).exists()), None)
        if name is None:
            raise NoControl("the groups of this machine limit no memory")
        (folder / name).write_text(str(mib * 1024 * 1024), encoding="ascii")
        (folder / "cgroup.procs").write_text(str(pid), encoding="ascii")
        yield Limited(folder)
    except OSError as refusal:
        raise NoControl(f"memory cannot be limited: {refusal.strerror}") from refusal
    finally:
        folder.rmdir()


def _own_group() -> Path:
    """Return the folder of the group that this process is in, where memory is counted."""
    groups = [line.split(":", 2) for line in _OWN.read_text(encoding="ascii").splitlines()]
    for _, controllers, path in groups:
        if "memory" in controllers.split(","):
            return _ROOT / "memory" / path.lstrip("/")
    return _ROOT / groups[-1][2].lstrip("/")
