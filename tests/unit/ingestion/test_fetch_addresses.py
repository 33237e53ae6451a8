import contextlib
from urllib.parse import clear_cache, urlsplit  # type: ignore[attr-defined]  # Not in its stubs.

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.fetch.addresses import MAX_LINK_CHARACTERS, is_public, read_link
from models.errors import LinkRefused, VideoLink

MARKER = "xylocopa7361"

OWN_MACHINE = [
    *("127.0.0.1", "127.1", "0", "0.0.0.0", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "[::]"),  # noqa: S104
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "localhost", "localhost.", "a.localhost", "LOCALHOST", "0x7f.1"),
    *(
        "１２７.０.０.１",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "loc\u00adalhost",
        "ⓛocalhost",
        "[fe80::1%25lo]",
        "127.0.0.1.",
        "1.0x1",
    ),
]
NOT_WEB = [
    *("file:///etc/passwd", "ftp://a.example/", "gopher://a.example/", "dict://a.example/", "data:text/html,x"),
    *("jar:http://a.example!/", "ldap://a.example/", "unix:/run/x", "//a.example/", "a.example/", "http:a.example"),
    *("http:/a.example", "http:///a.example", " http://a.example/", "\thttp://a.example/", "\nhttp://a.example/"),
    *("http://a.example/\r\nX: y", "http://a.example/ b", "HTTP\t://a.example", "javascript:alert(1)", "", "http://"),
]
TWO_READINGS = [
    *(
        "http://user@a.example/",
        "http://user:word@a.example/",
        "http://@a.example/",
        "http://a.example#@evil.example/@",
    ),
    *(
        "http://a.example\\@evil.example/",
        "http://a.example:80:80/",
        "http://a.example:@b.example",
        "http://a%2eexample/",
    ),
    *("http://a..example/", "http://.a.example/", "http://a.example../", "http://-a.example/", "http://a_b.example/"),
    *(
        "http://a.example:/",
        "http://a.example:+80/",
        "http://a.example:８０/",
        "http://[a.example]/",
        "http://a.example%00/",
    ),
]


@pytest.mark.parametrize("host", OWN_MACHINE)
def test_no_notation_of_an_address_is_read_as_a_name(host: str):
    with pytest.raises(LinkRefused):
        read_link(f"http://{host}/")


@pytest.mark.parametrize("url", NOT_WEB)
def test_what_is_not_plainly_the_web_is_refused(url: str):
    with pytest.raises(LinkRefused):
        read_link(url)


@pytest.mark.parametrize("url", [url for url in TWO_READINGS if "#@" not in url])
def test_what_two_parsers_could_read_in_two_ways_is_refused(url: str):
    with pytest.raises(LinkRefused):
        read_link(url)


@pytest.mark.parametrize(("url", "host"), [
    ("http://a.example#@evil.example/@", "a.example"),
    ("http://a.example/?.good.example", "a.example"),
    ("HTTPS://A.Example./x#y", "a.example"),
    ("https://bücher.example/", "xn--bcher-kva.example"),
    ("https://аpple.example/", "xn--pple-43d.example"),
])  # fmt: skip
def test_what_is_read_has_one_form_and_no_fragment(url: str, host: str):
    link = read_link(url)

    assert link.host == host
    assert "#" not in link.url
    assert read_link(link.url) == link


@pytest.mark.parametrize("port", [0, 22, 443, 3306, 6379, 8080, 65536, 99999])
def test_only_the_usual_port_is_asked(port: int):
    with pytest.raises(LinkRefused):
        read_link(f"http://a.example:{port}/")
    assert read_link("http://a.example:80/").port == 80
    assert read_link("https://a.example:443/").port == 443


@pytest.mark.parametrize("length", [MAX_LINK_CHARACTERS + 1, 2 * 1024 * 1024])
def test_an_endless_link_is_refused(length: int):
    with pytest.raises(LinkRefused):
        read_link("http://a.example/".ljust(length, "a"))
    assert read_link("http://a.example/".ljust(MAX_LINK_CHARACTERS, "a"))


@pytest.mark.parametrize(
    "host", ["intranet", "printer.local", "x.internal", "router.lan", "a.onion", "1.168.192.in-addr.arpa"]
)
def test_a_name_that_leads_nowhere_public_is_refused(host: str):
    with pytest.raises(LinkRefused):
        read_link(f"http://{host}/")


