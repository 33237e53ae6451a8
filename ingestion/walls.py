"""The walls of a jail: what a process that parses hostile bytes gives up before it sees the first of them.

Owns the order in which they go up. Each is tried and what holds is reported (``ingestion.level`` names them); nothing
is pretended. Works as root and as an ordinary user. Where the machine forbids namespaces, Landlock keeps the files and
the filter of system calls keeps network and processes; what is weaker then is in docs/adr/0006-jail-walls.md.

- ``limits``     address space, CPU time, file size, processes, descriptors, no core file; an empty environment
- ``user``       a user that owns nothing (when the jailer is root), no capabilities, no way to gain any
- ``network``    a network namespace without an interface, and no way to make a socket
- ``processes``  a process namespace: whatever the jail starts dies with it, and it sees nobody else
- ``files``      a file system of its own: the system's programs read-only, a private folder in memory, nothing else
- ``syscalls``   a filter: what a parser never needs is refused
- ``landlock``   only the paths that are shown, also where there is no file system of its own
"""

import contextlib
import ctypes
import os
import resource
import signal
import socket
import struct
import time
from pathlib import Path
from typing import NoReturn

from ingestion import landlock, root, seccomp
from ingestion.level import Walls
from ingestion.limits import JailLimits
from processes.hardening import PR_SET_DUMPABLE, PR_SET_PDEATHSIG

_NOBODY = 65_534
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAPBSET_DROP = 24
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63

_CLONE_NEWNS, _CLONE_NEWUTS, _CLONE_NEWIPC = 0x0002_0000, 0x0400_0000, 0x0800_0000
_CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x1000_0000, 0x2000_0000, 0x4000_0000

_MAX_DESCRIPTORS = 64
# A page in work is a thread and a program with a thread or two; the rest is room for a parser's own threads.
_PROCESSES, _PROCESSES_PER_PAGE = 16, 8
# Where a jail's processes are counted together with others' of the same user: how many may come during its life.
_PROCESSES_OF_OTHERS = 512
# Users that no system gives out (systemd's list of ranges), one for each process id: jails at work never share one.
_FIRST_USER = 1_900_000_000
# The embedder answers questions while jails read: on a busy processor a jail gets a quarter and the embedder the rest.
# Not less, and no idle class: beside a long batch of texts a page would run out of its time.
_NICENESS = 5
_AUTOGROUP_PAUSE_SECONDS = 0.11
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "OMP_THREAD_LIMIT": "1", "OPENBLAS_NUM_THREADS": "1"}

_libc = ctypes.CDLL(None, use_errno=True)


