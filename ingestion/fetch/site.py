"""One fetch: from a checked link to the bytes of a document, over connections to checked addresses only.

Owns every byte that leaves for a site. Refuses a name of which any address is not public, follows a redirect only
through the same checks, sends nothing that tells who asks, and stops at the byte and at the second that is too much.
h11 reads HTTP and opens nothing by itself, so there is no proxy, no password file, no cookie jar and no redirect that
would have to be switched off. What a site compresses against our wish is unpacked piece by piece, and counted.
"""

import contextlib
import itertools
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import h11

from ingestion.fetch.addresses import Link, is_public
from models.errors import FileTooLarge, LinkFailed, LinkRefused, MayflyError, MediaFile, TimedOut, UnsupportedType

USER_AGENT: Final = "Mozilla/5.0 (compatible; document-reader)"
_CONNECT_SECONDS = 5.0
_HEADER_BYTES = 64 * 1024
_READ_BYTES = 64 * 1024
_OK = 200
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GZIP = frozenset({"gzip", "x-gzip"})
_GZIP_WINDOW, _ZLIB_WINDOW, _BARE_WINDOW = 31, 15, -15  # As zlib's ``wbits`` tells what is around the data.
_DEFLATED = 8  # The method in the first byte of a zlib header; bare data that begins so would be a reserved block.
# What is not worth fetching: the content itself is judged again in the jail, whatever the site calls it.
_MEDIA_TYPES = frozenset({
    *("text/html", "application/xhtml+xml", "text/plain", "text/markdown", "text/csv", "text/vtt", "text/srt"),
    *("application/x-subrip", "application/json", "message/rfc822", "application/pdf", "application/epub+zip"),
    *("application/rtf", "text/rtf", "application/zip", "application/octet-stream"),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.oasis.opendocument.presentation",
    "application/vnd.oasis.opendocument.spreadsheet",
    *("image/png", "image/jpeg", "image/webp", "image/tiff", "image/heic", "image/heif"),
})  # fmt: skip

# A host name and a port become addresses; an address, a port and seconds become a connection.
Resolve = Callable[[str, int], Sequence[str]]
Connect = Callable[[str, int, float], socket.socket]


