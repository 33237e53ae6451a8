"""One request to an embeddings endpoint in OpenAI's form, ``POST {url}/embeddings``, over a connection of its own.

Owns every byte that leaves for the endpoint. h11 reads HTTP and opens nothing by itself, so there is no proxy, no
password file, no cookie and no redirect to be switched off. TLS is verified; plain http reaches this machine only,
unless the operator allows more. Errors say nothing of the texts, the key or the answer.
"""

import contextlib
import socket
import ssl
import time
import urllib.parse
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import NoReturn

import h11
import msgspec

_READ_BYTES = 64 * 1024
_HEADER_BYTES = 64 * 1024
_CONNECT_SECONDS = 5.0
_OK = 200
# Worth another try: too many at once, or a server that starts or is replaced.
_PASSING = frozenset({429, 500, 502, 503, 504})


class EndpointRefused(Exception):
    """The endpoint may not be asked, or what it answers cannot be used. Trying again does not help."""


class EndpointUnavailable(Exception):
    """The endpoint did not answer in time, or asked to be left alone for now."""


class EndpointConfig(msgspec.Struct, frozen=True):
    """What the operator says of an endpoint. ``max_tokens`` is the model's window, special tokens and prefix included.

    Without a ``tokenizer_file`` the packaged tokenizer counts, which is near for most multilingual models.
    """

    url: str
    model: str
    max_tokens: int
    max_seconds: float
    key_file: str | None = None
    ca_file: str | None = None
    tokenizer_file: str | None = None
    query_prefix: str = ""
    passage_prefix: str = ""
    allow_http: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to ask, and what one request may cost. ``key`` is sent as a bearer token when there is one.

    Raises ``EndpointRefused`` when the URL is not http or https with a host and nothing but a path.
    """

    url: str
    key: str | None = field(default=None, repr=False)
    max_seconds: float = 15.0  # All tries of one call together.
    allow_http: bool = False
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context, repr=False)

    def __post_init__(self) -> None:
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise EndpointRefused("the address is neither http nor https")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise EndpointRefused("the address holds more than a host and a path")
        if self.key is not None and not (self.key.isascii() and self.key.isprintable()):
            raise EndpointRefused("the key holds characters that no header may")

    @property
    def origin(self) -> str:
        """The scheme, host and port that texts go to."""
        parts = urllib.parse.urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


def post(endpoint: Endpoint, body: bytes, *, deadline: float, max_bytes: int) -> bytes:
    """Send JSON and return the answer's body, at most ``max_bytes``; ``deadline`` is on the monotonic clock.

    Only looking up the host's name may take longer: the system's resolver keeps its own time.

    Raises ``EndpointUnavailable`` when it may be tried again, ``EndpointRefused`` when not.
    """
    with _explained():
        return _Request(endpoint, deadline).exchange(body, max_bytes)


@contextlib.contextmanager
def _explained() -> Generator[None]:
    """Turn whatever a network or a server can do into an error that says nothing of the texts."""
    try:
        yield
    except ssl.SSLCertVerificationError:
        raise EndpointRefused("its certificate is not valid for this host") from None
    except (OSError, TimeoutError):
        raise EndpointUnavailable("no answer") from None
    except (ValueError, h11.ProtocolError):
        raise EndpointRefused("what it answers is not HTTP") from None


class _Request:
    """One connection, and the moment at which it ends."""

    def __init__(self, endpoint: Endpoint, deadline: float) -> None:
        self._endpoint = endpoint
        self._parts = urllib.parse.urlsplit(endpoint.url)
        self._deadline = deadline

    def exchange(self, body: bytes, max_bytes: int) -> bytes:
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEADER_BYTES)
        with contextlib.closing(self._connect()) as plain, contextlib.closing(self._secured(plain)) as sock:
            sock.settimeout(self._left())
            sock.sendall(http.send(self._head(len(body))) or b"")
            sock.sendall((http.send(h11.Data(data=body)) or b"") + (http.send(h11.EndOfMessage()) or b""))
            self._judge(self._answer(http, sock))
            return self._read(http, sock, max_bytes)

    def _head(self, length: int) -> h11.Request:
        headers = [
            ("Host", self._parts.netloc),
            ("Content-Type", "application/json"),
            ("Content-Length", str(length)),
            ("Accept", "application/json"),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
        ]
        if self._endpoint.key is not None:
            headers.append(("Authorization", f"Bearer {self._endpoint.key}"))
        return h11.Request(method="POST", target=f"{self._parts.path.rstrip('/')}/embeddings", headers=headers)

    def _connect(self) -> socket.socket:
        for address in self._addresses():
            with contextlib.suppress(OSError):
                return socket.create_connection(address, timeout=min(_CONNECT_SECONDS, self._left()))
        raise EndpointUnavailable("nobody listens")

    def _addresses(self) -> Sequence[tuple[str, int]]:
        """Look the host up. Raises ``EndpointRefused`` when plain http would leave this machine."""
        port = self._parts.port or (443 if self._parts.scheme == "https" else 80)
        found = socket.getaddrinfo(self._parts.hostname, port, type=socket.SOCK_STREAM)
        addresses = [(str(address[0]), port) for *_, address in found]
        is_private = all(ip_address(address.partition("%")[0]).is_loopback for address, _ in addresses)
        if self._parts.scheme == "http" and not is_private and not self._endpoint.allow_http:
            raise EndpointRefused("texts would leave this machine unencrypted")
        return addresses

    def _secured(self, plain: socket.socket) -> socket.socket:
        if self._parts.scheme == "http":
            return plain
        plain.settimeout(self._left())
        return self._endpoint.tls.wrap_socket(plain, server_hostname=self._parts.hostname, suppress_ragged_eofs=False)

    def _answer(self, http: h11.Connection, sock: socket.socket) -> h11.Response:
        while isinstance(event := self._next(http, sock), h11.InformationalResponse):
            pass  # The time is bounded, and so is each of them.
        if not isinstance(event, h11.Response):
            raise EndpointUnavailable("it hung up")
        return event

    @staticmethod
    def _judge(answer: h11.Response) -> None:
        if answer.status_code in _PASSING:
            raise EndpointUnavailable("it is not able to answer now")
        if answer.status_code != _OK:
            raise EndpointRefused(f"it answers with status {answer.status_code}")
        if dict(answer.headers).get(b"content-encoding", b"identity").lower() != b"identity":
            raise EndpointRefused("its answer is packed although nothing was offered")

    def _read(self, http: h11.Connection, sock: socket.socket, max_bytes: int) -> bytes:
        body = bytearray()
        while isinstance(event := self._next(http, sock), h11.Data):
            body += event.data
            if len(body) > max_bytes:
                raise EndpointRefused("its answer is too large")
        if not isinstance(event, h11.EndOfMessage):
            raise EndpointUnavailable("it hung up")
        return bytes(body)

    def _next(self, http: h11.Connection, sock: socket.socket) -> object:
        has_ended = False
        try:
            while (event := http.next_event()) is h11.NEED_DATA:
                sock.settimeout(self._left())
                part = sock.recv(_READ_BYTES)
                has_ended = not part
                http.receive_data(part)
        except h11.RemoteProtocolError:
            if has_ended:
                raise EndpointUnavailable("it hung up") from None
            raise
        self._left()
        return event

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Item(msgspec.Struct, frozen=True):
    index: int
    embedding: list[float] = msgspec.field(default_factory=list)

    def __repr__(self) -> str:
        return "<vector>"


class Answer(msgspec.Struct, frozen=True):
    """What an endpoint answers; ``model`` is what it calls the model that it ran, where it says so."""

    data: list[_Item]
    model: str | None = None

    def __repr__(self) -> str:
        return "<answer>"


def decode(untrusted_body: bytes, *, rows: int) -> tuple[list[list[float]], str | None]:
    """Return as many vectors as texts were sent, in their order, and the model's name.

    Raises ``EndpointRefused`` when the answer has another form or not one vector for each text.
    """
    try:
        answer = msgspec.json.decode(untrusted_body, type=Answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        _unusable()
    vectors = {item.index: item.embedding for item in answer.data}
    if len(answer.data) != rows or sorted(vectors) != list(range(rows)):
        _unusable()
    return [vectors[index] for index in range(rows)], answer.model


def _unusable() -> NoReturn:
    raise EndpointRefused("its answer has not one vector for each text") from None