def enclose(limits: JailLimits, *, keep: frozenset[int]) -> Walls:
    """Put walls around this process, a fresh child with one thread, and return which hold.

    Only the descriptors in ``keep`` stay open. Where a process namespace holds, the caller goes on in a child that is
    the first process of it, and the process that was called waits for that child and dies as it died.
    Raises ``SystemExit`` when the jailer is gone and ``OSError`` when a wall fails that holds on every machine.
    """
    jailer = os.getppid()
    _close_descriptors(keep)
    os.setsid()
    _die_with(jailer)
    _step_back()
    user = _user_of_its_own()
    held = _enter_namespaces(user, limits)
    if ("processes", "namespace") in held:
        _go_on_as_first_process()
    _drop_privileges(user, limits)
    held |= {("user", "capabilities"), ("limits", "rlimits")}
    has_folder = ("files", "namespace") in held
    held |= _confine(own=root.PRIVATE_FOLDER if has_folder else None)
    _limit(limits, may_write=has_folder)
    os.environ.clear()
    os.environ.update(_ENVIRONMENT)
    root.check(_libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
    return Walls(frozenset(held | _filter_calls(held)))


def private_folder(walls: Walls) -> Path | None:
    """Return the folder whose files only this jail has and which dies with it, if there is one."""
    return root.PRIVATE_FOLDER if walls.has("files", "namespace") else None


def _step_back() -> None:
    """Let others go first. Where the kernel groups processes by session, the group needs telling as well."""
    os.nice(_NICENESS)
    for pause in (0.0, _AUTOGROUP_PAUSE_SECONDS):  # Ordinary users may say this to the kernel ten times a second.
        time.sleep(pause)
        try:
            Path("/proc/self/autogroup").write_bytes(str(_NICENESS).encode())
        except BlockingIOError:
            continue
        except OSError:
            return
        return


def _confine(*, own: Path | None) -> set[tuple[str, str]]:
    with contextlib.suppress(OSError):
        landlock.confine(readable=root.shown(), devices=root.DEVICES, own=own)
        return {("files", "landlock"), ("landlock", "landlock")}
    return set()


def _filter_calls(held: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Forbid what a parser never needs; signals too where neither a namespace nor Landlock keeps them inside.

    And emptying files by opening them, where neither a root of its own nor Landlock keeps a jail from it.
    """
    is_alone = ("processes", "namespace") in held or landlock.confines_signals()
    is_read_only = ("files", "namespace") in held or landlock.rules_truncation()
    with contextlib.suppress(OSError):
        names = seccomp.FORBIDDEN if is_alone else seccomp.FORBIDDEN | seccomp.SIGNALS
        seccomp.forbid(names, truncation=not is_read_only)
        return {("syscalls", "seccomp"), ("network", "seccomp"), ("processes", "seccomp")}
    return set()


def _close_descriptors(keep: frozenset[int]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    before = 2
    for descriptor in sorted(keep):
        os.closerange(before + 1, descriptor)
        before = descriptor
    os.closerange(before + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _die_with(parent: int) -> None:
    root.check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    if os.getppid() != parent:
        raise SystemExit("the jailer is gone")


def _enter_namespaces(user: int, limits: JailLimits) -> set[tuple[str, str]]:
    """Enter as many namespaces as the machine allows; as an ordinary user this takes a user namespace first."""
    held = set[tuple[str, str]]()
    if os.geteuid() != 0:
        _enter_user_namespace(limits)
    with contextlib.suppress(OSError):
        root.check(_libc.unshare(_CLONE_NEWNET))
        if _is_cut_off():
            held.add(("network", "namespace"))
    with contextlib.suppress(OSError):
        root.check(_libc.unshare(_CLONE_NEWPID))
        held.add(("processes", "namespace"))
    with contextlib.suppress(OSError):
        root.check(_libc.unshare(_CLONE_NEWIPC | _CLONE_NEWUTS))
    with contextlib.suppress(OSError):
        root.check(_libc.unshare(_CLONE_NEWNS))
        root.build(user)
        held.add(("files", "namespace"))
    os.umask(0o077)
    return held


def _is_cut_off() -> bool:
    """Say whether not even this machine can be reached: later there is no socket to look with."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("127.0.0.1", 9))
    except OSError:
        return True
    return False


def _user_of_its_own() -> int:
    """Return the user that this jail becomes when the jailer is root: its own, or nobody where there are too few."""
    user = _FIRST_USER + os.getpid()
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/uid_map").read_bytes().splitlines():
            first, _, count = map(int, line.split())
            if first <= user < first + count:
                return user
    return _NOBODY


def _enter_user_namespace(limits: JailLimits) -> None:
    uid, gid = os.geteuid(), os.getegid()
    try:
        # The kernel gives an undumpable process's files to root; there is nothing to dump in here yet.
        root.check(_libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
        root.check(_libc.unshare(_CLONE_NEWUSER))
        maps = (("setgroups", "deny"), ("uid_map", f"{_NOBODY} {uid} 1"), ("gid_map", f"{_NOBODY} {gid} 1"))
        for name, text in maps:
            Path("/proc/self", name).write_bytes(text.encode())
        _bound(resource.RLIMIT_NPROC, _processes(limits))
    except OSError:
        _bound(resource.RLIMIT_NPROC, _processes_of(uid) + _processes(limits) + _PROCESSES_OF_OTHERS)


def _processes(limits: JailLimits) -> int:
    return _PROCESSES + _PROCESSES_PER_PAGE * limits.ocr_workers


def _processes_of(uid: int) -> int:
    """Return how many threads a user's processes have: the kernel counts them all against a process limit."""
    count = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            facts = dict(line.split(":", 1) for line in status.read_text("utf-8", "replace").splitlines())
            count += int(facts["Threads"]) if int(facts["Uid"].split()[0]) == uid else 0
    return count


def _go_on_as_first_process() -> None:
    """Fork; return in the child, which is process 1 of the new namespace. The parent waits and dies as it died."""
    child = os.fork()
    if child == 0:
        root.check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
        return
    _die_as(child)


def _die_as(child: int) -> NoReturn:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.closerange(0, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _drop_privileges(user: int, limits: JailLimits) -> None:
    """Become that user where we are root, give up every capability, and the means to get any back."""
    for capability in range(_LAST_CAPABILITY + 1):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        _bound(resource.RLIMIT_NPROC, _processes(limits) + (_PROCESSES_OF_OTHERS if user == _NOBODY else 0))
    root.check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    root.check(_libc.syscall(seccomp.number("capset"), header, bytes(24)))
    # The kernel clears the death signal when the user changes.
    root.check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))


def _limit(limits: JailLimits, *, may_write: bool) -> None:
    recognition_seconds = min(limits.pages * limits.ocr_page_seconds, limits.ocr_seconds)
    seconds = int(limits.document_seconds + recognition_seconds) + 1
    bounds = {
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: root.PRIVATE_BYTES if may_write else 0,
        resource.RLIMIT_NOFILE: _MAX_DESCRIPTORS,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for what, bound in bounds.items():
        _bound(what, bound)


def _bound(what: int, bound: int) -> None:
    hard = resource.getrlimit(what)[1]
    allowed = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
    resource.setrlimit(what, (allowed, allowed))
