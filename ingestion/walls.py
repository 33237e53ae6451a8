"""The walls of a jail: what a process that parses hostile bytes gives up before it sees the first of them.

Owns the calls into the kernel. Each wall is tried and what holds is reported by name; nothing is pretended. Works as
root and as an ordinary user; where the machine forbids namespaces, the limits, the process group and the death signal
remain.

- ``limits``     address space, CPU time, file size, descriptors, no core file; an empty environment
- ``user``       an ordinary user that owns nothing (when the jailer is root), no capabilities, no way to gain any
- ``network``    a network namespace without an interface
- ``processes``  a process namespace: whatever the jail starts dies with it, and it sees nobody else
- ``files``      a file system of its own: the system's programs read-only, a private folder in memory, nothing else
"""

import contextlib
import ctypes
import os
import resource
import signal
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from ingestion.limits import MIB, JailLimits
from processes.hardening import PR_SET_DUMPABLE, PR_SET_PDEATHSIG

_NOBODY = 65_534
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAPBSET_DROP = 24
_SYS_CAPSET = {"x86_64": 126, "aarch64": 91}
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63

_CLONE_NEWNS, _CLONE_NEWUTS, _CLONE_NEWIPC = 0x0002_0000, 0x0400_0000, 0x0800_0000
_CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x1000_0000, 0x2000_0000, 0x4000_0000

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 32, 4096, 16384, 1 << 18
_MNT_DETACH = 2

_SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
# Where the jail's root is built: a folder that hides nothing the jail must see when a file system is put over it.
_STAGES = ("/mnt", "/media", "/srv", "/opt", "/tmp")  # noqa: S108 - covered before anything is put there.
_PRIVATE_FOLDER = Path("/private")
_PRIVATE_BYTES = 128 * MIB
_MAX_DESCRIPTORS = 64
# In a user namespace the jail's processes are counted apart; the user nobody's are counted together.
_MAX_PROCESSES, _MAX_PROCESSES_OF_NOBODY = 32, 1024
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "OMP_THREAD_LIMIT": "1", "OPENBLAS_NUM_THREADS": "1"}

_libc = ctypes.CDLL(None, use_errno=True)


class WallFailed(OSError):
    """The kernel refused a wall."""


