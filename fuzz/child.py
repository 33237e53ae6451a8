"""Runs a harness over many inputs in a child process with a jail's limits, and outlives what kills the child."""

import contextlib
import json
import os
import resource
import select
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fuzz.harnesses import LIMITS, Broken, Harness

CPU_SECONDS = 10.0
WALL_SECONDS = 60.0
_PACKAGES = Path(__file__).parents[1]

InputAt = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an input came to.

    ``kind`` is ``fine``, ``noted`` (an undeclared error of a jailed reader), ``raised`` (one of anything else),
    ``broken`` (a rule does not hold), ``slow``, ``hung`` or ``died``. ``where`` is an error's class and place.
    """

    index: int
    kind: str
    where: str = ""
    cpu_seconds: float = 0.0

    @property
    def is_bad(self) -> bool:
        """Say whether this must not be."""
        return self.kind not in {"fine", "noted"}


def outcomes(
    harness: Harness, input_at: InputAt, *, count: int | None, seconds: float | None = None
) -> Iterator[Outcome]:
    """Yield what each of the inputs comes to; without ``count``, as many as the time allows."""
    deadline = time.monotonic() + seconds if seconds is not None else None
    index = 0
    while (count is None or index < count) and (deadline is None or time.monotonic() < deadline):
        for outcome in _one_child(harness, input_at, index, count, deadline):
            index = outcome.index + 1
            yield outcome


def judge(harness: Harness, untrusted: bytes, index: int = 0) -> Outcome:
    """Run one input here and say what it comes to."""
    began = time.process_time()
    kind, where = "fine", ""
    try:
        harness.parse(untrusted)
    except harness.may_raise:
        pass
    except Broken as error:
        kind, where = "broken", str(error)
    except Exception as error:  # noqa: BLE001 - finding out which ones leave is the purpose.
        kind, where = "noted" if harness.is_jailed else "raised", _place(error)
    took = time.process_time() - began
    if took > CPU_SECONDS and kind in {"fine", "noted"}:
        kind = "slow"
    return Outcome(index, kind, where, round(took, 3))


def _one_child(
    harness: Harness, input_at: InputAt, first: int, count: int | None, deadline: float | None
) -> Iterator[Outcome]:
    """Yield the outcomes that one child tells, the last of which may be that it died."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        _be_child(harness, input_at, first, count, theirs)
    os.close(theirs)
    index, alive = first, True
    try:
        with os.fdopen(ours, "rb", buffering=0) as pipe:
            for line in _lines(pipe.fileno(), deadline):
                if line is None:
                    kind = "hung" if deadline is None or time.monotonic() < deadline else "fine"
                    yield Outcome(index, kind)
                    return
                outcome = Outcome(**json.loads(line))
                index = outcome.index + 1
                yield outcome
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL) if alive else None
        _, status = os.waitpid(pid, 0)
    if (count is None or index < count) and os.waitstatus_to_exitcode(status) != 0:
        yield Outcome(index, "died", f"exit {os.waitstatus_to_exitcode(status)}")


def _lines(descriptor: int, deadline: float | None) -> Iterator[bytes | None]:
    """Yield the lines that arrive; ``None`` and the end when none does for too long."""
    rest = b""
    while True:
        patience = WALL_SECONDS if deadline is None else min(WALL_SECONDS, max(0.0, deadline - time.monotonic()))
        if not select.select([descriptor], [], [], patience)[0]:
            yield None
            return
        part = os.read(descriptor, 65_536)
        if not part:
            return
        *lines, rest = (rest + part).split(b"\n")
        yield from lines


def _be_child(harness: Harness, input_at: InputAt, first: int, count: int | None, pipe: int) -> None:
    status = 1
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        # On top of what it was born with: a child of a large process has no less room than one of a small one.
        room = _address_space_bytes() + LIMITS.memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        index = first
        while count is None or index < count:
            outcome = judge(harness, input_at(index), index)
            told = {"index": index, "kind": outcome.kind, "where": outcome.where, "cpu_seconds": outcome.cpu_seconds}
            os.write(pipe, json.dumps(told).encode() + b"\n")
            index += 1
        status = 0
    finally:
        os._exit(status)


def _address_space_bytes() -> int:
    """Return how much this process takes already; proc_pid_statm(5)."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()


def _place(error: BaseException) -> str:
    """Return an error's class and the last line of ours that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGES / "ingestion")]
    last = (ours or frames)[-1]
    return f"{type(error).__module__}.{type(error).__qualname__} at {Path(last.filename).name}:{last.lineno}"
