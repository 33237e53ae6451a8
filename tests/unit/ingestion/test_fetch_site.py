"""One fetch against loopback sites behind invented public addresses: every refusal and bound, and what a site sees."""

import contextlib
import gzip
import os
import socket
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import pytest

from ingestion.fetch.addresses import read_link
from ingestion.fetch.site import USER_AGENT, Bounds, Network, Visit
from models.errors import (
    FileTooLarge,
    LinkFailed,
    LinkRefused,
    MayflyError,
    MediaFile,
    TimedOut,
    UnsupportedType,
    VideoLink,
)
from tests.support.sites import PUBLIC, Site, World, page, redirect, secure_world, world

BODY = b"<html><body><p>The ferry of Arden.</p></body></html>"
BOUNDS = Bounds(max_bytes=100_000, max_seconds=60, redirects=3)
QUICK = Bounds(max_bytes=100_000, max_seconds=0.5, redirects=3)


def fetch(here: World, url: str = "http://site.example/", bounds: Bounds = BOUNDS) -> tuple[str | None, bytes]:
    with Visit(here.network, bounds) as visit:
        found = visit.find(read_link(url))
        return found.untrusted_media_type, b"".join(found.body)


def test_a_page_is_fetched():
    with world({"/": page(BODY, media_type="text/html; charset=utf-8")}) as here:
        assert fetch(here) == ("text/html", BODY)
        assert here.connected == [(PUBLIC, 80)]


# --- where it goes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("private", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "64:ff9b::7f00:1"])
@pytest.mark.parametrize("order", [1, -1])
def test_one_address_that_is_not_public_refuses_the_name_before_any_connection(private: str, order: int):
    with world({"/": page(BODY)}) as here:
        site = here.sites[PUBLIC, 80]
        here.sites[private, 80] = site
        here.names["site.example"] = (PUBLIC, private)[::order]

        with pytest.raises(LinkRefused):
            fetch(here)

        assert (here.connected, site.connections) == ([], 0)
        here.names["site.example"] = (PUBLIC,)
        assert fetch(here)[1] == BODY, "the site was there to be reached"


def test_a_name_that_turns_private_after_the_check_is_still_asked_at_the_checked_address():
    answers = count()
    with world({"/": page(BODY)}) as here:
        here.names["site.example"] = lambda: (PUBLIC,) if next(answers) == 0 else ("127.0.0.1",)

        assert fetch(here)[1] == BODY
        assert (here.resolved, here.connected) == (["site.example"], [(PUBLIC, 80)])
        with pytest.raises(LinkRefused):
            fetch(here)
        assert here.connected == [(PUBLIC, 80)]


def test_a_dead_address_gives_way_to_the_next():
    with world({"/": page(BODY)}) as here:
        here.names["site.example"] = ("93.184.216.35", PUBLIC)

        assert fetch(here)[1] == BODY


@pytest.mark.parametrize("names", [(), None])
def test_a_name_without_addresses_fails(names: Sequence[str] | None):
    def broken() -> Sequence[str]:
        raise OSError

    with pytest.raises(LinkFailed):
        fetch(World(names={"site.example": broken if names is None else names}))


@pytest.mark.parametrize(("location", "error"), [
    ("http://127.0.0.1/", LinkRefused),
    ("http://inside.example/", LinkRefused),
    ("file:///etc/passwd", LinkRefused),
    ("ftp://site.example/", LinkRefused),
    ("http://site.example:8080/", LinkRefused),
    ("http://user@site.example/", LinkRefused),
    ("https://youtu.be/x", VideoLink),
    ("", LinkFailed),
])  # fmt: skip
def test_every_redirect_is_checked_again(location: str, error: type[MayflyError]):
    with (
        world({"/": redirect(location, body=b"x" * 1000)}) as here,
        contextlib.closing(Site({"/": page(BODY)})) as canary,
    ):
        here.names["inside.example"] = ("10.0.0.7",)
        here.sites["10.0.0.7", 80] = here.sites["127.0.0.1", 80] = canary

        with pytest.raises(error):
            fetch(here)

        assert canary.connections == 0


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_three_redirects_are_followed_and_a_fourth_is_not(status: str):
    answers = {f"/{n}": redirect(f"/{n - 1}", status=status) for n in range(1, 20)}
    with world(answers | {"/0": page(BODY)}) as here:
        assert fetch(here, "http://site.example/3")[1] == BODY
        here.connected.clear()
        with pytest.raises(LinkFailed):
            fetch(here, "http://site.example/19")
        assert len(here.connected) == 4


