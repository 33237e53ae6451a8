"""The filter of system calls, each time in a child: there is no way back out of it."""

import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion import landlock, seccomp

_PR_SET_NO_NEW_PRIVS = 38
_libc = ctypes.CDLL(None, use_errno=True)


def filtered(
    attempt: Callable[[], object],
    names: frozenset[str] = seccomp.FORBIDDEN,
    *,
    families: tuple[int, ...] = (),
    truncation: bool = False,
) -> str:
    """Return how an attempt ends behind the filter: ``fine``, an error's name, or a signal's."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        word = "broken"
        try:
            _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            seccomp.forbid(names, families=families, truncation=truncation)
            attempt()
            word = "fine"
        except OSError as error:
            word = errno.errorcode[error.errno or 0]
        finally:
            os.write(theirs, word.encode())
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        word = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else word


def call(number: int, *arguments: object) -> None:
    if _libc.syscall(ctypes.c_long(number), *arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")


@pytest.mark.parametrize("name", sorted(seccomp.FORBIDDEN))
def test_each_forbidden_call_is_refused_before_the_kernel_looks_at_it(name: str) -> None:
    try:
        number = seccomp.number(name)
    except OSError:
        pytest.skip("this architecture has no such call")

    assert filtered(lambda: call(number, -1, -1, -1, -1, -1, -1)) == "EPERM"


def test_a_call_that_is_not_forbidden_comes_through() -> None:
    assert filtered(lambda: socket.socket().close(), frozenset({"bpf"})) == "fine"
    assert filtered(lambda: call(seccomp.number("bpf"), -1, 0, 0), frozenset()) in {"EINVAL", "EPERM", "E2BIG"}


def test_what_a_reader_needs_comes_through() -> None:
    def read() -> None:
        assert subprocess.run(["true"], check=True).returncode == 0
        thread = threading.Thread(target=Path("/proc/self/stat").read_bytes)
        thread.start()
        thread.join()
        os.kill(os.getpid(), 0)

    assert filtered(read) == "fine"


@pytest.mark.parametrize(
    "flag", [0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 1 << 30]
)
def test_a_process_with_a_new_namespace_is_refused_and_one_without_is_not(flag: int) -> None:
    def clone(flags: int) -> None:
        call(seccomp.number("clone"), ctypes.c_long(flags | signal.SIGCHLD), None, None, None, None)

    assert filtered(lambda: clone(flag)) == "EPERM"
    assert filtered(lambda: clone(0), frozenset()) == "finefine", "parent and child both came back"


def test_clone3_looks_like_an_old_kernel() -> None:
    assert filtered(lambda: call(seccomp.number("clone3"), bytes(64), 64)) == "ENOSYS"


def test_a_call_newer_than_the_list_looks_like_an_old_kernel() -> None:
    assert filtered(lambda: call(463, 0, 0, 0)) == "ENOSYS"


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="only this architecture has a second manner of calling")
def test_a_call_in_another_manner_kills() -> None:
    assert filtered(lambda: call(0x4000_0000 | 39)) == "SIGSYS"


def test_limits_of_others_are_out_of_reach_and_own_ones_are_not() -> None:
    def limits_of(pid: int) -> None:
        call(seccomp.number("prlimit64"), pid, 7, None, ctypes.create_string_buffer(16))

    assert filtered(lambda: limits_of(os.getppid())) == "EPERM"
    assert filtered(lambda: limits_of(0)) == "fine"


def test_typing_into_a_terminal_is_refused() -> None:
    ours, theirs = os.openpty()

    assert filtered(lambda: call(seccomp.number("ioctl"), theirs, 0x5412, b"x")) == "EPERM"
    assert filtered(lambda: call(seccomp.number("ioctl"), ours, 0x5413, ctypes.create_string_buffer(8))) == "fine"
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("order", [fcntl.F_SETOWN, 10, 15], ids=["F_SETOWN", "F_SETSIG", "F_SETOWN_EX"])
def test_no_process_is_named_that_a_ready_descriptor_signals(order: int) -> None:
    ours, theirs = os.pipe()
    owner = ctypes.create_string_buffer(struct.pack("ii", 1, os.getpid()))
    argument = owner if order == 15 else ctypes.c_long(os.getpid() if order == fcntl.F_SETOWN else signal.SIGKILL)
    call(seccomp.number("fcntl"), ours, order, argument)

    assert filtered(lambda: call(seccomp.number("fcntl"), ours, order, argument)) == "EPERM"
    assert filtered(lambda: fcntl.fcntl(ours, fcntl.F_SETFL, os.O_NONBLOCK)) == "fine"
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("request_number", [0x8901, 0x8902], ids=["FIOSETOWN", "SIOCSPGRP"])
def test_no_process_is_named_that_a_ready_socket_signals(request_number: int) -> None:
    def name() -> None:
        call(seccomp.number("ioctl"), one.fileno(), request_number, struct.pack("i", os.getpid()))

    one, other = socket.socketpair()
    with one, other:
        name()

        assert filtered(name) == "EPERM"


def test_sockets_of_one_family_can_be_refused_alone() -> None:
    local = (socket.AF_UNIX,)

    assert filtered(lambda: socket.socket(socket.AF_UNIX).close(), frozenset(), families=local) == "EPERM"
    assert filtered(lambda: socket.socket(socket.AF_UNIX).close(), frozenset()) == "fine"
    assert filtered(lambda: socket.socket(socket.AF_INET).close(), frozenset(), families=local) == "fine"


def test_a_file_is_not_emptied_by_reading_it_where_landlock_does_not_rule_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel before Landlock's third version."""
    if landlock.version() == 0:
        pytest.skip("this kernel has no Landlock")
    monkeypatch.setattr(landlock, "version", lambda: 2)
    path = tmp_path / "library"
    path.write_bytes(b"x")

    def confined(flags: int) -> None:
        landlock.confine(readable=["/usr", str(tmp_path)], devices=[], own=None)
        os.close(os.open(path, flags))

    def empty_by_other_means(name: str, *arguments: object) -> None:
        call(seccomp.number(name), *arguments)

    emptying = os.O_RDONLY | os.O_TRUNC
    how = struct.pack("QQQ", emptying, 0, 0)
    assert filtered(lambda: confined(emptying), truncation=True) == "EPERM"
    assert filtered(lambda: confined(os.O_RDONLY), truncation=True) == "fine"
    name = str(path).encode()
    assert filtered(lambda: empty_by_other_means("openat2", -100, name, how, 24), truncation=True) == "ENOSYS"
    if os.uname().machine == "x86_64":
        assert filtered(lambda: empty_by_other_means("open", name, emptying), truncation=True) == "EPERM"
        assert filtered(lambda: empty_by_other_means("creat", name, 0o600), truncation=True) == "EPERM"
    assert path.read_bytes() == b"x"

    assert filtered(lambda: confined(emptying)) == "fine"
    assert path.read_bytes() == b"", "without the filter it can be done, or its failure above would prove nothing"


