"""Somebody at the jailer's door: a connection that has not said yet what it wants, or waits for a free jail.

Owns reading the first message and not a byte more (what follows is for the jail), without ever making the jailer
wait.
"""

import contextlib
import socket
import struct
from dataclasses import dataclass, field

import msgspec

from ingestion.jail import JailerRequest
from processes import ipc

_LENGTH = struct.Struct(">I")
_MAX_GREETING_BYTES = 4096
_GREETING = msgspec.msgpack.Decoder(JailerRequest)


@dataclass(slots=True, eq=False)
class Visitor:
    """A connection that has not said yet what it wants, or waits for a free jail."""

    sock: socket.socket
    deadline: float
    session: str = ""
    greeting: bytearray = field(default_factory=bytearray)

    def read_greeting(self) -> JailerRequest | None:
        """Return what the visitor wants, ``None`` while that is incomplete. Raises ``PeerGone`` when nothing comes.

        Reads not a byte more: what follows is for the jail.
        """
        try:
            while wanted := self._missing_bytes():
                part = self.sock.recv(wanted, socket.MSG_DONTWAIT)
                if not part:
                    raise ipc.PeerGone
                self.greeting += part
            return _GREETING.decode(self.greeting[_LENGTH.size :])
        except BlockingIOError:
            return None
        except (OSError, msgspec.MsgspecError, RecursionError, UnicodeError) as error:
            raise ipc.PeerGone from error

    def _missing_bytes(self) -> int:
        if len(self.greeting) < _LENGTH.size:
            return _LENGTH.size - len(self.greeting)
        (length,) = _LENGTH.unpack_from(self.greeting)
        if length > _MAX_GREETING_BYTES:
            raise ipc.PeerGone
        return _LENGTH.size + length - len(self.greeting)


def send_at_once(sock: socket.socket, message: msgspec.Struct) -> None:
    """Send a short message without waiting: a peer that does not read has itself to blame."""
    body = msgspec.msgpack.encode(message)
    with contextlib.suppress(OSError):
        sock.send(_LENGTH.pack(len(body)) + body, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
