"""A program that was taken over inside a jail: it tries what it should not be able to do and reports what worked.

Run as ``python -m tests.support.hostile_program REPORT_FD FOLDER UID DEED``. ``FOLDER`` holds what is another's:
``secret``, ``folder/inside`` and the socket ``host.sock``. The deed ``report`` writes one line of JSON; every other one
is a rampage.
"""

import contextlib
import ctypes
import errno
import json
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ingestion.limits import JailLimits
from ingestion.seccomp import number
from ingestion.walls import enclose, private_folder
from processes.hardening import PR_SET_DUMPABLE

Attempts = dict[str, Callable[[], object]]
# What is tried outside first: what fails there as well would prove nothing inside.
HARMLESS = (
    "connect to 127.0.0.1", "send a datagram", "open a netlink socket", "connect to a socket file",
    "connect to an abstract socket", "open an abstract socket", "open a pair of sockets", "read another's file",
    "list another's folder", "list processes", "read the list of users", "watch another's folder", "trace itself",
    "read its own memory at once", "use the keyring", "make a file in memory", "change its personality",
    "leave its group", "signal the neighbour", "read the neighbour's environ", "read the neighbour's memory",
    "take a handle of a file", "open the neighbour", "be served first",
)  # fmt: skip
LIMITS = JailLimits(document_seconds=1, ocr_seconds=0, memory_bytes=1 << 30)
_BOMB_LIMIT = 2_000
_libc = ctypes.CDLL(None, use_errno=True)


def network(folder: Path) -> Attempts:
    """J01: reach anybody."""
    tries: Attempts = {
        "connect to 127.0.0.1": lambda: _connect(socket.AF_INET, ("127.0.0.1", 1)),
        "connect to ::1": lambda: _connect(socket.AF_INET6, ("::1", 1)),
        "send a datagram": lambda: _datagram(socket.AF_INET, "127.0.0.1"),
        "send a datagram over IPv6": lambda: _datagram(socket.AF_INET6, "::1"),
        "ask for a name": lambda: socket.getaddrinfo("localhost.example", 80),
        "open a raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
        "open a packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3),
        "open a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
        "open a vsock socket": lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM),
        "connect to a socket file": lambda: _connect(socket.AF_UNIX, f"{folder}/host.sock"),
        "connect to an abstract socket": lambda: _connect(socket.AF_UNIX, _abstract(folder)),
        "open an abstract socket": lambda: socket.socket(socket.AF_UNIX).bind("\0mayfly-jail"),
        "open a pair of sockets": socket.socketpair,
        "list interfaces": lambda: _check(len(socket.if_nameindex()) - 1),
    }
    return tries


def files(folder: Path, neighbour: int) -> Attempts:
    """J02 and J06: read what is another's, write where it stays."""
    secret, temporary = folder / "secret", Path("/tmp/mayfly-was-here")  # noqa: S108
    return {
        "read another's file": secret.read_bytes,
        "list another's folder": lambda: os.listdir(folder),  # noqa: PTH208
        "read the list of users": lambda: Path("/etc/passwd").read_bytes(),
        "read the shadow file": lambda: Path("/etc/shadow").read_bytes(),
        "read this project": lambda: Path(__file__).read_bytes(),
        "list processes": lambda: list(Path("/proc").iterdir()),
        **{
            f"read the neighbour's {name}": lambda name=name: Path(f"/proc/{neighbour}/{name}").read_bytes()
            for name in ("environ", "cmdline", "maps", "status")
        },
        "read the neighbour's memory": lambda: Path(f"/proc/{neighbour}/mem").open("rb"),
        "see where the neighbour is": lambda: Path(f"/proc/{neighbour}/cwd").readlink(),
        "read the machine's settings": lambda: list(Path("/sys").iterdir()),
        "change another's file": lambda: secret.open("ab"),
        "empty another's file by reading it": lambda: os.open(secret, os.O_RDONLY | os.O_TRUNC),
        "shorten another's file": lambda: os.truncate(secret, 0),
        "remove another's file": (folder / "folder/inside").unlink,
        "rename another's file": lambda: secret.rename(folder / "folder/taken"),
        "link another's file": lambda: (folder / "folder/linked").hardlink_to(secret),
        "open up another's file": lambda: secret.chmod(0o777),
        "touch another's file": lambda: os.utime(secret),
        "mark another's file": lambda: os.setxattr(secret, "user.mayfly", b"x"),
        "watch another's folder": lambda: _watch(folder),
        "write to the root": lambda: Path("/mayfly-was-here").write_bytes(b"x"),
        "write to the system": lambda: Path("/usr/mayfly-was-here").write_bytes(b"x"),
        "write to the temporary folder": lambda: temporary.write_bytes(b"x"),
        "write to shared memory": lambda: Path("/dev/shm/mayfly-was-here").write_bytes(b"x"),  # noqa: S108
        "write to another's folder too": lambda: (folder / "left").write_bytes(b"x"),
        "make a folder": (folder / "left").mkdir,
        "open the terminal": lambda: Path("/dev/tty").open("rb"),
        "make a device": lambda: os.mknod("/dev/shm/mayfly-was-here", 0o20666, os.makedev(1, 1)),  # noqa: S108
        "read the environment": lambda: os.environ["MAYFLY_SECRET"],
    }


