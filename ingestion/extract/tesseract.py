"""Running tesseract: several at once, through pipes.

Owns the processes. One thread starts, feeds and reads all of them: a child whose death signal hangs on a thread would
die with that thread, and PDFium, which draws the pages in between, bears only one. No file is written.
"""

import contextlib
import functools
import io
import math
import os
import resource
import select
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from ctypes import CDLL
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from PIL import Image

from models.errors import MayflyError, ParserFailed, TimedOut
from processes.hardening import PR_SET_PDEATHSIG

PROGRAM = "tesseract"
_PATIENCE = 2.0
_READ_BYTES = 256 * 1024
# A page of words is some tens of kilobytes; a program that says much more has lost its way.
_MAX_OUTPUT_BYTES = 16 * 1024 * 1024

_libc = CDLL(None)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the program: on a picture, grey or black and white, with these arguments."""

    picture: Image.Image = field(repr=False)
    arguments: tuple[str, ...]


# What is done with one picture: yields runs, is sent what each printed, and returns a result. A run that fails is
# thrown in as ``TimedOut`` or ``ParserFailed``.
Steps = Generator[Run, str, Result]


class Crew(Generic[Result]):
    """Works through the steps of many pictures, some of them at once.

    ``seconds`` of processor time may go into a run, and no run of a picture but the first may end later than that
    after the first began. The first may wait for the processor twice as long: a busy machine makes no page unreadable.
    ``begins`` is called when it starts.
    """

    def __init__(self, *, workers: int, seconds: float, begins: Callable[[], None]) -> None:
        self._workers, self._seconds, self._begins = workers, seconds, begins
        self._poll = select.poll()
        self._ready = deque[tuple[_Task[Result], Run]]()
        self._running = dict[_Process, _Task[Result]]()
        self._done = deque[tuple[int, Result]]()

    def work_through(self, all_steps: Iterable[Steps[Result]]) -> Iterator[tuple[int, Result]]:
        """Yield ``(place, result)`` of each picture as it gets done; not always in order.

        At most one picture more than there are workers is taken at a time. Raises what the steps raise.
        """
        source = enumerate(all_steps)
        try:
            while self._take(source):
                while self._done:
                    yield self._done.popleft()
                self._attend()
        finally:
            for process in self._running:
                process.kill()

    def _take(self, source: Iterator[tuple[int, Steps[Result]]]) -> bool:
        """Keep the workers busy, with one more picture at hand for the first that is free; say if anything is left."""
        while True:
            while self._ready and len(self._running) < self._workers:
                self._start(*self._ready.popleft())
            if self._ready or (following := next(source, None)) is None:
                return bool(self._running or self._done)
            task = _Task(*following)
            self._go_on(task, partial(next, task.steps))

    def _go_on(self, task: "_Task[Result]", advance: Callable[[], Run]) -> None:
        """Take the next step; a picture that is begun comes before one that is not."""
        try:
            run = advance()
        except StopIteration as end:
            self._done.append((task.place, end.value))
        else:
            self._ready.appendleft((task, run))

    def _start(self, task: "_Task[Result]", run: Run) -> None:
        if task.deadline is None:
            self._begins()
            task.began = time.monotonic()
            task.deadline = task.began + _PATIENCE * self._seconds
        else:
            task.deadline = task.began + self._seconds
        try:
            process = _Process(run, self._seconds)
        except (OSError, subprocess.SubprocessError):
            self._tell(task, ParserFailed())
            return
        self._running[process] = task
        self._poll.register(process.entrance, select.POLLOUT)
        self._poll.register(process.exit, select.POLLIN)

    def _attend(self) -> None:
        """Wait until something can be fed or read, or a picture's time is over, and see to it."""
        if not self._running:
            return
        events = {descriptor for descriptor, _ in self._poll.poll(self._patience_ms())}
        for process, task in list(self._running.items()):
            if process.entrance in events and process.feed():
                self._poll.unregister(process.entrance)
                process.shut()
            if process.exit in events and process.read():
                self._end(process, process.outcome(task.seconds_left()))
            elif task.seconds_left() <= 0:
                self._end(process, TimedOut())

    def _patience_ms(self) -> float:
        return max(0.0, min(task.seconds_left() for task in self._running.values())) * 1000 + 1

    def _end(self, process: "_Process", outcome: str | MayflyError) -> None:
        for descriptor in (process.entrance, process.exit):
            with contextlib.suppress(KeyError, ValueError):
                self._poll.unregister(descriptor)
        process.kill()
        self._tell(self._running.pop(process), outcome)

    def _tell(self, task: "_Task[Result]", outcome: str | MayflyError) -> None:
        """Tell the steps how their run ended."""
        if isinstance(outcome, MayflyError):
            self._go_on(task, partial(task.steps.throw, outcome))
        else:
            self._go_on(task, partial(task.steps.send, outcome))


