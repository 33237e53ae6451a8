"""Failpoints: places where a test makes a process of a real service die, fail, hang or run out of disk.

Nothing of this is part of the service. Python imports this file by itself in every process for which its folder is on
``PYTHONPATH``; it then wraps the functions of ``POINTS`` as their modules are loaded. ``FAILPOINTS`` names a folder in
which a test arms a point by writing a file; each armed point strikes once (see ``tests/support/faults.py``).
"""

import contextlib
import ctypes
import errno
import functools
import importlib
import os
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

SETTING = "FAILPOINTS"
_HELD_SECONDS = 120

# Name of the point, and the function before or after which it lies. In the order in which an upload and a purge pass
# them; the first block is reached in the session process, the second in the front (or the launcher, which purges at
# its end), the third in the host and the embedder.
POINTS: dict[str, tuple[str, str, Literal["before", "after"]]] = {
    "receiving": ("ingestion.quarantine", "SealedFile.write", "after"),
    "received": ("sessions.workspace", "Workspace.commit", "before"),
    "accepted": ("sessions.workspace", "Workspace.commit", "after"),
    "before_jail": ("ingestion.jail", "JailClient.extract", "before"),
    "extracted": ("ingestion.jail", "JailClient.extract", "after"),
    "embedding": ("vectorstore.client", "EmbedderClient.embed_passages", "after"),
    "adding": ("vectorstore.engine", "Engine.add", "before"),
    "engine_changed": ("vectorstore.engine", "Engine.add", "after"),
    "added": ("vectorstore.collection", "Collection.add", "after"),
    "published": ("vectorstore.collection", "Collection.publish", "after"),
    "clearing": ("sessions.workspace", "Workspace._clear", "before"),
    "searching": ("vectorstore.collection", "Collection.search", "before"),
    "opening_engine": ("vectorstore.engine", "_private_engine", "before"),
    "writing_down": ("models.documents.service", "insert", "before"),
    "refuse_new_work": ("sessions.purge", "_Work.refuse_new_work", "after"),
    "count": ("sessions.purge", "_Work.count", "after"),
    "stop_jails": ("sessions.purge", "_Work.stop_jails", "after"),
    "drop_queued_texts": ("sessions.purge", "_Work.drop_queued_texts", "after"),
    "kill_session": ("sessions.purge", "_Work.kill_session", "after"),
    "remove_quarantine": ("sessions.purge", "_Work.remove_quarantine", "after"),
    "shrink_rows": ("sessions.purge", "_Work.shrink_rows", "after"),
    "verify": ("sessions.purge", "_Work.verify", "after"),
    "writing_receipt": ("models.receipts.service", "add", "before"),
    "signed": ("sessions.purge", "_Work.sign", "after"),
    "purging": ("sessions.purge", "purge", "before"),
    "sweeping": ("sessions.sweep", "_due", "before"),
    "ending_lease": ("sessions.leases", "Leases.end", "after"),
    "forking": ("os", "fork", "before"),
    "removing_files": ("shutil", "rmtree", "before"),
    "taking_text": ("vectorstore.lanes", "Ticket.take_text", "after"),
    "computing": ("vectorstore.onnx_backend", "OnnxEmbedder.embed_passages", "after"),
}


def install(folder: Path) -> None:
    """Wrap what is loaded, and what will be."""
    by_module: dict[str, list[str]] = {}
    for point, (module, _, _) in POINTS.items():
        by_module.setdefault(module, []).append(point)
    for name in by_module.keys() & sys.modules.keys() | {"os", "shutil"}:
        _wrap(importlib.import_module(name), by_module[name], folder)
    sys.meta_path.insert(0, _Finder(by_module, folder))


class _Finder(MetaPathFinder):
    def __init__(self, by_module: dict[str, list[str]], folder: Path) -> None:
        self._by_module, self._folder = by_module, folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        points = self._by_module.get(fullname)
        spec = PathFinder.find_spec(fullname, path, target) if points else None
        if points and spec is not None and spec.loader is not None:
            spec.loader = _Wrapping(spec.loader, points, self._folder)
        return spec


class _Wrapping(Loader):
    """The module's own loader, and then the wrapping, before anybody can take a function out of it."""

    def __init__(self, loader: Loader, points: list[str], folder: Path) -> None:
        self._loader, self._points, self._folder = loader, points, folder

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        _wrap(module, self._points, self._folder)


def _wrap(module: ModuleType, points: list[str], folder: Path) -> None:
    for point in points:
        _, qualified, moment = POINTS[point]
        *owners, name = qualified.split(".")
        owner: Any = functools.reduce(getattr, owners, module)
        setattr(owner, name, _with_point(getattr(owner, name), folder / point, moment))