@pytest.mark.parametrize("host", ["youtube.com", "www.youtube.com", "youtu.be", "player.vimeo.com", "YOUTUBE.com."])
def test_a_video_is_told_apart(host: str):
    with pytest.raises(VideoLink):
        read_link(f"https://{host}/watch?v=1")
    assert read_link("https://notyoutube.com/")


def test_a_refusal_says_nothing_of_the_link():
    with pytest.raises(LinkRefused) as caught:
        read_link(f"http://{MARKER}@{MARKER}.example/{MARKER}")

    assert MARKER not in f"{caught.value} {caught.value.args!r} {caught.value.__cause__!r}"
    assert MARKER not in repr(read_link(f"http://{MARKER}.example/{MARKER}"))


@pytest.mark.parametrize(("url", "name"), [
    ("https://a.example/b/leaf.pdf?token=1", "leaf.pdf"),
    ("https://a.example/b/caf%C3%A9/", "café"),
    ("https://a.md/", "a.md page"),
])  # fmt: skip
def test_a_link_gives_its_document_a_name(url: str, name: str):
    assert read_link(url).name == name


def test_a_link_that_was_read_is_kept_in_no_cache():
    clear_cache()
    read_link("http://a.example/b")

    assert urlsplit.cache_info().currsize == 0  # type: ignore[attr-defined]  # It is an ``lru_cache``.


def test_the_kept_link_has_no_query():
    assert read_link("https://a.example/b?token=secret#part").bare == "https://a.example/b"


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "http://a.example/", "//127.0.0.1/", "\\\\b.example", "gopher://b.example"]
)
def test_a_redirect_is_read_like_a_link_and_never_leads_out_of_tls(location: str):
    with pytest.raises(LinkRefused):
        read_link("https://a.example/").follow(location)


@pytest.mark.parametrize(("location", "url"), [
    ("/b", "https://a.example/b"),
    ("c?d", "https://a.example/x/c?d"),
    ("//b.example/y", "https://b.example/y"),
    ("https://b.example", "https://b.example/"),
])  # fmt: skip
def test_a_redirect_may_be_relative(location: str, url: str):
    assert read_link("https://a.example/x/y").follow(location).url == url


@pytest.mark.parametrize("address", [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.100.100.200"),
    *("169.254.169.254", "0.0.0.0", "0.1.2.3", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),  # noqa: S104
    "192.0.0.192",
    *("224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.88.99.1", "192.31.196.1"),
    *("::1", "::", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:93.184.216.34", "fd00::1", "fd00:ec2::254", "fe80::1"),
    *("fe80::1%lo", "2606:2800:220:1::1%lo", "fec0::1", "ff02::1", "ff0e::1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1"),
    *("2002:7f00:1::", "2002:5db8:d822::1", "2001::1", "2001:db8::1", "3fff::1", "5f00::1", "100::1"),
    "2620:4f:8000::1",
    *("", "localhost", "127.1", "0x7f000001"),
])  # fmt: skip
def test_an_address_that_is_not_public_is_told(address: str):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "172.32.0.1", "2606:2800:220:1:248:1893:25c8:1946"])
def test_a_public_address_is_told(address: str):
    assert is_public(address)


_PIECES = st.sampled_from([
    *("http://", "https://", "a.example", "evil.example", "127.0.0.1", "[::1]", "@", ":", "\\", "/", "//", "#", "?"),
    *("%2f", "%40", ".", "..", "80", "443", "\t", "\n", " ", "。", "é", "ß", "１", "user", ";", "[", "]", "|", "^"),
    *("\u200b", "\u00ad"),
])  # fmt: skip


@given(st.lists(_PIECES, min_size=1, max_size=8).map("".join))
def test_every_parser_reads_the_same_host_out_of_what_is_accepted(rest: str):
    with contextlib.suppress(LinkRefused, VideoLink):
        link = read_link(f"http://{rest}")

        by_library, by_client = urlsplit(link.url), httpx2.URL(link.url)
        assert by_library.hostname == by_client.raw_host.decode() == link.host
        assert by_library.port is None
        assert by_client.port is None
        assert (by_client.scheme, by_client.userinfo) == (link.scheme, b"")
        assert link.host.rpartition(".")[2].isdigit() is False
        assert read_link(link.url) == link
