"""Typed messages between Mayfly's processes over Unix sockets.

A frame is four bytes of length, big-endian, then one msgpack document. Messages are tagged ``msgspec.Struct`` types, so
a peer can send nothing that is not declared; nothing is ever unpickled. Every socket lies in the private runtime
directory and every accepted peer must run as our own user.
"""

import contextlib
import errno
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

_LENGTH = struct.Struct(">I")
_PEER_CREDENTIALS = struct.Struct("iII")
_LISTENER_GONE = frozenset({errno.EBADF, errno.EINVAL, errno.ENOTSOCK})
_ACCEPT_PAUSE_SECONDS = 0.05
MAX_FRAME_BYTES = 64 * 1024 * 1024


class Message(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """A message whose ``repr`` is its name: it may hold content."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class PeerGone(ConnectionError):
    """The other process closed the connection, died, or never was there."""


class FrameTooLarge(ValueError):
    """A frame announced more bytes than this side accepts."""


class Connection:
    """One stream socket that carries typed frames both ways.

    ``incoming`` is the type (usually a tagged union) that frames are decoded into.
    """

    def __init__(self, sock: socket.socket, incoming: Any, *, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self.sock = sock
        self._decoder = msgspec.msgpack.Decoder(incoming)
        self._max_frame_bytes = max_frame_bytes

    def send(self, message: msgspec.Struct) -> None:
        """Send one message. Raises ``PeerGone`` when nobody is left to read it."""
        body = msgspec.msgpack.encode(message)
        try:
            self.sock.sendall(_LENGTH.pack(len(body)) + body)
        except OSError as error:
            raise PeerGone from error

    def receive(self) -> Any:
        """Return the next message, or ``None`` when the peer closed between frames.

        Raises ``PeerGone`` in the middle of a frame, ``FrameTooLarge`` and ``msgspec.DecodeError`` on a bad one.
        """
        header = self._read(_LENGTH.size, eof_ok=True)
        if header is None:
            return None
        (length,) = _LENGTH.unpack(header)
        if length > self._max_frame_bytes:
            raise FrameTooLarge
        body = self._read(length, eof_ok=False)
        try:
            return self._decoder.decode(body)  # type: ignore[arg-type]  # eof_ok=False never returns None
        except (RecursionError, UnicodeError) as error:  # Hostile nesting or letters: msgspec lets both through.
            raise msgspec.DecodeError("not a message") from error

    def call(self, message: msgspec.Struct) -> Any:
        """Send one message and return the answer. Raises ``PeerGone`` when none comes."""
        self.send(message)
        reply = self.receive()
        if reply is None:
            raise PeerGone
        return reply

    def close(self) -> None:
        """Close the socket; a second call does nothing."""
        self.sock.close()

    def abort(self) -> None:
        """Wake whoever blocks on this connection in another thread: both directions end now."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, count: int, *, eof_ok: bool) -> bytearray | None:
        data = bytearray(count)
        view, got = memoryview(data), 0
        while got < count:
            try:
                received = self.sock.recv_into(view[got:])
            except OSError as error:
                raise PeerGone from error
            if received == 0:
                if eof_ok and got == 0:
                    return None
                raise PeerGone
            got += received
        return data


def listen(path: Path, *, backlog: int = 128) -> socket.socket:
    """Bind a Unix stream socket that only our own user can reach, replacing a stale one."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    previous = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(previous)
    listener.listen(backlog)
    return listener


def connect(path: Path, incoming: Any, *, timeout_seconds: float | None = None) -> Connection:
    """Open a connection to a listening process. Raises ``PeerGone`` when there is none.

    ``timeout_seconds`` bounds the connect and each later read and write; ``None`` waits for ever.
    """
    try:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as error:  # No descriptor is left.
        raise PeerGone from error
    sock.settimeout(timeout_seconds)
    try:
        sock.connect(str(path))
    except OSError as error:
        sock.close()
        raise PeerGone from error
    return Connection(sock, incoming)


def is_own_user(sock: socket.socket) -> bool:
    """Say whether the process at the other end runs as our own user."""
    return _credentials(sock)[1] == os.getuid()


def peer_pid(sock: socket.socket) -> int:
    """Return the process at the other end: the one that connected or, for who connected, the one that listened."""
    return _credentials(sock)[0]


def _credentials(sock: socket.socket) -> tuple[int, int]:
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
    pid, uid, _ = _PEER_CREDENTIALS.unpack(raw)
    return pid, uid


def serve(listener: socket.socket, incoming: Any, handle: Callable[[Connection], None]) -> None:
    """Accept for ever; run ``handle`` on each connection in a thread of its own and close it afterwards.

    Returns when the listener is closed, and only then: while descriptors or memory are short it pauses, and a
    connection that no thread can be started for is closed. Peers of another user are dropped. ``handle`` must not raise
    for a peer that merely went away: ``PeerGone`` is swallowed here.
    """
    while True:
        try:
            sock, _ = listener.accept()
        except OSError as error:
            if listener.fileno() < 0 or error.errno in _LISTENER_GONE:
                return
            time.sleep(_ACCEPT_PAUSE_SECONDS)
            continue
        if not is_own_user(sock):
            sock.close()
            continue
        try:
            threading.Thread(target=_handle, args=(sock, incoming, handle), daemon=True).start()
        except (RuntimeError, MemoryError):
            sock.close()


def _handle(sock: socket.socket, incoming: Any, handle: Callable[[Connection], None]) -> None:
    with Connection(sock, incoming) as connection, contextlib.suppress(PeerGone):
        handle(connection)
