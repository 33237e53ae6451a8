"""Which links and which addresses may be asked.

Owns the one reading of a link that everything after it uses: what is checked here is what is resolved, connected to
and sent. Refuses what two parsers could read in two ways, every host that is no public name, and every address that is
not a public one. Nothing of a refused link is in the error.
"""

import inspect
import ipaddress
import re
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import unquote, urljoin, urlsplit

import idna

from models.errors import LinkRefused, VideoLink

MAX_LINK_CHARACTERS: Final = 2048
_MAX_HOST_CHARACTERS = 253
_PORTS: Final = {"http": 80, "https": 443}
_SHAPE = re.compile(r"(https?)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?", re.IGNORECASE | re.DOTALL)
# Whatever is not graphic, and what parsers disagree about wherever it stands.
_NEVER = re.compile(r"[\x00-\x20\x7f\\\u0080-\u00a0\u2028\u2029\ufeff]")
_AUTHORITY = re.compile(r"([^@:\[\]%]+)(?::([0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SENT_AS_IS = frozenset("!$&'()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~%")

# Names that lead nowhere public, whatever a resolver says (RFC 6761, 6762, 7686, 8375, 9476 and common practice).
_PRIVATE_ZONES = (
    "localhost",
    "local",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
    "private",
    "onion",
    "alt",
    "arpa",
)
_VIDEO_HOSTS = (
    *("youtube.com", "youtu.be", "youtube-nocookie.com", "vimeo.com", "dailymotion.com", "dai.ly", "twitch.tv"),
    *("tiktok.com", "bilibili.com", "b23.tv", "rutube.ru", "nicovideo.jp", "nico.ms", "youku.com", "odysee.com"),
    *("rumble.com", "streamable.com", "wistia.com", "loom.com"),
)

# What the standard library calls public and is not, together with what it knows; the IANA special-purpose registries.
_NOT_PUBLIC_4: Final = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # A cloud's own services, on an address of the public range.
    )
)
# Of IPv6 only global unicast is public: that leaves out mapped, compatible, translated, local and multicast addresses.
_PUBLIC_6: Final = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_6: Final = tuple(
    ipaddress.IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)

# The library keeps the last links it split for ever, in a cache that holds them beyond their session.
_urlsplit = inspect.unwrap(urlsplit)


@dataclass(frozen=True, slots=True)
class Link:
    """A link that may be asked, read once. ``host`` is a name in ASCII, ``target`` what is sent in the request line."""

    scheme: Literal["http", "https"]
    host: str = field(repr=False)
    target: str = field(repr=False)

    @property
    def port(self) -> int:
        """80 or 443: a link that names another port is refused, so the scheme decides."""
        return _PORTS[self.scheme]

    @property
    def url(self) -> str:
        """The link in its one form; reading it again gives the same link."""
        return f"{self.scheme}://{self.host}{self.target}"

    @property
    def bare(self) -> str:
        """The link without its query, which may hold secrets."""
        return f"{self.scheme}://{self.host}{self.target.partition('?')[0]}"

    @property
    def name(self) -> str:
        """What a document from here can be called; still as untrusted as the link."""
        last = self.target.partition("?")[0].rstrip("/").rpartition("/")[2]
        # A host alone must not end like a file: some countries' domains are also endings of files.
        return unquote(last) if last else f"{self.host} page"

    def follow(self, untrusted_location: str) -> "Link":
        """Return where a redirect leads. Raises ``LinkRefused``, also from https to http, and ``VideoLink``."""
        if len(untrusted_location) > MAX_LINK_CHARACTERS or _NEVER.search(untrusted_location):
            raise LinkRefused
        try:
            joined = urljoin(self.url, untrusted_location)
        except ValueError:
            raise LinkRefused from None
        there = read_link(joined)
        if self.scheme == "https" and there.scheme != "https":
            raise LinkRefused
        return there


def read_link(untrusted: str) -> Link:
    """Read a link. Raises ``LinkRefused`` for all but plain http and https to a public name, ``VideoLink``."""
    if len(untrusted) > MAX_LINK_CHARACTERS or _NEVER.search(untrusted):
        raise LinkRefused
    shape = _SHAPE.fullmatch(untrusted)
    if shape is None:
        raise LinkRefused
    scheme = "https" if shape[1].lower() == "https" else "http"
    host = _host(shape[2], scheme)
    if _is_under(host, _VIDEO_HOSTS):
        raise VideoLink
    link = Link(scheme=scheme, host=host, target=_sendable((shape[3] or "/") + (shape[4] or "")))
    _require_agreement(link)
    return link


def is_public(address: str) -> bool:
    """Say whether an address, as a resolver returns it, is one that anybody on the internet could ask."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv4Address):
        return parsed.is_global and not any(parsed in network for network in _NOT_PUBLIC_4)
    if parsed.scope_id is not None or parsed not in _PUBLIC_6:
        return False
    return parsed.is_global and not any(parsed in network for network in _NOT_PUBLIC_6)


def _host(untrusted_authority: str, scheme: str) -> str:
    parts = _AUTHORITY.fullmatch(untrusted_authority)
    if parts is None or (parts[2] is not None and int(parts[2]) != _PORTS[scheme]):
        raise LinkRefused
    host = _ascii(parts[1]).removesuffix(".")
    labels = host.split(".")
    named = len(labels) > 1 and len(host) <= _MAX_HOST_CHARACTERS and all(_LABEL.fullmatch(label) for label in labels)
    # A last label that begins with a digit makes an address in some notation: decimal, octal, hexadecimal, short.
    if not named or labels[-1][0].isdigit() or _is_under(host, _PRIVATE_ZONES):
        raise LinkRefused
    return host


def _ascii(untrusted_host: str) -> str:
    """Return the host in ASCII, lower case; other writing is mapped as UTS 46 says, which finds disguised digits."""
    if untrusted_host.isascii():
        return untrusted_host.lower()
    try:
        return idna.encode(untrusted_host, uts46=True, std3_rules=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        raise LinkRefused from None


def _is_under(host: str, zones: tuple[str, ...]) -> bool:
    return any(host == zone or host.endswith(f".{zone}") for zone in zones)


def _sendable(untrusted_target: str) -> str:
    """Return path and query with everything percent-encoded that has no place in a request line."""
    return "".join(
        character
        if character in _SENT_AS_IS
        else "".join(f"%{byte:02X}" for byte in character.encode(errors="replace"))
        for character in untrusted_target
    )


def _require_agreement(link: Link) -> None:
    """Return when the standard library reads the same host and port out of the link. Raises ``LinkRefused``."""
    again = _urlsplit(link.url)
    if (again.scheme, again.hostname, again.port, again.username) != (link.scheme, link.host, None, None):
        raise LinkRefused