def test_without_a_wall_around_signals_they_are_refused_altogether() -> None:
    """The kernel before Landlock's sixth version, without a process namespace."""
    attempt = lambda: os.kill(os.getppid(), 0)  # noqa: E731

    assert filtered(attempt) == "fine"
    assert filtered(attempt, seccomp.FORBIDDEN | seccomp.SIGNALS) == "EPERM"


def test_landlock_keeps_signals_inside_where_it_says_so(tmp_path: Path) -> None:
    if not landlock.confines_signals():
        pytest.skip("this kernel's Landlock does not rule signals")

    def confined() -> None:
        landlock.confine(readable=["/usr"], devices=[], own=None)
        os.kill(os.getpid(), 0)
        os.kill(os.getppid(), 0)

    assert filtered(confined, frozenset()) == "EPERM"


def test_landlock_leaves_a_folder_of_one_s_own_and_nothing_beside_it(tmp_path: Path) -> None:
    if landlock.version() == 0:
        pytest.skip("this kernel has no Landlock")
    own = tmp_path / "own"
    own.mkdir()

    def write(path: Path) -> None:
        landlock.confine(readable=["/usr"], devices=["/dev/null"], own=own)
        Path("/dev/null").write_bytes(b"x")
        (own / "folder").mkdir()
        (own / "folder/file").write_bytes(b"x")
        path.write_bytes(b"x")

    assert filtered(lambda: write(own / "file"), frozenset()) == "fine"
    assert filtered(lambda: write(tmp_path / "file"), frozenset()) in {"EACCES", "EEXIST"}
    assert not (tmp_path / "file").exists()