class _Task(Generic[Result]):
    """One picture's steps, and when its time is over."""

    def __init__(self, place: int, steps: Steps[Result]) -> None:
        self.place, self.steps = place, steps
        self.began = 0.0
        self.deadline: float | None = None

    def seconds_left(self) -> float:
        """Return how long this picture may still take."""
        return math.inf if self.deadline is None else self.deadline - time.monotonic()


class _Process:
    """One run of the program. ``entrance`` takes the picture and ``exit`` gives the words; -1 once it is closed."""

    def __init__(self, run: Run, cpu_seconds: float) -> None:
        """Start it. Raises ``OSError``."""
        picture = io.BytesIO()
        run.picture.save(picture, "PPM")  # Packing pixels for a pipe costs more than it saves.
        self._input, self._output = picture.getbuffer(), bytearray()
        stdin, self.entrance = os.pipe()
        self.exit, stdout = os.pipe()
        try:
            self._child = subprocess.Popen(
                (PROGRAM, "stdin", "stdout", *run.arguments), stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL,
                preexec_fn=partial(_live_no_longer_than, cpu_seconds),  # noqa: PLW1509 - there are no threads.
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            os.close(self.entrance)
            os.close(self.exit)
            raise
        finally:
            os.close(stdin)
            os.close(stdout)
        os.set_blocking(self.entrance, False)
        os.set_blocking(self.exit, False)

    def feed(self) -> bool:
        """Hand over as much of the picture as is taken; say whether that was all."""
        try:
            self._input = self._input[os.write(self.entrance, self._input) :]
        except BlockingIOError:
            return False
        except BrokenPipeError:
            return True
        return not self._input

    def shut(self) -> None:
        """Say that the picture is complete."""
        os.close(self.entrance)
        self.entrance = -1

    def read(self) -> bool:
        """Take what is printed; say whether that was all."""
        with contextlib.suppress(BlockingIOError):
            part = os.read(self.exit, _READ_BYTES)
            self._output += part
            return not part or len(self._output) > _MAX_OUTPUT_BYTES
        return False

    def outcome(self, seconds: float) -> str | MayflyError:
        """Return what was printed, or why that is no use. To be called when the output is closed, or too long."""
        if len(self._output) > _MAX_OUTPUT_BYTES:
            return ParserFailed()
        try:
            status = self._child.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return TimedOut()
        if status == -signal.SIGXCPU:
            return TimedOut()
        return ParserFailed() if status else self._output.decode("utf-8", "replace")

    def kill(self) -> None:
        """End it, whatever it is doing, and close what leads to it."""
        self._child.kill()
        self._child.wait()
        if self.entrance >= 0:
            self.shut()
        if self.exit >= 0:
            os.close(self.exit)
            self.exit = -1


@functools.cache
def installed_packs() -> frozenset[str]:
    """Return the names of the language packs on this machine; none when the program is missing."""
    try:
        listing = subprocess.run(
            (PROGRAM, "--list-langs"), capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return frozenset()
    return frozenset(line.strip() for line in listing.splitlines()[1:] if line.strip())


def _live_no_longer_than(cpu_seconds: float) -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    seconds = math.ceil(cpu_seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