def _with_point(function: Callable[..., Any], armed: Path, moment: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def passing(*arguments: Any, **named: Any) -> Any:
        if moment == "before":
            _strike(armed, None)
            return function(*arguments, **named)
        return _strike(armed, function(*arguments, **named))

    return passing


def _strike(armed: Path, result: Any) -> Any:
    """Do what the point is armed with, once; return the result, which some actions change."""
    if not armed.exists():
        return result
    for token in sorted(armed.parent.glob(f"{armed.name}.pass.*")):
        with contextlib.suppress(FileNotFoundError):
            token.unlink()
            return result
    reached = armed.with_name(f"{armed.name}.reached")
    try:
        armed.rename(reached)  # Of two that pass at once, one strikes.
    except FileNotFoundError:
        return result
    action, _, detail = reached.read_text(encoding="ascii").partition(" ")
    return _ACTIONS[action](result, detail, reached)


def _kill(_result: Any, _detail: str, _reached: Path) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(_HELD_SECONDS)  # The signal ends the process before it can do anything else.


def _kill_later(result: Any, detail: str, _reached: Path) -> Any:
    _signal_later(signal.SIGKILL, float(detail))
    return result


def _stop_later(result: Any, detail: str, _reached: Path) -> Any:
    _signal_later(signal.SIGSTOP, float(detail))
    return result


def _kill_other_later(result: Any, detail: str, _reached: Path) -> Any:
    seconds, pid = detail.split()

    def strike() -> None:
        time.sleep(float(seconds))
        os.kill(int(pid), signal.SIGKILL)

    sys.setswitchinterval(0.0005)  # So that this thread need not wait for the other's turn to end.
    threading.Thread(target=strike, daemon=True).start()
    return result


class _Event(ctypes.Structure):
    """``struct sigevent``, with the room that the kernel reads."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("_", ctypes.c_byte * 48),
    )


def _signal_later(number: signal.Signals, seconds: float) -> None:
    """Let the kernel send this process a signal after a while of its life, whatever it does then and who else runs."""
    libc = ctypes.CDLL(None, use_errno=True)
    timer = ctypes.c_void_p()
    event = _Event(None, number, 0)
    once = (ctypes.c_long * 4)(0, 0, int(seconds), max(1, int(seconds % 1 * 1e9)))
    if libc.timer_create(time.CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(timer)) != 0:
        raise OSError(ctypes.get_errno(), "timer_create")
    if libc.timer_settime(timer, 0, once, None) != 0:
        raise OSError(ctypes.get_errno(), "timer_settime")


def _raise(_result: Any, _detail: str, _reached: Path) -> Any:
    raise RuntimeError("a failpoint")


def _disk_full(_result: Any, _detail: str, _reached: Path) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _no_process(_result: Any, _detail: str, _reached: Path) -> Any:
    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def _delay(result: Any, detail: str, _reached: Path) -> Any:
    time.sleep(float(detail))
    return result


def _hold(result: Any, _detail: str, reached: Path) -> Any:
    end = time.monotonic() + _HELD_SECONDS
    while reached.exists() and time.monotonic() < end:
        time.sleep(0.01)
    return result


def _spoil(result: Any, detail: str, _reached: Path) -> Any:
    """Return vectors as no model makes them: not numbers, of another dimension, or too few."""
    if detail == "nan":
        return result * float("nan")
    return result[:, :-1] if detail == "dimension" else result[:-1]


_KEPT: list[Any] = []


def _keep(result: Any, _detail: str, _reached: Path) -> Any:
    """Keep what came by in this process's memory, as a cache that nobody empties would."""
    _KEPT.append(result)
    return result


def _log(result: Any, _detail: str, _reached: Path) -> Any:
    """Write what was read from a document to the log, as a line for debugging would."""
    sys.stderr.write(f'{{"event": "debugging", "text": "{result.pages[0].text.strip()}"}}\n')
    sys.stderr.flush()
    return result


def _leave_file(result: Any, _detail: str, _reached: Path) -> Any:
    """Leave what was read in a temporary file."""
    descriptor, _ = tempfile.mkstemp()
    os.write(descriptor, result.pages[0].text.encode())
    os.close(descriptor)
    return result


def _write_sql(result: Any, detail: str, _reached: Path) -> Any:
    """Write what was read into a column of the record, past all that guards it."""
    with contextlib.closing(sqlite3.connect(detail, timeout=30)) as record, record:
        (scenario,) = record.execute("SELECT min(scenario_id) FROM learning_scenarios").fetchone()
        words = result.pages[0].text
        record.execute("UPDATE learning_scenarios SET title = ? WHERE scenario_id = ?", (words, scenario))
    return result


_ACTIONS: dict[str, Callable[[Any, str, Path], Any]] = {
    "kill9": _kill,
    "kill9_after": _kill_later,
    "stop_after": _stop_later,
    "kill_other_after": _kill_other_later,
    "raise": _raise,
    "enospc": _disk_full,
    "eagain": _no_process,
    "delay": _delay,
    "hold": _hold,
    "spoil": _spoil,
    "keep": _keep,
    "log": _log,
    "leave_file": _leave_file,
    "write_sql": _write_sql,
}

if SETTING in os.environ:
    install(Path(os.environ[SETTING]))
