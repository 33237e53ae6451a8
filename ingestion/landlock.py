"""The wall of paths: a process gives up every file but those beneath a few folders, with the kernel's Landlock.

Owns the calls of landlock(7) and what each version of it can rule. Needs no privilege and no namespace, and so holds
where containers forbid those. It does not rule ``stat``: whoever guesses a path learns whether it exists. Modes,
owners and times of files, which it does not rule either, are on the list of ``ingestion.seccomp``.
"""

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

_SYS_CREATE_RULESET, _SYS_ADD_RULE, _SYS_RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_TRUNCATE = 1 << 14
_READ_ONLY = _EXECUTE | _READ_FILE | _READ_DIR
_DEVICE = _READ_FILE | _WRITE_FILE
_OWN = _READ_FILE | _READ_DIR | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _TRUNCATE
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
# How many rights over files each version knows, all of which are taken; 2 added REFER, 3 TRUNCATE, 5 IOCTL_DEV.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
_ALL_FILE_RIGHTS = 16
_TRUNCATE_VERSION = 3
_TCP_VERSION, _TCP = 4, 0b11
_SCOPE_VERSION, _SCOPE = 6, 0b11  # Abstract Unix sockets and signals stay among those behind the same wall.

_libc = ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """Return what Landlock of this kernel can do; 0 where it is missing, off or forbidden."""
    return max(0, _libc.syscall(_SYS_CREATE_RULESET, None, ctypes.c_size_t(0), _CREATE_RULESET_VERSION))


def confines_signals() -> bool:
    """Say whether ``confine`` keeps signals from processes outside."""
    return version() >= _SCOPE_VERSION


def rules_truncation() -> bool:
    """Say whether ``confine`` keeps a file that may only be read from being opened so that it is emptied."""
    return version() >= _TRUNCATE_VERSION


def confine(*, readable: Iterable[str], devices: Iterable[str], own: Path | None, tcp: bool = False) -> None:
    """Leave this thread and all it starts the readable paths, the devices, and in its own folder files and folders.

    With ``tcp`` TCP stays as it was, else it is taken too. What is missing is skipped. Needs ``no_new_privs``. Raises
    ``OSError`` where the kernel refuses; then nothing holds.
    """
    known = version()
    rights = (1 << _FILE_RIGHTS.get(known, _ALL_FILE_RIGHTS)) - 1
    layout = [rights]
    if known >= _TCP_VERSION:
        layout.append(0 if tcp else _TCP)
    if known >= _SCOPE_VERSION:
        layout.append(_SCOPE)
    attributes = struct.pack(f"{len(layout)}Q", *layout)
    ruleset = _checked(_libc.syscall(_SYS_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0))
    try:
        for path in readable:
            _allow(ruleset, path, _READ_ONLY & rights)
        for path in devices:
            _allow(ruleset, path, _DEVICE & rights)
        if own is not None:
            _allow(ruleset, str(own), _OWN & rights)
        _checked(_libc.syscall(_SYS_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        allowed = rights if Path(path).is_dir() else rights & _OF_A_FILE
        rule = struct.pack("=Qi", allowed, place)
        _checked(_libc.syscall(_SYS_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0))
    finally:
        os.close(place)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "Landlock refuses")
    return result
