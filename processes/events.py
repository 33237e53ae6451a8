"""What the processes behind the front say on stderr: one JSON line an event, ids and numbers only, never content."""

import sys
import threading
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

_FRAMES = 6


class Log:
    """Standard error as a log. A line that cannot be written is dropped and counted: a full disk must stop nothing.

    Nothing is kept for later, so that a process still ends with the exit code it chose.
    """

    def __init__(self) -> None:
        self.lost = 0

    def write(self, text: str) -> None:
        """Write at once, or count what is lost, which a line that was cut off is too."""
        line, buffered = text.encode(), sys.stderr.buffer
        try:
            written = getattr(buffered, "raw", buffered).write(line)
        except OSError:
            written = 0
        self.lost += written != len(line)

    def flush(self) -> None:
        """Do nothing: nothing waits."""


LOG = Log()


def log(event: str, **fields: str | float | None) -> None:
    """Write one event. Fields are ids, fixed words and numbers."""
    line = {"event": event, "time": round(time.time(), 3), **fields}
    LOG.write(msgspec.json.encode(line).decode() + "\n")


def log_failure(event: str, error: BaseException, **fields: str | float | None) -> None:
    """Write that something unforeseen was raised: its type and the lines it came through, never its message."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    where = " < ".join(f"{Path(frame.filename).stem}.{frame.name}:{frame.lineno}" for frame in reversed(frames))
    log(event, error=type(error).__name__, where=where, **fields)


def silence_tracebacks() -> None:
    """Let no uncaught exception of this process print its message: it may quote a document."""

    def main_hook(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> Any:
        log_failure("uncaught", error)

    def thread_hook(args: threading.ExceptHookArgs) -> Any:
        if args.exc_value is not None:
            log_failure("uncaught", args.exc_value)

    sys.excepthook = main_hook
    threading.excepthook = thread_hook
