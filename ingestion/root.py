"""A jail's root: a file system of its own, with the system's programs and nothing of anybody else.

Owns what of the machine's files a jail sees, and the mounts that show it. Needs a mount namespace, and the right to
mount in it.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ingestion import seccomp
from ingestion.limits import MIB

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 32, 4096, 16384, 1 << 18
_MNT_DETACH = 2

_SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
# Where the jail's root is built: a folder that hides nothing the jail must see when a file system is put over it.
_STAGES = ("/mnt", "/media", "/srv", "/opt", "/tmp")  # noqa: S108 - covered before anything is put there.
PRIVATE_FOLDER = Path("/private")
PRIVATE_BYTES = 128 * MIB
_libc = ctypes.CDLL(None, use_errno=True)


class WallFailed(OSError):
    """The kernel refused a wall."""


def build(user: int) -> None:
    """Make a root: the system's programs and this interpreter read-only, a few devices, one private folder."""
    os.umask(0o022)
    _mount(None, "/", flags=_MS_REC | _MS_PRIVATE)
    stage = _stage()
    _mount("tmpfs", stage, kind="tmpfs", flags=_MS_NOSUID | _MS_NODEV, options="mode=0755,size=1m")
    _show(shown(), stage)
    private = stage + str(PRIVATE_FOLDER)
    Path(private).mkdir(mode=0o700)
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    _mount("tmpfs", private, kind="tmpfs", flags=flags, options=f"mode=0700,size={PRIVATE_BYTES}")
    if os.geteuid() == 0:
        os.chown(private, user, user)
    _change_root(stage)


def _stage() -> str:
    visible = [os.path.realpath(path) for path in shown()]
    for stage in _STAGES:
        if Path(stage).is_dir() and not any(path.startswith(stage + "/") for path in visible):
            return stage
    raise OSError("no folder is free to build a jail's root in")


def shown() -> Iterator[str]:
    """Yield what of the machine's files a jail sees; nested folders once."""
    wanted = [*_SYSTEM_FOLDERS, sys.prefix, sys.base_prefix]
    before = list[str]()
    for path in wanted:
        if os.path.lexists(path) and not any(path == other or path.startswith(other + "/") for other in before):
            before.append(path)
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
    for device in DEVICES:
        target = Path(stage + device)
        target.parent.mkdir(exist_ok=True)
        target.touch()
        _mount(device, str(target), flags=_MS_BIND)


def _change_root(stage: str) -> None:
    old = Path(stage, "old")
    old.mkdir()
    check(_libc.syscall(seccomp.number("pivot_root"), stage.encode(), str(old).encode()))
    os.chdir("/")
    check(_libc.umount2(b"/old", _MNT_DETACH))
    Path("/old").rmdir()
    _mount(None, "/", flags=_MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)


def _mount(
    source: str | None, target: str, *, kind: str | None = None, flags: int = 0, options: str | None = None
) -> None:
    check(_libc.mount(_bytes(source), target.encode(), _bytes(kind), ctypes.c_ulong(flags), _bytes(options)))


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def check(result: int) -> None:
    """Raise ``WallFailed`` with the kernel's reason unless a call's result is 0."""
    if result != 0:
        raise WallFailed(ctypes.get_errno(), "a wall does not hold")
