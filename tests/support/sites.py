"""Sites for tests of fetching: loopback servers behind invented public addresses, which write down who asks what."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from api.proving.world import PUBLIC
from ingestion.fetch.site import Network
from tests.support.certificates import Authority

Answer = bytes | Callable[[socket.socket], None]


def page(body: bytes, *headers: str, status: str = "200 OK", media_type: str | None = "text/html") -> bytes:
    """Return a whole reply with its length."""
    typed = [f"Content-Type: {media_type}"] if media_type else []
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *typed, *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def redirect(location: str, *, status: str = "302 Found", body: bytes = b"") -> bytes:
    """Return a reply that leads elsewhere."""
    return page(body, f"Location: {location}", status=status)


class Site:
    """A loopback server; ``answers`` are by path, ``requests`` are whole request heads in the order of coming."""

    def __init__(
        self,
        answers: Mapping[str, Answer],
        *,
        tls: ssl.SSLContext | None = None,
        address: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        self.answers = dict(answers)
        self.requests = list[bytes]()
        self.connections = 0
        self._tls = tls
        self._listener = socket.create_server(address)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._answer, args=(sock,), daemon=True).start()

    def _answer(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock = self._tls.wrap_socket(plain, server_side=True) if self._tls else plain
            with sock:
                head = b""
                while b"\r\n\r\n" not in head:
                    part = sock.recv(65_536)
                    if not part:
                        return
                    head += part
                self.requests.append(head)
                path = head.split(b" ", 2)[1].decode()
                answer = self.answers.get(path) or self.answers.get(
                    path.partition("?")[0], page(b"nothing here", status="404 Not Found")
                )
                if callable(answer):
                    answer(sock)
                else:
                    sock.sendall(answer)


@dataclass
class World:
    """A resolver and a router of its own: names to addresses, addresses to loopback sites. All else is a dead end.

    ``resolved`` and ``connected`` are logs; ``names`` may map a name to a function, which is asked every time.
    """

    names: dict[str, Sequence[str] | Callable[[], Sequence[str]]] = field(default_factory=dict)
    sites: dict[tuple[str, int], Site] = field(default_factory=dict)
    resolved: list[str] = field(default_factory=list)
    connected: list[tuple[str, int]] = field(default_factory=list)
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def resolve(self, host: str, port: int) -> Sequence[str]:  # noqa: ARG002  # It is a ``Resolve``.
        self.resolved.append(host)
        found = self.names.get(host, ())
        return found() if callable(found) else found

    def connect(self, address: str, port: int, timeout_seconds: float) -> socket.socket:
        self.connected.append((address, port))
        site = self.sites.get((address, port))
        if site is None:
            raise ConnectionRefusedError
        return socket.create_connection(("127.0.0.1", site.port), timeout=timeout_seconds)

    @property
    def network(self) -> Network:
        return Network(resolve=self.resolve, connect=self.connect, tls=self.tls)


@contextlib.contextmanager
def world(answers: Mapping[str, Answer], *, name: str = "site.example", port: int = 80) -> Generator[World]:
    """Run a world with one site, at ``PUBLIC``; with port 443 it would need a certificate, see ``secure_world``."""
    site = Site(answers)
    try:
        yield World(names={name: (PUBLIC,)}, sites={(PUBLIC, port): site})
    finally:
        site.close()


@contextlib.contextmanager
def secure_world(answers: Mapping[str, Answer], folder: Path, *, name: str, certified: str) -> Generator[World]:
    """Run a world with one https site called ``name``, whose certificate is for ``certified``."""
    authority = Authority(folder, "authority")
    issued = authority.issue(certified)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(issued.certificate, issued.key)
    site = Site(answers, tls=served)
    trusted = ssl.create_default_context(cafile=str(authority.file))
    trusted.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        yield World(names={name: (PUBLIC,)}, sites={(PUBLIC, 443): site}, tls=trusted)
    finally:
        site.close()
