import io
import struct
import zipfile
import zlib

import pytest

from ingestion.archive import Archive
from ingestion.limits import MIB, JailLimits
from models.errors import EncryptedDocument, ExpandsTooMuch, MayflyError, ParserFailed, TooComplex

LIMITS = JailLimits()


def packed(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def refusal(untrusted: bytes, limits: JailLimits = LIMITS) -> type[MayflyError]:
    with pytest.raises(MayflyError) as caught:
        read_all(untrusted, limits)
    return type(caught.value)


def read_all(untrusted: bytes, limits: JailLimits) -> list[bytes]:
    archive = Archive(untrusted, limits)
    return [archive.read(name) for name in archive.names()]


def test_entries_are_read_by_name_in_the_order_of_the_archive() -> None:
    archive = Archive(packed(("folder/", b""), ("folder/b", b"two"), ("a", b"one")), LIMITS)

    assert archive.names() == ("folder/b", "a")
    assert (archive.read("a"), archive.read("folder/b")) == (b"one", b"two")
    assert "a" in archive
    assert "folder/" not in archive
    with pytest.raises(ParserFailed):
        archive.read("../a")


def test_a_bomb_is_refused_by_what_it_declares() -> None:
    assert refusal(packed(("a", bytes(40 * MIB)))) is ExpandsTooMuch


def test_a_bomb_that_lies_about_its_size_unpacks_no_more_than_it_declares() -> None:
    bomb = packed(("a", bytes(40 * MIB)))
    true_size = struct.pack("<I", 40 * MIB)
    assert bomb.count(true_size) == 2, "the sizes are not where they were thought to be"

    assert refusal(bomb.replace(true_size, struct.pack("<I", 1000))) is ParserFailed


def test_all_entries_together_may_not_expand_too_much() -> None:
    content = bytes(range(256)) * 4096
    archive = packed(*((str(number), content) for number in range(3)), method=zipfile.ZIP_STORED)
    limits = JailLimits(archive_bytes=2 * MIB)

    assert refusal(archive, limits) is ExpandsTooMuch
    assert len(Archive(archive, LIMITS).read("2")) == MIB


def test_reading_one_entry_again_and_again_counts_each_time() -> None:
    archive = Archive(packed(("a", b"x" * 600)), JailLimits(archive_bytes=1000))
    archive.read("a")

    with pytest.raises(ExpandsTooMuch):
        archive.read("a")


def test_entries_that_share_their_bytes_are_refused() -> None:
    body = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = body.compress(bytes(1000)) + body.flush()
    crc = zlib.crc32(bytes(1000))
    local = struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, 0, 8, 0, 33, crc, len(data), 1000, 1, 0) + b"a" + data
    entries = b"".join(
        struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, 0, 8, 0, 33, crc, len(data), 1000, 1, 0, 0, 0, 0, 0, 0)
        + name
        for name in (b"a", b"b")
    )
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 2, 2, len(entries), len(local), 0)

    assert refusal(local + entries + end) is ExpandsTooMuch


def test_too_many_entries_are_refused_before_they_are_listed() -> None:
    assert refusal(packed(*((f"{number}", b"") for number in range(12))), JailLimits(archive_entries=10)) is TooComplex


def test_an_encrypted_entry_is_refused() -> None:
    archive = bytearray(packed(("a", b"secret")))
    archive[6] |= 1
    archive[archive.index(b"PK\x01\x02") + 8] |= 1

    assert refusal(bytes(archive)) is EncryptedDocument


def test_a_link_an_odd_method_and_a_name_twice_are_refused() -> None:
    link = zipfile.ZipInfo("a")
    link.external_attr = 0o120777 << 16
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = packed(("a", b"1"), ("a", b"2"))

    assert refusal(packed((link, b"/etc/passwd"))) is ParserFailed
    assert refusal(packed(("a", b"x"), method=zipfile.ZIP_BZIP2)) is ParserFailed
    assert refusal(twice) is ParserFailed


@pytest.mark.parametrize("damage", ["cut", "no end", "before", "flipped"])
def test_what_is_damaged_or_ambiguous_is_refused(damage: str) -> None:
    whole = packed(("a", b"some words that are long enough to be packed, packed, packed"))
    middle = 40
    damaged = {
        "cut": whole[: len(whole) // 2],
        "no end": b"PK\x03\x04" + bytes(100),
        "before": b"MZ" + whole,
        "flipped": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
    }[damage]

    assert Archive(whole, LIMITS).read("a")
    assert refusal(damaged) is ParserFailed


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("../../etc/passwd", "passwd"),
        ("/abs.txt", "abs.txt"),
        ("folder\\b.txt", "b.txt"),
        ("Übung.txt", "Übung.txt"),
        ("a.txt", "a.txt"),
    ],
)
def test_the_title_of_an_entry_is_no_path(name: str, title: str) -> None:
    archive = Archive(packed((name, b"x")), LIMITS)

    assert [archive.title(each) for each in archive.names()] == [title]


def test_a_title_in_an_old_encoding_is_told_by_its_bytes() -> None:
    plain = packed(("Lesson-about-tides-and-heron-s-_____.txt", b"x"))
    archive = Archive(plain.replace(b"_____", "Übung".encode()[:5]), LIMITS)

    assert [archive.title(each) for each in archive.names()] == ["Lesson-about-tides-and-heron-s-Übun.txt"]
