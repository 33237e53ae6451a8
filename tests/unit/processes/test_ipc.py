import errno
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from processes import ipc


class Word(msgspec.Struct, tag=True):
    """Anything."""


class Listener:
    """A listener whose accept fails as told and then works."""

    def __init__(self, errors: list[int], socks: list[socket.socket]) -> None:
        self._errors, self._socks = iter(errors), iter(socks)
        self.is_closed = False

    def fileno(self) -> int:
        return -1 if self.is_closed else 3

    def accept(self) -> tuple[socket.socket, None]:
        for number in self._errors:
            raise OSError(number, "no")
        for sock in self._socks:
            return sock, None
        self.is_closed = True
        raise OSError(errno.EBADF, "closed")


def echo(connection: ipc.Connection) -> None:
    connection.send(connection.receive())


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    pairs = [socket.socketpair() for _ in range(2)]
    yield pairs
    for ours, theirs in pairs:
        ours.close()
        theirs.close()


def test_a_shortage_at_accept_ends_nothing(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    shortages = [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ECONNABORTED]
    ours, theirs = pairs[0]

    ipc.serve(Listener(shortages, [theirs]), Word, echo)  # type: ignore[arg-type]  # a listener as far as it goes

    ours.settimeout(60)
    assert isinstance(ipc.Connection(ours, Word).call(Word()), Word)


def test_a_connection_without_a_thread_is_closed_and_the_next_one_served(
    monkeypatch: pytest.MonkeyPatch, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    start, failures = threading.Thread.start, [RuntimeError("can't start new thread")]

    def start_or_fail(thread: threading.Thread) -> None:
        if failures:
            raise failures.pop()
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_or_fail)

    ipc.serve(Listener([], [theirs for _, theirs in pairs]), Word, echo)  # type: ignore[arg-type]  # as above

    for ours, _ in pairs:
        ours.settimeout(60)
    assert pairs[0][0].recv(1) == b""
    assert isinstance(ipc.Connection(pairs[1][0], Word).call(Word()), Word)


def test_serving_ends_with_the_listener(tmp_path: Path) -> None:
    listener = ipc.listen(tmp_path / "s")
    listener.close()

    ipc.serve(listener, Word, echo)
