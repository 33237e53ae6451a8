"""A process that hangs: stopped, not dead."""

import contextlib
import os
import signal
import time
from collections.abc import Generator
from pathlib import Path

_SECONDS = 60


@contextlib.contextmanager
def frozen(pid: int) -> Generator[None]:
    """Stop every thread of a process while the block runs, and let it go on afterwards.

    The kernel delivers SIGSTOP in its own time: on a busy machine a thread may still answer after the signal was sent.
    """
    freeze(pid)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def freeze(pid: int) -> None:
    """Stop a process and return when none of its threads runs any more."""
    os.kill(pid, signal.SIGSTOP)
    await_stopped(pid)


def await_stopped(pid: int) -> None:
    """Return when none of a process's threads runs any more, whoever stopped it."""
    end = time.monotonic() + _SECONDS
    while not all(_state(task) in {"T", "Z", None} for task in Path(f"/proc/{pid}/task").iterdir()):
        if time.monotonic() > end:
            raise TimeoutError(f"process {pid} did not stop")
        time.sleep(0.001)


def _state(task: Path) -> str | None:
    """Return the letter of a thread's state; ``None`` for one that has ended since it was listed."""
    try:
        # The name, in parentheses, may hold anything; the state is the first field after it.
        return (task / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None