def resolve(host: str, port: int) -> Sequence[str]:
    """Return every address the system knows for a host. Raises ``OSError`` when there is none."""
    # The final dot keeps the system from trying the name inside its own search domains.
    found = socket.getaddrinfo(f"{host}.", port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def connect(address: str, port: int, timeout_seconds: float) -> socket.socket:
    """Connect to an address, which is not looked up again. Raises ``OSError``."""
    return socket.create_connection((address, port), timeout=timeout_seconds)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one fetch may cost: bytes of the document, seconds in all, redirects."""

    max_bytes: int
    max_seconds: float
    redirects: int


@dataclass(frozen=True, slots=True)
class Network:
    """The ways out: how names are resolved, connections made and certificates verified."""

    resolve: Resolve = resolve
    connect: Connect = connect
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)


@dataclass(slots=True)
class Found:
    """A document as it arrives; ``body`` raises what ``Visit.find`` raises, and is read once."""

    untrusted_media_type: str | None = field(repr=False)
    body: Iterator[bytes] = field(repr=False)


class Visit:
    """One fetch, which another thread may stop. As a context manager it closes what it opened."""

    def __init__(self, network: Network, bounds: Bounds) -> None:
        self._network = network
        self._bounds = bounds
        self._deadline = time.monotonic() + bounds.max_seconds
        self._lock = threading.Lock()
        self._stopped = False
        self._woken = threading.Event()  # The name is looked up, or the visit stopped.
        self._sock: socket.socket | None = None

    def find(self, link: Link) -> Found:
        """Ask for a link, follow redirects, and return the document with its body yet to be read.

        Raises ``LinkRefused`` and ``VideoLink`` for a place that may not be asked, ``LinkFailed``, ``TimedOut``,
        ``FileTooLarge``, ``MediaFile`` and ``UnsupportedType`` for what the site declares.
        """
        with self._explained():
            for _ in range(self._bounds.redirects + 1):
                http, answer = self._ask(link)
                if answer.status_code not in _REDIRECTS:
                    return self._judge(http, answer)
                link = link.follow(_one(answer, b"location") or "")
        raise LinkFailed

    def stop(self) -> None:
        """End the visit now. May be called from any thread, more than once."""
        with self._lock:
            self._stopped = True
            self._woken.set()
            if self._sock is not None:
                with contextlib.suppress(OSError):
                    # Not as TLS shuts down, which would take the encryption off before the connection is dead.
                    socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def __enter__(self) -> "Visit":
        return self

    def __exit__(self, *_: object) -> None:
        self._hold(None)

    # --- one hop -----------------------------------------------------------------------------------------------------

    def _ask(self, link: Link) -> tuple[h11.Connection, h11.Response]:
        sock = self._open(link)
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEADER_BYTES)
        headers = [
            ("Host", link.host),
            ("User-Agent", USER_AGENT),
            ("Accept", "*/*"),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
        ]
        request = http.send(h11.Request(method="GET", target=link.target, headers=headers)) or b""
        sock.settimeout(self._left())
        sock.sendall(request + (http.send(h11.EndOfMessage()) or b""))
        while isinstance(event := self._next(http), h11.InformationalResponse):
            pass  # The time is bounded, and so is each of them.
        if not isinstance(event, h11.Response):
            raise LinkFailed
        return http, event

    def _open(self, link: Link) -> socket.socket:
        """Connect to a checked address of the link's host; for https its certificate must name the host."""
        for address in self._addresses(link):
            try:
                plain = self._network.connect(address, link.port, min(_CONNECT_SECONDS, self._left()))
            except OSError:
                continue
            self._hold(plain)
            if link.scheme == "http":
                return plain
            plain.settimeout(self._left())
            secured = self._network.tls.wrap_socket(
                plain, server_hostname=link.host, do_handshake_on_connect=False, suppress_ragged_eofs=False
            )
            self._hold(secured)  # Before the handshake, so that a site that never ends it can be hung up on.
            secured.do_handshake()
            return secured
        self._left()
        raise LinkFailed

    def _addresses(self, link: Link) -> Sequence[str]:
        """Return the addresses of the host. Raises ``LinkRefused`` when a single one is not public."""
        addresses = self._resolved(link)
        if not addresses:
            raise LinkFailed
        if not all(map(is_public, addresses)):
            raise LinkRefused
        return addresses

    def _resolved(self, link: Link) -> Sequence[str]:
        """Resolve in a thread of its own, because the system's resolver knows no time limit."""
        found = list[str]()

        def look_up() -> None:
            try:
                with contextlib.suppress(OSError, UnicodeError):
                    found.extend(self._network.resolve(link.host, link.port))
            finally:
                self._woken.set()

        self._woken.clear()
        seconds = self._left()  # Now, for it sees a stop that came before the clearing.
        threading.Thread(target=look_up, daemon=True).start()
        if not self._woken.wait(seconds):
            raise TimedOut
        self._left()
        return found

    # --- the answer --------------------------------------------------------------------------------------------------

    def _judge(self, http: h11.Connection, answer: h11.Response) -> Found:
        if answer.status_code != _OK:
            raise LinkFailed
        # Nothing was offered but identity, so whatever comes encoded comes from a site that does as it likes.
        encoding = (_one(answer, b"content-encoding") or "identity").strip().lower()
        if encoding not in {"identity", "deflate", *_GZIP}:
            raise LinkFailed
        media_type = (_one(answer, b"content-type") or "").partition(";")[0].strip().lower() or None
        if media_type is not None and media_type.startswith(("video/", "audio/")):
            raise MediaFile
        if media_type is not None and media_type not in _MEDIA_TYPES:
            raise UnsupportedType
        length = _one(answer, b"content-length")
        if length is not None and int(length) > self._bounds.max_bytes:
            raise FileTooLarge
        declared = None if media_type == "application/octet-stream" else media_type
        return Found(untrusted_media_type=declared, body=self._body(http, encoding))

    def _body(self, http: h11.Connection, encoding: str) -> Iterator[bytes]:
        with self._explained():
            arriving = self._counted(self._arriving(http))
            yield from arriving if encoding == "identity" else self._counted(self._unpacked(arriving, encoding))

    def _arriving(self, http: h11.Connection) -> Iterator[bytes]:
        while isinstance(event := self._next(http), h11.Data):
            yield bytes(event.data)
        if not isinstance(event, h11.EndOfMessage):
            raise LinkFailed

    def _counted(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        """Pass on what comes. Raises ``FileTooLarge`` at the first part that is too much, before it is passed on."""
        left = self._bounds.max_bytes
        for part in parts:
            left -= len(part)
            if left < 0:
                raise FileTooLarge
            yield part

    def _unpacked(self, parts: Iterator[bytes], encoding: str) -> Iterator[bytes]:
        """Unpack in steps of ``_READ_BYTES``, however much a part holds. Raises ``zlib.error``, ``LinkFailed``."""
        first = next(parts, b"")
        unpacker = zlib.decompressobj(_window(encoding, first))
        for part in itertools.chain((first,), parts):
            if part and unpacker.eof:
                raise LinkFailed  # Something is behind the end, where readers disagree whether it counts.
            packed = part
            while packed and not unpacker.eof:
                self._left()
                yield unpacker.decompress(packed, _READ_BYTES)
                packed = unpacker.unconsumed_tail
            if unpacker.unused_data:
                raise LinkFailed
        while not unpacker.eof and (rest := unpacker.decompress(b"", _READ_BYTES)):
            yield rest
        if not unpacker.eof:
            raise LinkFailed

    def _next(self, http: h11.Connection) -> h11.Event | type[h11.PAUSED]:
        while (event := http.next_event()) is h11.NEED_DATA:
            if self._sock is None:
                raise LinkFailed
            self._sock.settimeout(self._left())
            http.receive_data(self._sock.recv(_READ_BYTES))
        self._left()
        return event  # type: ignore[return-value]  # NEED_DATA was the other one.

    # --- time and connections ----------------------------------------------------------------------------------------

    def _left(self) -> float:
        """Return the seconds that are left. Raises ``TimedOut`` when there are none, ``LinkFailed`` after ``stop``."""
        if self._stopped:
            raise LinkFailed
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimedOut
        return left

    def _hold(self, sock: socket.socket | None) -> None:
        """Let ``stop`` reach this connection and close the one before. Raises ``LinkFailed`` when it came already."""
        with self._lock:
            before, self._sock = self._sock, sock
            if before is not None:
                before.close()  # Wrapped in TLS it has given its descriptor away, and closes nothing.
            if self._stopped and sock is not None:
                raise LinkFailed

    @contextlib.contextmanager
    def _explained(self) -> Generator[None]:
        """Turn whatever a network or a site can do into an error that says nothing of either."""
        try:
            yield
        except MayflyError:
            raise
        except TimeoutError:
            raise TimedOut from None
        except (OSError, ValueError, zlib.error, h11.ProtocolError):
            raise LinkFailed from None


def _one(answer: h11.Response, name: bytes) -> str | None:
    """Return a header that may come once. Raises ``LinkFailed`` when it comes more often: who would be right?"""
    values = [value for header, value in answer.headers if header == name]
    if len(values) > 1:
        raise LinkFailed
    return _text(values[0]) if values else None


def _text(untrusted: bytes) -> str:
    """Return a header's words: sites write them in UTF-8 where they should be ASCII, old ones in Latin-1."""
    try:
        return untrusted.decode()
    except UnicodeDecodeError:
        return untrusted.decode("latin-1")


def _window(encoding: str, untrusted_start: bytes) -> int:
    """Return what zlib must expect: for "deflate" sites send either a zlib stream, as they should, or bare data."""
    if encoding in _GZIP:
        return _GZIP_WINDOW
    return _ZLIB_WINDOW if untrusted_start[:1] and untrusted_start[0] & 0x0F == _DEFLATED else _BARE_WINDOW