def system(neighbour: int) -> Attempts:
    """J04: what the kernel offers."""
    word = ctypes.create_string_buffer(8)
    io_vector = (ctypes.c_void_p * 2)(ctypes.addressof(word), 8)
    handle = ctypes.create_string_buffer(b"\x80", 136)
    calls: dict[str, tuple[str, tuple[object, ...]]] = {
        "trace itself": ("ptrace", (0, 0, 0, 0)),
        "trace the neighbour": ("ptrace", (0x4206, neighbour, 0, 0)),
        "read the neighbour's memory at once": ("process_vm_readv", (neighbour, io_vector, 1, io_vector, 1, 0)),
        "write the neighbour's memory at once": ("process_vm_writev", (neighbour, io_vector, 1, io_vector, 1, 0)),
        "open the neighbour": ("pidfd_open", (neighbour, 0)),
        "use the keyring": ("keyctl", (0, -3, 1)),
        "add a key": ("add_key", (b"user", b"mayfly", b"x", 1, -3)),
        "load a program into the kernel": ("bpf", (0, bytes(128), 128)),
        "handle faults itself": ("userfaultfd", (1,)),
        "make an io_uring": ("io_uring_setup", (1, ctypes.create_string_buffer(120))),
        "count events": ("perf_event_open", (ctypes.create_string_buffer(b"\1\0\0\0\x70", 128), 0, -1, -1, 0)),
        "make a file in memory": ("memfd_create", (b"mayfly", 0)),
        "run a descriptor": ("execveat", (-100, b"/usr/bin/true", 0, 0, 0)),
        "mount": ("mount", (b"tmpfs", b"/usr", b"tmpfs", 0, None)),
        "unmount": ("umount2", (b"/usr", 2)),
        "open a file system": ("fsopen", (b"tmpfs", 0)),
        "open a tree": ("open_tree", (-100, b"/usr", 1)),
        "make a user namespace": ("unshare", (0x1000_0000,)),
        "make a user namespace by clone": ("clone", (0x1000_0000 | 17, 0, 0, 0, 0)),
        "make a user namespace by clone3": ("clone3", (ctypes.create_string_buffer(b"\0\0\0\x10", 64), 64)),
        "change the root": ("chroot", (b"/usr",)),
        "change its personality": ("personality", (0x40000,)),
        "read the kernel's log": ("syslog", (3, ctypes.create_string_buffer(64), 64)),
        "share memory with others": ("shmget", (0x4D61, 4096, 0o1666)),
        "make a queue for others": ("msgget", (0x4D61, 0o1666)),
        "make a message queue": ("mq_open", (b"mayfly", 0o102, 0o600, None)),
        "take a handle of a file": ("name_to_handle_at", (-100, b"/usr", handle, bytes(8), 0)),
        "set the clock": ("clock_settime", (0, bytes(16))),
        "limit the neighbour": ("prlimit64", (neighbour, 7, None, ctypes.create_string_buffer(16))),
        "type into a terminal": ("ioctl", (0, 0x5412, b"x")),
    }
    return {
        **{name: lambda call=call: _call(*call) for name, call in calls.items()},
        "read its own memory at once": lambda: _call("process_vm_readv", (os.getpid(), io_vector, 1, io_vector, 1, 0)),
        "become root": lambda: os.setuid(0),
        "be served first": lambda: os.setpriority(os.PRIO_PROCESS, 0, 0),
        "signal the neighbour": lambda: os.kill(neighbour, 0),
        "have the neighbour signalled": lambda: _order(8, ctypes.c_long(neighbour)),
        "have the neighbour signalled in another way": lambda: _order(15, (ctypes.c_int * 2)(1, neighbour)),
        "choose the signal": lambda: _order(10, ctypes.c_long(signal.SIGKILL)),
        "leave its group": lambda: _in_child(os.setsid),
        "take a lot of memory": lambda: mmap.mmap(-1, 10 << 30),
        "take more files": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096)),
        "dump core": lambda: _check(int(resource.getrlimit(resource.RLIMIT_CORE) == (0, 0))),
        "call as another architecture": lambda: _in_child(_call_as_x32),
    }


def permitted() -> Attempts:
    """Return what a reader needs: without these, refusals would prove nothing."""
    return {
        "run tesseract": lambda: subprocess.run(["tesseract", "--version"], check=True, capture_output=True),
        "end a program in time": _end_in_time,
        "start a thread": _start_thread,
        "open the null device": lambda: Path(os.devnull).write_bytes(b"x"),
        "look at the system": lambda: list(Path("/usr/bin").iterdir()),
    }


def spin() -> None:
    """J03: compute for ever, deaf to every signal."""
    for name in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError):
            signal.signal(name, signal.SIG_IGN)
    while True:
        pass


