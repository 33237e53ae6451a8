"""A program that was taken over inside a jail: it tries what it should not be able to do and reports what worked.

Run as ``python -m tests.support.hostile_program REPORT_FD SECRET_FILE SOCKET UID``; writes one JSON object.
"""

import contextlib
import ctypes
import json
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ingestion.limits import JailLimits
from ingestion.walls import enclose, private_folder


def attempts(secret: str, unix_socket: str, parent: int) -> dict[str, Callable[[], object]]:
    """Return what to try, by name; each raises when it does not work."""
    libc = ctypes.CDLL(None, use_errno=True)
    return {
        "connect to 127.0.0.1": lambda: _connect(socket.AF_INET, ("127.0.0.1", 1), (111,)),
        "connect to ::1": lambda: _connect(socket.AF_INET6, ("::1", 1), (111,)),
        "send a datagram": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53)),
        "open a raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
        "connect to a socket file": lambda: _connect(socket.AF_UNIX, unix_socket, ()),
        "read another's file": lambda: Path(secret).read_bytes(),
        "read the shadow file": lambda: Path("/etc/shadow").read_bytes(),
        "read the parent's memory": lambda: Path(f"/proc/{parent}/mem").open("rb"),
        "list processes": lambda: list(Path("/proc").iterdir()),
        "write to the root": lambda: Path("/mayfly-was-here").write_bytes(b"x"),
        "write to the system": lambda: Path("/usr/mayfly-was-here").write_bytes(b"x"),
        "write to shared memory": lambda: Path("/dev/shm/mayfly-was-here").write_bytes(b"x"),  # noqa: S108
        "read the environment": lambda: os.environ["MAYFLY_SECRET"],
        "kill the parent": lambda: os.kill(parent, 0),
        "mount": lambda: _check(libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None)),
        "become root": lambda: os.setuid(0),
        "trace another process": lambda: _check(libc.ptrace(16, parent, 0, 0)),
        "take a lot of memory": lambda: mmap.mmap(-1, 4 << 30),
        "dump core": lambda: _check(resource.getrlimit(resource.RLIMIT_CORE)[0] == 0),
    }


def permitted() -> dict[str, Callable[[], object]]:
    """Return what a reader needs: without these, refusals would prove nothing."""
    return {
        "run tesseract": lambda: subprocess.run(["tesseract", "--version"], check=True, capture_output=True),
        "open the null device": lambda: Path(os.devnull).write_bytes(b"x"),
        "look at the system": lambda: list(Path("/usr/bin").iterdir()),
    }


def _connect(family: int, address: Any, alive: tuple[int, ...]) -> None:
    """Connect; an answer that the port is closed proves as well that somebody was reached."""
    with socket.socket(family) as sock:
        try:
            sock.connect(address)
        except OSError as error:
            if error.errno not in alive:
                raise


def _check(result: int) -> None:
    if result != 0:
        raise PermissionError(ctypes.get_errno())


def _works(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (OSError, KeyError, ValueError, subprocess.SubprocessError):
        return False
    return True


def main() -> None:
    """Go into a jail, try everything, report."""
    report, secret, unix_socket = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    parent = os.getppid()
    _become(int(sys.argv[4]))
    tries = attempts(secret, unix_socket, parent)
    before = {
        name: _works(tries[name]) for name in ("connect to 127.0.0.1", "connect to a socket file", "list processes")
    }
    walls = enclose(JailLimits(), keep=frozenset({report}))
    folder = private_folder(walls)
    if folder is not None:
        (folder / "scratch").write_bytes(b"x")
    result = {
        "walls": sorted(walls),
        "before": before,
        "worked": [name for name, attempt in tries.items() if _works(attempt)],
        "needed": {name: _works(attempt) for name, attempt in permitted().items()},
        "descriptors": _open_descriptors(),
        "environment": sorted(os.environ),
        "user": os.getuid(),
    }
    os.write(report, json.dumps(result).encode())
    _leave_a_daemon()


def _become(uid: int) -> None:
    if uid != os.geteuid():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def _open_descriptors() -> list[int]:
    found = list[int]()
    for descriptor in range(64):
        with contextlib.suppress(OSError):
            os.fstat(descriptor)
            found.append(descriptor)
    return found


def _leave_a_daemon() -> None:
    """Leave a process behind that has a session of its own and outlives its parent, if it can."""
    if os.fork() == 0:
        os.setsid()
        signal.pause()
    os._exit(0)


if __name__ == "__main__":
    main()
