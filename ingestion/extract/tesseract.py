"""Running tesseract: several at once.

Owns the processes. Through pytesseract, which puts the page and its words into files, only where those lie on a file
system of this jail's own, which dies with it; otherwise through pipes, and no file is written. One thread follows all
of them: PDFium, which draws the pages in between, bears only one, and a child whose death signal hangs on a thread
would die with that thread.
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
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from ctypes import CDLL
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import pytesseract
from PIL import Image

from models.errors import MayflyError, ParserFailed, TimedOut
from processes.hardening import PR_SET_PDEATHSIG

PROGRAM = "tesseract"
_PATIENCE = 2.0
_READ_BYTES = 256 * 1024
# A page of words is some tens of kilobytes; a program that says much more has lost its way.
_MAX_OUTPUT_BYTES = 16 * 1024 * 1024
# Of the jail's folder, what the pictures of all workers together may take unpacked.
_MAX_PICTURE_BYTES = 64 * 1024 * 1024

_libc = CDLL(None)
# Set by the jail where its walls give it a folder that vanishes with it.
_private_folder: Path | None = None

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the program: on a picture, grey or black and white, with these arguments."""

    picture: Image.Image = field(repr=False)
    arguments: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """Return the size of the picture, unpacked."""
        return self.picture.width * self.picture.height


# What is done with one picture: yields runs, is sent what each printed, and returns a result. A run that fails is
# thrown in as ``TimedOut`` or ``ParserFailed``.
Steps = Generator[Run, str, Result]


def keep_files_in(folder: Path) -> None:
    """Allow files in this folder: it lies on a file system that only this jail has and that dies with it."""
    global _private_folder  # noqa: PLW0603 - a jail reads one document and has one folder.
    _private_folder = folder
    tempfile.tempdir = str(folder)


class _Running(Protocol):
    """One run of the program. ``entrance`` takes the picture and ``exit`` gives the words; -1 where there is none."""

    entrance: int
    exit: int

    def feed(self) -> bool:
        """Hand over as much of the picture as is taken; say whether that was all."""
        ...

    def shut(self) -> None:
        """Say that the picture is complete."""
        ...

    def read(self) -> bool:
        """Take what is printed; say whether that was all."""
        ...

    def outcome(self, seconds: float) -> str | MayflyError:
        """Return what was printed, or why that is no use. To be called when the output is closed, or too long."""
        ...

    def kill(self) -> None:
        """End it, whatever it is doing, and close what leads to it."""
        ...


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
        self._running = dict[_Running, _Task[Result]]()
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
            process = self._process(run, task)
        except (OSError, subprocess.SubprocessError):
            self._tell(task, ParserFailed())
            return
        self._running[process] = task
        if process.entrance >= 0:
            self._poll.register(process.entrance, select.POLLOUT)
        self._poll.register(process.exit, select.POLLIN)

    def _process(self, run: Run, task: "_Task[Result]") -> _Running:
        if _private_folder is None:
            return _Process(run, self._seconds)
        return _Call(run, seconds=task.seconds_left(), is_small=run.bytes * self._workers <= _MAX_PICTURE_BYTES)

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

    def _end(self, process: _Running, outcome: str | MayflyError) -> None:
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


class _Call:
    """One run through pytesseract, in a thread of its own, which does nothing but wait for the program.

    It cannot be ended from outside; its time ends it, and the jail's end, at the latest.
    """

    def __init__(self, run: Run, *, seconds: float, is_small: bool) -> None:
        self.entrance = -1
        self.exit = os.eventfd(0)
        self._outcome: str | MayflyError = TimedOut()
        self._run = run
        self._seconds = max(1, math.ceil(seconds))
        # Packing the pixels costs more time than it saves, as long as there is room for them.
        run.picture.format = "PPM" if is_small else "PNG"
        self._done = os.dup(self.exit)
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        try:
            self._outcome = self._ask()
        finally:
            os.eventfd_write(self._done, 1)
            os.close(self._done)

    def _ask(self) -> str | MayflyError:
        arguments = self._run.arguments
        kind = "tsv" if arguments[-1] == "tsv" else "osd"
        languages = arguments[arguments.index("-l") + 1] if "-l" in arguments else None
        config = f"--psm {arguments[arguments.index('--psm') + 1]}" + (" tsv" if kind == "tsv" else "")
        try:
            ask = pytesseract.pytesseract.run_and_get_output
            return str(ask(self._run.picture, kind, languages, config, 0, self._seconds))
        except RuntimeError as error:
            # A failed run is a RuntimeError as well; only the time-out is one exactly.
            return TimedOut() if type(error) is RuntimeError else ParserFailed()
        except (OSError, UnicodeError, ValueError):
            return ParserFailed()

    def feed(self) -> bool:
        """Return that all is handed over."""
        return True

    def shut(self) -> None:
        """Do nothing: there is no way in."""

    def read(self) -> bool:
        """Return that all is there, which is when ``exit`` can be read."""
        return True

    def outcome(self, seconds: float) -> str | MayflyError:
        """Return what was printed, or why that is no use."""
        return TimedOut() if seconds <= 0 else self._outcome

    def kill(self) -> None:
        """Listen no longer."""
        if self.exit >= 0:
            os.close(self.exit)
            self.exit = -1


class _Process:
    """One run through pipes. ``entrance`` and ``exit`` are -1 once they are closed."""

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