def write(place: Path) -> None:
    """J03: write without end, and leave with how much there is in MiB."""
    with contextlib.suppress(OSError), place.open("wb", buffering=0) as endless:
        while True:
            endless.write(bytes(1 << 20))
    os._exit(place.stat().st_size >> 20 if os.access(place, os.F_OK) else 0)


def stay() -> None:
    """J06: leave a process behind that has a session of its own where it can, and is deaf."""
    if os.fork() == 0:
        with contextlib.suppress(OSError):
            os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pause()
    os._exit(0)


def _connect(family: int, address: Any) -> None:
    """Connect; an answer that the port is closed proves as well that somebody was reached."""
    with socket.socket(family) as sock:
        try:
            sock.connect(address)
        except OSError as error:
            if error.errno != errno.ECONNREFUSED:
                raise


def _datagram(family: int, address: str) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", (address, 9))


def _order(order: int, argument: object) -> None:
    """Give a descriptor an order by fcntl; the neighbour is not signalled yet, as nothing arrives."""
    _call("fcntl", (0, order, argument))


def _abstract(folder: Path) -> str:
    return f"\0{folder}"


def _watch(folder: Path) -> None:
    watcher = _libc.inotify_init1(0)
    _check(0 if watcher >= 0 and _libc.inotify_add_watch(watcher, str(folder).encode(), 0xFFF) >= 0 else 1)


def _call(name: str, arguments: tuple[object, ...]) -> None:
    result = _libc.syscall(ctypes.c_long(number(name)), *map(_wide, arguments))
    if result == 0 and name in {"clone", "clone3"}:
        os._exit(0)
    _check(0 if result >= 0 else 1)


def _wide(argument: object) -> object:
    return ctypes.c_long(argument) if isinstance(argument, int) else argument


def _call_as_x32() -> None:
    _check(0 if os.uname().machine == "x86_64" else 1)
    _libc.syscall(ctypes.c_long(0x4000_0000 | 39))


def _in_child(attempt: Callable[[], object]) -> None:
    """Try it in a child: what it does would change this process. Raises when the child fails or dies."""
    child = os.fork()
    if child == 0:
        try:
            attempt()
            os._exit(0)
        finally:
            os._exit(1)
    _check(os.waitpid(child, 0)[1])


def _end_in_time() -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(["sleep", "30"], timeout=0.05, check=True)  # Returns when it killed the program.


def _start_thread() -> None:
    thread = threading.Thread(target=time.time)
    thread.start()
    thread.join()


def _check(result: int) -> None:
    if result != 0:
        raise PermissionError(ctypes.get_errno())


def _works(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (OSError, LookupError, ValueError, ImportError, RuntimeError, subprocess.SubprocessError):
        return False
    return True


def _count_forks() -> int:
    """Fork until it fails, and return how often that went well; every child waits to be killed."""
    for count in range(_BOMB_LIMIT):
        try:
            if os.fork() == 0:
                signal.pause()
        except OSError:
            return count
    return _BOMB_LIMIT


def main() -> None:
    """Go into a jail and do the deed."""
    report, folder, uid, deed = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    _become(uid)
    neighbour = _start_neighbour()
    tries = network(folder) | files(folder, neighbour) | system(neighbour)
    before = _outside({name: tries[name] for name in HARMLESS}) if deed == "report" else []
    walls = enclose(LIMITS, keep=frozenset({report}))
    private = private_folder(walls)
    if deed != "report":
        deeds = {"spin": spin, "write": lambda: write((private or folder) / "endless"), "stay": stay}
        deeds[deed]()
    result = {
        "level": walls.level,
        "kept_by": walls.kept_by,
        "before": before,
        "worked": [name for name, attempt in tries.items() if _works(attempt)],
        "needed": {name: _works(attempt) for name, attempt in permitted().items()},
        "seen": _works((folder / "secret").stat),
        "private": private is not None and _works(lambda: (private / "scratch").write_bytes(b"x")),
        "descriptors": _open_descriptors(),
        "environment": sorted(os.environ),
        "user": os.getuid(),
        "niceness": os.getpriority(os.PRIO_PROCESS, 0),
        "forks": _count_forks(),
    }
    os.write(report, json.dumps(result).encode() + b"\n")
    os._exit(0)


def _outside(tries: Attempts) -> list[str]:
    """Return what works without a jail, each tried in a child of its own."""
    return sorted(name for name, attempt in tries.items() if _works(lambda attempt=attempt: _in_child(attempt)))


def _start_neighbour() -> int:
    """Start a process of the same user that hides nothing from it, and lives until standard input ends.

    No death signal: where the walls are good, this process's death may not reach it.
    """
    ours, theirs = os.pipe()
    neighbour = os.fork()
    if neighbour == 0:
        _libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
        os.write(theirs, b"x")
        os.read(0, 1)
        os._exit(0)
    os.read(ours, 1)
    return neighbour


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


if __name__ == "__main__":
    main()
