"""The wall of system calls: a filter that the kernel asks before every call of this process and of what it starts.

Owns the list of what a parser never needs, by name and number, and the filter's program (classic BPF, seccomp(2)).
What is on the list fails with ``EPERM``, so that a library which only tries goes on; a number newer than this list
fails with ``ENOSYS``, as on an older kernel; a call in the manner of another architecture, whose numbers mean other
things, kills. ``clone3`` hides its flags behind a pointer where no filter can look: libc falls back to ``clone``.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Iterator

_X86_64, _AARCH64 = "x86_64", "aarch64"
_AUDIT_ARCH = {_X86_64: 0xC000_003E, _AARCH64: 0xC000_00B7}
_COLUMN = {_X86_64: 0, _AARCH64: 1}

# Numbers on x86_64 and aarch64; ``None`` where a call does not exist. From 424 on they are the same everywhere.
_NUMBERS: dict[str, tuple[int | None, int | None]] = {
    # Sockets: the one to the session process is open already, and send and receive need no call of these.
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242), "sendmsg": (46, 211), "recvmsg": (47, 212), "sendmmsg": (307, 269),
    "recvmmsg": (299, 243),
    # Other processes: their memory, descriptors, limits and turns; a session or group that the jailer could not end.
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "setsid": (112, 157), "setpgid": (109, 154),
    "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setscheduler": (144, 119), "sched_setattr": (314, 274),
    "sched_setparam": (142, 118), "sched_setaffinity": (203, 122), "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # Namespaces and mounts.
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "move_mount": (429, 429), "open_tree": (428, 428), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "statmount": (457, 457), "listmount": (458, 458),
    # Parts of the kernel that many of its holes were found in, and programs that lie in no file.
    "bpf": (321, 280), "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "perf_event_open": (298, 241), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "memfd_create": (319, 279), "memfd_secret": (447, 447), "execveat": (322, 281),
    "personality": (135, 92), "seccomp": (317, 277), "vmsplice": (278, 75), "modify_ldt": (154, None),
    # Files beside their names: by handle, by watching, and what Landlock does not rule (modes, owners, times).
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263), "inotify_init": (253, None), "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27), "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53),
    "fchmodat2": (452, 452), "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
    "utime": (132, None), "utimes": (235, None), "utimensat": (280, 88), "futimesat": (261, None),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16), "truncate": (76, 45), "mknod": (133, None),
    "mknodat": (259, 33),
    # Memory and queues that outlive a process.
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "msgget": (68, 186), "msgsnd": (69, 189),
    "msgrcv": (70, 188), "msgctl": (71, 187), "semget": (64, 190), "semop": (65, 193), "semctl": (66, 191),
    "semtimedop": (220, 192), "mq_open": (240, 180), "mq_unlink": (241, 181),
    # The machine.
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "reboot": (169, 142), "swapon": (167, 224),
    "swapoff": (168, 225), "acct": (163, 89), "syslog": (103, 116), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "clock_adjtime": (305, 266), "sethostname": (170, 161), "setdomainname": (171, 162), "vhangup": (153, 58),
    "iopl": (172, None), "ioperm": (173, None), "uselib": (134, None), "ustat": (136, None), "sysfs": (139, None),
    "lookup_dcookie": (212, 18), "nfsservctl": (180, 42),
}  # fmt: skip
FORBIDDEN = frozenset(_NUMBERS)
# Needed to end a program that takes too long; to be forbidden where nothing else keeps signals inside.
SIGNALS = frozenset({"kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"})
_OTHERS: dict[str, tuple[int | None, int | None]] = {
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "clone": (56, 220), "clone3": (435, 435), "ioctl": (16, 29),
    "prlimit64": (302, 261), "landlock_create_ruleset": (444, 444), "capset": (126, 91), "execve": (59, 221),
    "fcntl": (72, 25), "open": (2, None), "openat": (257, 56), "openat2": (437, 437), "creat": (85, None),
}  # fmt: skip
_LAST_KNOWN = 462

_NEW_NAMESPACES = 0x7E02_0000  # Every CLONE_NEW… flag that clone(2) takes.
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C  # Type into somebody's terminal.
# Name a process that the kernel is to signal when a descriptor is ready, and with which signal: any, and SIGKILL too.
_F_SETOWN, _F_SETSIG, _F_SETOWN_EX = 8, 10, 15
_FIOSETOWN, _SIOCSPGRP = 0x8901, 0x8902
_X32_BIT = 0x4000_0000

# Where things lie in what the kernel shows the filter: struct seccomp_data.
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT, _THIRD_ARGUMENT = 0, 4, 16, 24, 32
_LOAD, _EQUAL, _GREATER, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x35, 0x45, 0x06
_ALLOW, _KILL, _FAIL = 0x7FFF_0000, 0x8000_0000, 0x0005_0000
_SECCOMP_SET_MODE_FILTER = 1

_Step = tuple[int, int, int, int]


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def number(name: str) -> int:
    """Return a call's number on this machine. Raises ``OSError`` where it has none that is known."""
    column = _COLUMN.get(os.uname().machine)
    found = None if column is None else (_NUMBERS | _OTHERS)[name][column]
    if found is None:
        raise OSError(errno.ENOSYS, "no such system call here")
    return found


