"""A network with one site in it, for a service made for the run: links lead somewhere, and nothing of it is outside.

In a network namespace of its own a public address lies on the loopback device, and a hosts file of its own names it.
The service resolves, checks and connects as on the internet; no line of it knows that it is not there.
"""

import ctypes
import subprocess
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_CLONE_NEWNET = 0x40000000
PUBLIC = "93.184.216.34"
_NAME, _PORT = "site.example", 80
_PROBE = "ip link set lo up && mount --bind /etc/hosts /etc/hosts"
_SECONDS = 30


class Site:
    """A web site of some pages, by path; what is asked after the path makes no difference. Runs in a thread."""

    def __init__(self, address: str = PUBLIC, port: int = _PORT) -> None:
        self._pages = dict[str, bytes]()
        self._server = ThreadingHTTPServer((address, port), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def publish(self, word: str, *, title: str, text: str) -> str:
        """Publish a page below a path, and return a link to it that has the word in path and query."""
        head = f"<html><head><title>{title}</title></head>"
        self._pages[f"/{word}.html"] = f"{head}<body><article><p>{text}</p></article></body></html>".encode()
        return f"http://{_NAME}/{word}.html?word={word}"

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        pages = self._pages

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = pages.get(self.path.partition("?")[0])
                self.send_response(HTTPStatus.NOT_FOUND if page is None else HTTPStatus.OK)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(page or b"")))
                self.end_headers()
                self.wfile.write(page or b"")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # The name is the library's.
                """Write nothing: the path holds a marker."""

        return Handler


def hindrance() -> str | None:
    """Try in another process whether this machine lets us have such a network; return why not, ``None`` if it does."""
    try:
        tried = _run("unshare", "--net", "--mount", "sh", "-c", _PROBE)
    except FileNotFoundError:
        return "unshare is not installed"
    return tried.stderr.decode(errors="replace").strip() or "it cannot be made" if tried.returncode else None


def enter(folder: Path) -> None:
    """Move this process, and all that it starts, into a network of its own for good.

    ``folder`` is for the hosts file, which holds no marker. Raises ``OSError`` and ``CalledProcessError`` where that is
    not possible; ask ``hindrance`` first, since the process may then have lost its network already.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET | _CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "no namespaces")
    _run("mount", "--make-rprivate", "/").check_returncode()
    name_addresses(folder / "hosts", {_NAME: PUBLIC})


def name_addresses(hosts: Path, names: Mapping[str, str]) -> None:
    """Give the namespaces that we run in a hosts file of their own, and ``PUBLIC`` to their loopback device.

    Raises ``CalledProcessError``.
    """
    # A name is asked for with its final dot, which the hosts file must spell out.
    lines = ["127.0.0.1 localhost", *(f"{address} {name} {name}." for name, address in names.items())]
    hosts.write_text("\n".join(lines) + "\n", encoding="ascii")
    for command in (
        ("mount", "--bind", str(hosts), "/etc/hosts"),
        ("ip", "link", "set", "lo", "up"),
        ("ip", "address", "add", f"{PUBLIC}/32", "dev", "lo"),
    ):
        _run(*command).check_returncode()


def _run(*command: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, capture_output=True, check=False, timeout=_SECONDS)