def test_a_meta_refresh_is_text():
    refresh = b'<html><head><meta http-equiv="refresh" content="0;url=http://127.0.0.1/"></head><p>text</p></html>'
    with world({"/": page(refresh)}) as here:
        assert fetch(here)[1] == refresh
        assert len(here.connected) == 1


def test_https_is_verified_against_the_name_and_not_the_address(tmp_path: Path):
    with secure_world({"/": page(BODY)}, tmp_path, name="site.example", certified="site.example") as here:
        assert fetch(here, "https://site.example/")[1] == BODY
        assert here.connected == [(PUBLIC, 443)]
        assert b"Host: site.example\r\n" in here.sites[PUBLIC, 443].requests[0]


@pytest.mark.parametrize("certified", ["other.example", PUBLIC])
def test_a_certificate_for_another_name_ends_the_fetch_before_the_request(tmp_path: Path, certified: str):
    with secure_world({"/": page(BODY)}, tmp_path, name="site.example", certified=certified) as here:
        with pytest.raises(LinkFailed):
            fetch(here, "https://site.example/")
        assert here.sites[PUBLIC, 443].requests == []


# --- what a site compresses against our wish --------------------------------------------------------------------------


def bare(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(("encoding", "pack"), [
    ("gzip", gzip.compress), ("X-GZip", gzip.compress), ("deflate", zlib.compress), ("deflate", bare),
])  # fmt: skip
@pytest.mark.parametrize("body", [b"", BODY, BODY * 1000])
def test_what_is_compressed_once_is_unpacked(encoding: str, pack: Callable[[bytes], bytes], body: bytes):
    with world({"/": page(pack(body), f"Content-Encoding: {encoding}")}) as here:
        assert fetch(here) == ("text/html", body)


def test_both_what_comes_and_what_it_unpacks_to_are_counted():
    exact, more = bytes(BOUNDS.max_bytes), bytes(BOUNDS.max_bytes + 1)
    noise = os.urandom(BOUNDS.max_bytes)  # Packed it is larger than itself.
    answers = {path: page(gzip.compress(body), "Content-Encoding: gzip")
               for path, body in {"/exact": exact, "/more": more, "/noise": noise}.items()}  # fmt: skip
    with world(answers) as here:
        assert fetch(here, "http://site.example/exact")[1] == exact
        for path in ("/more", "/noise"):
            with pytest.raises(FileTooLarge):
                fetch(here, f"http://site.example{path}")


def bomb(sock: socket.socket) -> None:
    """Answer with ten gigabytes of zeros in ten megabytes."""
    packer = zlib.compressobj(9, wbits=31)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\n")
    for _ in range(10 * 1024):
        sock.sendall(packer.compress(bytes(1024 * 1024)))


def test_a_bomb_is_cut_off_before_it_goes_off():
    bounds = Bounds(max_bytes=5_000_000, max_seconds=60, redirects=0)
    with world({"/": bomb}) as here, Visit(here.network, bounds) as visit:
        found = visit.find(read_link("http://site.example/"))
        sizes = list[int]()
        with pytest.raises(FileTooLarge):
            sizes.extend(map(len, found.body))

        assert 0 < max(sizes) <= 64 * 1024, "no more is ever unpacked at once"
        assert sum(sizes) <= bounds.max_bytes


# --- what it costs ---------------------------------------------------------------------------------------------------


def endless(head: bytes, part: bytes, pause_seconds: float = 0.0) -> Callable[[socket.socket], None]:
    """Return an answer that goes on until nobody listens."""

    def answer(sock: socket.socket) -> None:
        sock.sendall(head)
        pause = threading.Event()
        while True:
            sock.sendall(part)
            if pause_seconds:
                pause.wait(pause_seconds)

    return answer


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
_CHUNKED = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(("answer", "error"), [
    pytest.param(_HEAD + b"Content-Length: 10737418240\r\n\r\n", FileTooLarge, id="announced 10 GB"),
    pytest.param(endless(_HEAD + b"\r\n", b"a" * 50_000), FileTooLarge, id="no length, no end"),
    pytest.param(endless(_CHUNKED, b"8000\r\n" + b"a" * 0x8000 + b"\r\n"), FileTooLarge, id="endless chunks"),
    pytest.param(endless(b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"a" * 1000 + b"\r\n"), LinkFailed, id="endless headers"),
    pytest.param(endless(b"HTTP/1.1 200 OK\r\nX-A: ", b"a" * 50_000), LinkFailed, id="one endless header"),
    pytest.param(endless(_CHUNKED, b"1;" + b"a" * 50_000), LinkFailed, id="endless chunk extension"),
    pytest.param(_HEAD + b"Content-Length: 50\r\n\r\nshort", LinkFailed, id="length too large"),
    pytest.param(_HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nshorts", LinkFailed, id="two lengths"),
    pytest.param(_HEAD + b"Content-Length: -5\r\n\r\nshort", LinkFailed, id="negative length"),
    pytest.param(b"SSH-2.0-OpenSSH\r\n", LinkFailed, id="not http"),
    pytest.param(b"", LinkFailed, id="silence and goodbye"),
    pytest.param(page(gzip.compress(BODY)[:-9], "Content-Encoding: gzip"), LinkFailed, id="gzip cut off"),
    pytest.param(page(b"", "Content-Encoding: gzip"), LinkFailed, id="gzip of nothing at all"),
    pytest.param(page(gzip.compress(BODY) + b"x", "Content-Encoding: gzip"), LinkFailed, id="more behind the gzip"),
    pytest.param(page(BODY, "Content-Encoding: gzip"), LinkFailed, id="no gzip"),
    pytest.param(page(BODY, "Content-Encoding: deflate"), LinkFailed, id="no deflate"),
    pytest.param(page(BODY, "Content-Encoding: zstd"), LinkFailed, id="zstd"),
    pytest.param(page(b"x", "Content-Encoding: br"), LinkFailed, id="brotli"),
    pytest.param(page(b"x", "Content-Encoding: gzip, gzip"), LinkFailed, id="chained"),
    pytest.param(page(b"x", "Content-Encoding: identity", "Content-Encoding: gzip"), LinkFailed, id="two encodings"),
    pytest.param(_HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", LinkFailed, id="transfer encoding"),
    pytest.param(page(b"x", status="500 Oops"), LinkFailed, id="500"),
    pytest.param(page(b"x", status="206 Partial"), LinkFailed, id="206"),
    pytest.param(page(b"x", media_type="video/mp4"), MediaFile, id="video"),
    pytest.param(page(b"x", media_type="Audio/MPEG; x=y"), MediaFile, id="audio"),
    pytest.param(page(b"x", media_type="application/x-sh"), UnsupportedType, id="script"),
    pytest.param(page(b"x", "Content-Type: text/html"), LinkFailed, id="two types"),
])  # fmt: skip
def test_what_is_too_much_or_not_to_be_read_ends_the_fetch(answer: bytes, error: type[MayflyError]):
    with world({"/": answer}) as here, pytest.raises(error):
        fetch(here)


@pytest.mark.parametrize("answer", [
    pytest.param(endless(b"HTTP/1.1 200 OK\r\n", b"X", 0.02), id="headers drip"),
    pytest.param(endless(_HEAD + b"\r\n", b"a", 0.02), id="body drips"),
    pytest.param(endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.02), id="forever about to"),
    pytest.param(lambda sock: sock.recv(1), id="silence"),
])  # fmt: skip
def test_what_takes_too_long_ends_the_fetch(answer: Callable[[socket.socket], None]):
    with world({"/": answer}) as here, pytest.raises(TimedOut):
        fetch(here, bounds=QUICK)


def test_a_resolver_that_does_not_answer_ends_the_fetch():
    released = threading.Event()

    def stuck() -> Sequence[str]:
        released.wait(30)
        return ()

    try:
        with pytest.raises(TimedOut):
            fetch(World(names={"site.example": stuck}), bounds=QUICK)
    finally:
        released.set()


def test_a_site_that_never_shakes_hands_ends_the_fetch():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:

        def connect(_address: str, _port: int, timeout_seconds: float) -> socket.socket:
            return socket.create_connection(silent.getsockname(), timeout=timeout_seconds)

        network = Network(resolve=lambda _host, _port: (PUBLIC,), connect=connect)
        with Visit(network, QUICK) as visit, pytest.raises(TimedOut):
            visit.find(read_link("https://site.example/"))


def test_a_body_of_exactly_the_limit_is_taken():
    with world({"/": page(b"a" * BOUNDS.max_bytes), "/more": page(b"a" * (BOUNDS.max_bytes + 1))}) as here:
        assert len(fetch(here)[1]) == BOUNDS.max_bytes
        with pytest.raises(FileTooLarge):
            fetch(here, "http://site.example/more")


def test_a_fetch_that_is_stopped_ends_at_once():
    asked = threading.Event()

    def hold(sock: socket.socket) -> None:
        asked.set()
        sock.recv(1)

    with world({"/": hold}) as here, Visit(here.network, BOUNDS) as visit:
        threading.Thread(target=lambda: (asked.wait(5), visit.stop()), daemon=True).start()
        began = time.monotonic()
        with pytest.raises(LinkFailed):
            visit.find(read_link("http://site.example/"))
        assert time.monotonic() - began < BOUNDS.max_seconds, "it ended by being stopped, not by its time"


@pytest.mark.parametrize("stuck", ["the look-up", "the handshake"])
def test_a_fetch_is_stopped_before_there_is_a_site_to_hang_up_on(stuck: str):
    begun, released = threading.Event(), threading.Event()

    def names(_host: str, _port: int) -> Sequence[str]:
        if stuck == "the look-up":
            begun.set()
            released.wait(30)
        return (PUBLIC,)

    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:

        def greet() -> None:
            with contextlib.suppress(OSError):
                sock, _ = silent.accept()
                with sock:
                    sock.recv(1)  # The client's first words: its handshake is under way.
                    begun.set()
                    released.wait(30)

        def connect(_address: str, _port: int, timeout_seconds: float) -> socket.socket:
            return socket.create_connection(silent.getsockname(), timeout=timeout_seconds)

        threading.Thread(target=greet, daemon=True).start()
        try:
            with Visit(Network(resolve=names, connect=connect), BOUNDS) as visit:
                threading.Thread(target=lambda: (begun.wait(5), visit.stop()), daemon=True).start()
                began = time.monotonic()
                with pytest.raises(LinkFailed):
                    visit.find(read_link("https://site.example/"))
                assert time.monotonic() - began < BOUNDS.max_seconds, "it ended by being stopped, not by its time"
        finally:
            released.set()


def test_a_stopped_visit_goes_nowhere():
    with world({"/": page(BODY)}) as here, Visit(here.network, BOUNDS) as visit:
        visit.stop()
        with pytest.raises(LinkFailed):
            visit.find(read_link("http://site.example/"))
        assert (here.resolved, here.connected) == ([], [])


@pytest.mark.parametrize(("location", "path"), [
    ("/café".encode(), "/caf%C3%A9"),
    ("/Ωmega".encode(), "/%CE%A9mega"),
    ("/č".encode(), "/%C4%8D"),
    ("/café".encode("latin-1"), "/caf%C3%A9"),
])  # fmt: skip
def test_a_redirect_is_read_as_utf_8_or_else_as_latin_1(location: bytes, path: str):
    answer = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"
    with world({"/": answer, path: page(BODY)}) as here:
        assert fetch(here)[1] == BODY


# --- what the site sees ----------------------------------------------------------------------------------------------


def test_a_site_sees_the_same_five_headers_from_everybody_and_gets_nothing_back():
    answers = {"/": page(BODY, "Set-Cookie: a=b"), "/again?q=1": redirect("/"), "/again": redirect("/")}
    with world(answers) as here:
        fetch(here, "http://site.example/again?q=1#part")
        fetch(here, "http://site.example/again")

        own = ("Host: site.example", f"User-Agent: {USER_AGENT}", "Accept: */*", "Accept-Encoding: identity")
        expected = "\r\n".join((*own, "Connection: close"))
        requests = [request.decode() for request in here.sites[PUBLIC, 80].requests]
        heads = [request.partition("\r\n")[2].removesuffix("\r\n\r\n") for request in requests]
        assert len(heads) == 4
        assert set(heads) == {expected}


def test_proxies_and_passwords_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine site.example login a password b\n")
    netrc.chmod(0o600)
    with contextlib.closing(Site({})) as proxy, world({"/": page(BODY)}) as here:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            monkeypatch.setenv(name.upper(), f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("HOME", str(tmp_path))

        assert fetch(here)[1] == BODY

        assert proxy.connections == 0
        assert b"authorization" not in here.sites[PUBLIC, 80].requests[0].lower()
