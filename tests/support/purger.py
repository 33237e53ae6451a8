"""A process that purges and may be killed while it does: ``python -m tests.support.purger`` with orders on stdin.

It loads what a purge needs once and forks a child for each order; the child purges or sweeps and exits with 0 when that
succeeded, 1 when a part was unavailable, 2 for anything unforeseen. A failpoint kills the child: at a step, or after a
while of its own life, which a busy machine makes longer for the child and its timer alike.
"""

import dataclasses
import mmap
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from models.database import Database
from models.errors import PartUnavailable
from models.receipts.signing import Signer
from sessions.purge import purge
from sessions.sweep import sweep
from tests.support.faults import Failpoints, environment
from tests.support.hosting import Session
from tests.support.purging import IMPATIENT, PATIENT_SECONDS, Folders, World, parts_of

ROOT = Path(__file__).parents[2]
KILLED = -signal.SIGKILL
_SECONDS = struct.Struct("d")


class Order(msgspec.Struct, frozen=True):
    """What a child does: purge this session or, without one, sweep."""

    database_url: str
    key_file: str
    folders: dict[str, str]
    session_id: str | None = None


class Purger:
    """The forking process as the test sees it. ``seconds`` is how long the last child that lived was at its work."""

    def __init__(self, process: "subprocess.Popen[bytes]", points: Failpoints) -> None:
        self._process = process
        self.points = points
        self.seconds = 0.0

    def begin(self, order: Order) -> int:
        """Let a child begin, and return its process number."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        self._process.stdin.flush()
        return int(self._line())

    def end(self) -> int:
        """Wait for the child: 0 done, 1 a part was unavailable, negative the signal that killed it."""
        ended, seconds = self._line().split()
        self.seconds = float(seconds)
        return int(ended)

    def run(self, order: Order) -> int:
        """Begin and wait."""
        self.begin(order)
        return self.end()

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the purger ended"
        return line


class Mortal:
    """A world whose purges run in a process that dies."""

    def __init__(self, world: World, killable: Purger, key_file: Path) -> None:
        world.parts = dataclasses.replace(world.parts, signer=Signer.load(key_file))
        self.world, self.killable, self.points = world, killable, killable.points
        self._key_file = key_file
        self._seconds = dict[bool, float]()

    def order(self, session: Session | None) -> Order:
        """Return the order to purge a session or, without one, to sweep."""
        return Order(
            database_url=self.world.database.url.render_as_string(hide_password=False),
            key_file=str(self._key_file),
            folders=self.world.folder_names(),
            session_id=session.session_id if session else None,
        )

    def seconds_of_a_purge(self) -> float:
        """Return how long a purge takes now that is not killed."""
        assert self.killable.run(self.order(self.world.open_with_document())) == 0
        return self.killable.seconds

    def seconds_of_a_recovery(self) -> float:
        """Return how long a sweep takes now that finishes a purge and is not killed."""
        self.points.arm("refuse_new_work", "kill9")
        assert self.killable.run(self.order(self.world.open_with_document())) == KILLED
        assert self.killable.run(self.order(None)) == 0
        return self.killable.seconds

    def killed_at_random(self, session: Session | None, moment: float) -> int:
        """Purge or sweep, killed at a moment of the process's own life, of 1 in all; return how it ended.

        The shortest life that was seen counts as a whole one, so that hardly anybody is done before his moment.
        """
        whole_seconds = self._seconds.get(session is None)
        if whole_seconds is None:
            whole_seconds = self.seconds_of_a_purge() if session else self.seconds_of_a_recovery()
        self.points.arm("purging" if session else "sweeping", f"kill9_after {moment * whole_seconds}")
        ended = self.killable.run(self.order(session))
        self._seconds[session is None] = whole_seconds if ended == KILLED else min(whole_seconds, self.killable.seconds)
        self.points.disarm()
        return ended


@contextmanager
def purger(folder: Path) -> Generator[Purger]:
    """Run a purger with failpoints."""
    points = Failpoints(folder / "failpoints")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.purger"],
        cwd=ROOT,
        env={**os.environ, **environment(points.folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        yield Purger(process, points)
        points.disarm()
        assert process.stdin is not None
        process.stdin.close()


def _carry_out(order: Order, taken: mmap.mmap) -> Literal[0, 1]:
    folders = Folders(**{name: Path(path) for name, path in order.folders.items()})
    parts = parts_of(Database(order.database_url), folders, Signer.load(Path(order.key_file)))
    began = time.monotonic()
    try:
        if order.session_id is None:
            return 1 if sweep(parts).unfinished else 0
        purge(order.session_id, "sign_out", parts)
    except PartUnavailable:
        return 1
    finally:
        taken[:] = _SECONDS.pack(time.monotonic() - began)
    return 0


def main() -> None:
    """Fork a child for each line of orders; say its number, and then how it ended."""
    for module, name in IMPATIENT:
        setattr(module, name, PATIENT_SECONDS)
    Database("sqlite://").dispose()  # The driver is loaded before the first fork.
    taken = mmap.mmap(-1, _SECONDS.size)  # Shared with the children.
    for line in sys.stdin.buffer:
        taken[:] = _SECONDS.pack(0)
        child = os.fork()
        if child == 0:
            status = 2
            try:
                status = _carry_out(msgspec.json.decode(line, type=Order), taken)
            finally:
                os._exit(status)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        status = os.waitpid(child, 0)[1]
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)} {_SECONDS.unpack(taken[:])[0]}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
