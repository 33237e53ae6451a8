"""Changes to a file, the same ones for the same seed.

A file that is a ZIP inside is mostly changed inside: an entry is unpacked, changed and packed again, because a changed
byte of the packed form rarely gets past its checksum.
"""

import io
import random
import zipfile
from collections.abc import Callable, Sequence

_INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x100, 0x10000)
_WORDS = (
    b"<",
    b"</",
    b"/>",
    b"&",
    b"&#x110000;",
    b"&lt;",
    b"<!--",
    b"<![CDATA[",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"{",
    b"}",
    b"[" * 300,
    b"]",
    b'"',
    b"'",
    b"\\",
    b"\\u",
    b"\x00",
    b"\r\n",
    b"\r\n\r\n",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xe2\x80\xae",
    b"%PDF-",
    b"endobj",
    b"stream",
    b"/Filter/FlateDecode",
    b"<<",
    b">>",
    b"-1",
    b"99999999999999999999",
    b"1e999",
    b"NaN",
    b"0 R",
    b"--fuzz",
    b"--fuzz--",
    b"Content-Type: message/rfc822",
    b"00:00:00,000 --> 99:59:59,999",
    b"{\\rtf1",
    b"\\bin999999999 ",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"xml:space",
    b"\xcc\x81" * 50,
    "\U0001f468\u200d".encode() * 20,
)
_MOST_CHANGES = 6
_MOST_BYTES = 1 << 20


def mutated(seed: bytes, others: Sequence[bytes], source: random.Random) -> bytes:
    """Return a changed copy; ``others`` are files of the same kind from which parts are taken."""
    if seed[:2] == b"PK" and source.random() < 0.8:
        changed = _inside(seed, source)
        if changed is not None:
            return changed
    return _changed(seed, others, source)


def _changed(seed: bytes, others: Sequence[bytes], source: random.Random) -> bytes:
    data = bytearray(seed)
    for _ in range(source.randint(1, _MOST_CHANGES)):
        source.choice(_CHANGES)(data, others, source)
    return bytes(data[:_MOST_BYTES])


def _inside(seed: bytes, source: random.Random) -> bytes | None:
    """Return the archive with one entry changed; nothing when it cannot be unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(seed)) as packed:
            entries = [(entry.filename, packed.read(entry)) for entry in packed.infolist()]
    except Exception:  # noqa: BLE001 - the seed is damaged already, in whichever way; then its bytes are changed.
        return None
    if not entries:
        return None
    at = source.randrange(len(entries))
    name, data = entries[at]
    entries[at] = name, _changed(data, [other for _, other in entries], source)
    if source.random() < 0.1:
        del entries[source.randrange(len(entries))]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for name, data in entries:
            packed.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


def _flip(data: bytearray, _others: Sequence[bytes], source: random.Random) -> None:
    if data:
        data[source.randrange(len(data))] ^= 1 << source.randrange(8)


def _overwrite(data: bytearray, _others: Sequence[bytes], source: random.Random) -> None:
    size = source.choice((1, 2, 4))
    value = source.choice(_INTERESTING) & ((1 << 8 * size) - 1)
    at = source.randrange(len(data) + 1)
    data[at : at + size] = value.to_bytes(size, source.choice(("big", "little")))


def _remove(data: bytearray, _others: Sequence[bytes], source: random.Random) -> None:
    start, end = _span(data, source)
    del data[start:end]


def _repeat(data: bytearray, _others: Sequence[bytes], source: random.Random) -> None:
    start, end = _span(data, source)
    data[end:end] = data[start:end] * source.choice((1, 2, 50))


def _cut(data: bytearray, _others: Sequence[bytes], source: random.Random) -> None:
    del data[source.randrange(len(data) + 1) :]


def _insert(data: bytearray, _others: Sequence[bytes], source: random.Random) -> None:
    at = source.randrange(len(data) + 1)
    data[at:at] = source.choice(_WORDS)


def _splice(data: bytearray, others: Sequence[bytes], source: random.Random) -> None:
    if others:
        other = source.choice(others)
        start, end = _span(other, source)
        at = source.randrange(len(data) + 1)
        data[at:at] = other[start:end]


def _digits(data: bytearray, _others: Sequence[bytes], source: random.Random) -> None:
    """Put another number where a number stands: lengths, offsets and counts of textual formats."""
    places = [at for at, byte in enumerate(data[:50_000]) if 0x30 <= byte <= 0x39]
    if places:
        at = source.choice(places)
        data[at : at + 1] = source.choice((b"0", b"9", b"-1", b"4294967296", b"2147483647", b"1e9"))


def _span(data: bytes | bytearray, source: random.Random) -> tuple[int, int]:
    start = source.randrange(len(data) + 1)
    return start, min(len(data), start + source.choice((1, 4, 16, 64, 1024)))


_CHANGES: tuple[Callable[[bytearray, Sequence[bytes], random.Random], None], ...] = (
    _flip,
    _overwrite,
    _remove,
    _repeat,
    _cut,
    _insert,
    _splice,
    _digits,
)