def forbid(names: Iterable[str] = FORBIDDEN, *, families: Iterable[int] = (), truncation: bool = False) -> None:
    """Take these calls, and those that make namespaces, from this thread and all it starts; there is no way back.

    Sockets of these families are taken too, and with ``truncation`` opening a file so that it is emptied.
    Needs ``no_new_privs``. A second filter only takes more. Raises ``OSError`` where the kernel or the machine has no
    filter.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    steps = b"".join(struct.pack("HBBI", *step) for step in _program(frozenset(names), families, truncation=truncation))
    program = _Program(len(steps) // 8, steps)
    if libc.syscall(number("seccomp"), _SECCOMP_SET_MODE_FILTER, 0, ctypes.byref(program)) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refuses the filter")


def _program(names: frozenset[str], families: Iterable[int], *, truncation: bool) -> Iterator[_Step]:
    """Yield the filter: instruction, steps to skip when it is true, when it is not, value."""
    machine = os.uname().machine
    yield (_LOAD, 0, 0, _ARCHITECTURE)
    yield (_EQUAL, 1, 0, _AUDIT_ARCH[machine])
    yield (_RETURN, 0, 0, _KILL)
    yield (_LOAD, 0, 0, _NUMBER)
    if machine == _X86_64:
        yield from _when(_AT_LEAST, _X32_BIT, _KILL)
    yield from _when(_GREATER, _LAST_KNOWN, _FAIL | errno.ENOSYS)
    yield from _when(_EQUAL, number("clone3"), _FAIL | errno.ENOSYS)
    for name in sorted(names):
        yield from _refuse(name, errno.EPERM)
    if truncation:
        yield from _refuse("creat", errno.EPERM)
        yield from _refuse("openat2", errno.ENOSYS)  # Its flags lie behind a pointer.
        yield from _look_at("open", _SECOND_ARGUMENT, [(_ANY_BIT, os.O_TRUNC)])
        yield from _look_at("openat", _THIRD_ARGUMENT, [(_ANY_BIT, os.O_TRUNC)])
    yield from _look_at("socket", _FIRST_ARGUMENT, [(_EQUAL, family) for family in families])
    yield from _look_at("clone", _FIRST_ARGUMENT, [(_ANY_BIT, _NEW_NAMESPACES)])
    requests = (_TIOCSTI, _TIOCLINUX, _FIOSETOWN, _SIOCSPGRP)
    yield from _look_at("ioctl", _SECOND_ARGUMENT, [(_EQUAL, request) for request in requests])
    orders = (_F_SETOWN, _F_SETSIG, _F_SETOWN_EX)
    yield from _look_at("fcntl", _SECOND_ARGUMENT, [(_EQUAL, order) for order in orders])
    yield from _look_at("prlimit64", _FIRST_ARGUMENT, [(_GREATER, 0)])  # 0 is oneself.
    yield (_RETURN, 0, 0, _ALLOW)


def _refuse(name: str, reason: int) -> Iterator[_Step]:
    """Yield the steps that refuse a call, where this machine has it at all."""
    column = (_NUMBERS | _OTHERS)[name][_COLUMN[os.uname().machine]]
    if column is not None:
        yield from _when(_EQUAL, column, _FAIL | reason)


def _when(comparison: int, value: int, verdict: int) -> Iterator[_Step]:
    yield (comparison, 0, 1, value)
    yield (_RETURN, 0, 0, verdict)


def _look_at(name: str, argument: int, refused: list[tuple[int, int]]) -> Iterator[_Step]:
    """Yield the steps that refuse a call for the lower half of an argument, which is all that the kernel takes."""
    column = (_NUMBERS | _OTHERS)[name][_COLUMN[os.uname().machine]]
    if column is None:
        return
    yield (_EQUAL, 0, 2 + 2 * len(refused), column)
    yield (_LOAD, 0, 0, argument)
    for comparison, value in refused:
        yield from _when(comparison, value, _FAIL | errno.EPERM)
    yield (_RETURN, 0, 0, _ALLOW)