def enclose(limits: JailLimits, *, keep: frozenset[int]) -> frozenset[str]:
    """Put walls around this process, a fresh child, and return which hold.

    Only the descriptors in ``keep`` stay open. Where a process namespace holds, the caller goes on in a child that is
    the first process of it, and the process that was called waits for that child and dies as it died.
    Raises ``SystemExit`` when the jailer is gone.
    """
    jailer = os.getppid()
    _close_descriptors(keep)
    os.setsid()
    _die_with(jailer)
    walls = {"limits"} | _enter_namespaces()
    if "processes" in walls:
        _go_on_as_first_process()
    _drop_privileges()
    _limit(limits, may_write="files" in walls)
    os.environ.clear()
    os.environ.update(_ENVIRONMENT)
    _check(_libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
    walls.add("user")
    return frozenset(walls)


def private_folder(walls: frozenset[str]) -> Path | None:
    """Return the folder whose files only this jail has and which dies with it, if there is one."""
    return _PRIVATE_FOLDER if "files" in walls else None


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
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    if os.getppid() != parent:
        raise SystemExit("the jailer is gone")


def _enter_namespaces() -> set[str]:
    """Enter as many namespaces as the machine allows; as an ordinary user this takes a user namespace first."""
    walls = set[str]()
    if os.geteuid() != 0:
        with contextlib.suppress(OSError):
            _enter_user_namespace()
            _bound(resource.RLIMIT_NPROC, _MAX_PROCESSES)
    for flags, wall in ((_CLONE_NEWNET, "network"), (_CLONE_NEWPID, "processes")):
        with contextlib.suppress(OSError):
            _check(_libc.unshare(flags))
            walls.add(wall)
    with contextlib.suppress(OSError):
        _check(_libc.unshare(_CLONE_NEWIPC | _CLONE_NEWUTS))
    with contextlib.suppress(OSError):
        _check(_libc.unshare(_CLONE_NEWNS))
        _build_root()
        walls.add("files")
    return walls


def _enter_user_namespace() -> None:
    uid, gid = os.geteuid(), os.getegid()
    # The kernel gives an undumpable process's files to root; there is nothing to dump in here yet.
    _check(_libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
    _check(_libc.unshare(_CLONE_NEWUSER))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{_NOBODY} {uid} 1"), ("gid_map", f"{_NOBODY} {gid} 1")):
        Path("/proc/self", name).write_bytes(text.encode())


def _build_root() -> None:
    """Make a root: the system's programs and this interpreter read-only, a few devices, one private folder."""
    os.umask(0o022)
    _mount(None, "/", flags=_MS_REC | _MS_PRIVATE)
    stage = _stage()
    _mount("tmpfs", stage, kind="tmpfs", flags=_MS_NOSUID | _MS_NODEV, options="mode=0755,size=1m")
    _show(_shown(), stage)
    private = stage + str(_PRIVATE_FOLDER)
    Path(private).mkdir(mode=0o700)
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    _mount("tmpfs", private, kind="tmpfs", flags=flags, options=f"mode=0700,size={_PRIVATE_BYTES}")
    if os.geteuid() == 0:
        os.chown(private, _NOBODY, _NOBODY)
    _change_root(stage)
    os.umask(0o077)


def _stage() -> str:
    shown = [os.path.realpath(path) for path in _shown()]
    for stage in _STAGES:
        if Path(stage).is_dir() and not any(path.startswith(stage + "/") for path in shown):
            return stage
    raise OSError("no folder is free to build a jail's root in")


def _shown() -> Iterator[str]:
    """Yield what of the machine's files a jail sees; nested folders once."""
    wanted = [*_SYSTEM_FOLDERS, sys.prefix, sys.base_prefix]
    shown = list[str]()
    for path in wanted:
        if os.path.lexists(path) and not any(path == other or path.startswith(other + "/") for other in shown):
            shown.append(path)
            yield path


def _show(paths: Iterator[str], stage: str) -> None:
    for path in paths:
        target = Path(stage + path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if Path(path).is_symlink():
            target.symlink_to(Path(path).readlink())
            continue
        if Path(path).is_dir():
            target.mkdir(exist_ok=True)
        else:
            target.touch()
        _mount(path, str(target), flags=_MS_BIND | _MS_REC)
        _mount(None, str(target), flags=_MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)
    for device in _DEVICES:
        target = Path(stage + device)
        target.parent.mkdir(exist_ok=True)
        target.touch()
        _mount(device, str(target), flags=_MS_BIND)


def _change_root(stage: str) -> None:
    old = Path(stage, "old")
    old.mkdir()
    machine = os.uname().machine
    _check(_libc.syscall(_SYS_PIVOT_ROOT[machine], stage.encode(), str(old).encode()))
    os.chdir("/")
    _check(_libc.umount2(b"/old", _MNT_DETACH))
    Path("/old").rmdir()
    _mount(None, "/", flags=_MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)


def _go_on_as_first_process() -> None:
    """Fork; return in the child, which is process 1 of the new namespace. The parent waits and dies as it died."""
    child = os.fork()
    if child == 0:
        _check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
        return
    _die_as(child)


def _die_as(child: int) -> NoReturn:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.closerange(0, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _drop_privileges() -> None:
    """Become nobody where we are root, give up every capability, and the means to get any back."""
    machine = os.uname().machine
    for capability in range(_LAST_CAPABILITY + 1):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
        _bound(resource.RLIMIT_NPROC, _MAX_PROCESSES_OF_NOBODY)
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    if machine in _SYS_CAPSET:
        header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
        _check(_libc.syscall(_SYS_CAPSET[machine], header, bytes(24)))
    # The kernel clears the death signal when the user changes.
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))


def _limit(limits: JailLimits, *, may_write: bool) -> None:
    recognition_seconds = min(limits.pages * limits.ocr_page_seconds, limits.ocr_seconds)
    seconds = int(limits.document_seconds + recognition_seconds) + 1
    bounds = {
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: _PRIVATE_BYTES if may_write else 0,
        resource.RLIMIT_NOFILE: _MAX_DESCRIPTORS,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for what, bound in bounds.items():
        _bound(what, bound)


def _bound(what: int, bound: int) -> None:
    hard = resource.getrlimit(what)[1]
    allowed = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
    resource.setrlimit(what, (allowed, allowed))


def _mount(
    source: str | None, target: str, *, kind: str | None = None, flags: int = 0, options: str | None = None
) -> None:
    _check(_libc.mount(_bytes(source), target.encode(), _bytes(kind), ctypes.c_ulong(flags), _bytes(options)))


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _check(result: int) -> None:
    if result != 0:
        raise WallFailed(ctypes.get_errno(), "a wall does not hold")
