"""A ZIP of documents is one document, read or refused as a whole."""

import io
import zipfile
from dataclasses import replace

import pytest

from ingestion.extract.reading import Reading, Work
from ingestion.extract.registry import EXTRACTORS
from ingestion.families import Family
from ingestion.limits import JailLimits
from ingestion.outline import compose
from models.errors import (
    EmptyDocument,
    EncryptedDocument,
    LegacyOffice,
    MayflyError,
    MediaFile,
    NestedArchive,
    TooManyPages,
    TooMuchText,
    TypeMismatch,
    UnsupportedType,
)

LIMITS = JailLimits()
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)


def packed(*entries: tuple[str, bytes | str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


INNER = packed(("a.txt", "inner"))
PACKAGE = """<package><manifest><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest>
<spine><itemref idref="a"/></spine></package>"""
BOOK = packed(
    ("mimetype", "application/epub+zip"),
    ("META-INF/container.xml", '<container><rootfiles><rootfile full-path="a.opf"/></rootfiles></container>'),
    ("a.opf", PACKAGE),
    ("a.xhtml", '<html xmlns="http://www.w3.org/1999/xhtml"><body><p>A book inside.</p></body></html>'),
)


def read(untrusted: bytes, limits: JailLimits = LIMITS) -> Reading:
    return EXTRACTORS[Family.ZIP](untrusted, Work(limits))


def test_members_are_read_in_order_each_under_its_name() -> None:
    reading = read(
        packed(
            ("notes/", b""),
            ("notes/b.md", "# Tides\n\nThey rise.\n\n## Moon\n\nIt pulls."),
            ("../../etc/a.csv", "x,y\n1,2\n"),
            ("book.epub", BOOK),
            ("mail", "From: a@b\nTo: c@d\nSubject: Boats\nContent-Type: application/pdf\n\nx"),
        )
    )

    pages = [compose(number, raw, markdown=reading.markdown) for number, raw in enumerate(reading.pages, 1)]
    assert [page.text for page, _ in pages[:3]] == [
        "Tides\n\nThey rise.\n\nMoon\n\nIt pulls.",
        "x | y\n1 | 2",
        "A book inside.",
    ]
    assert [outline.above for _, outline in pages] == [("b.md",), ("a.csv",), ("book.epub",), ("mail",)]
    assert [(heading.title, heading.level) for heading in pages[0][1].headings] == [("Tides", 1), ("Moon", 2)]
    assert reading.attachments == 1


def test_what_systems_leave_behind_is_not_there() -> None:
    litter = (
        *("__MACOSX/._a.txt", ".DS_Store", "a/Thumbs.db", "a/desktop.ini", "a/._b.txt", "__MACOSX/x/y.txt"),
        *("~$a.docx", "b/.~lock.a.odt#"),
    )

    assert len(read(packed(*((name, bytes(50)) for name in litter), ("a.txt", "words"))).pages) == 1
    with pytest.raises(EmptyDocument):
        read(packed(*((name, bytes(50)) for name in litter)))


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("a.zip", INNER, NestedArchive),
        ("a", INNER, NestedArchive),
        ("a.gz", b"\x1f\x8b\x08\0", NestedArchive),
        ("a.7z", b"7z\xbc\xaf\x27\x1c\0\4", NestedArchive),
        ("a.rar", b"Rar!\x1a\x07\x01\0", NestedArchive),
        ("a.tar", b"a".ljust(257, b"\0") + b"ustar\x0000", NestedArchive),
        ("a.docx", INNER, TypeMismatch),
        ("a.exe", b"MZ" + bytes(60), UnsupportedType),
        ("a.mp3", b"ID3\x03\0\0", MediaFile),
        ("a.doc", OLE, LegacyOffice),
        ("a.docx", OLE + "EncryptedPackage".encode("utf-16-le"), EncryptedDocument),
    ],
)
def test_one_member_that_is_refused_refuses_all(name: str, content: bytes, error: type[MayflyError]) -> None:
    with pytest.raises(MayflyError) as caught:
        read(packed(("first.txt", "fine"), (name, content)))

    assert type(caught.value) is error


def test_an_archive_with_nothing_in_it_is_empty() -> None:
    with pytest.raises(EmptyDocument):
        read(packed(("folder/", b"")))


def test_pages_and_text_are_counted_over_all_members() -> None:
    archive = packed(*((f"{number}.txt", "words " * 100) for number in range(5)))

    assert len(read(archive).pages) == 5
    with pytest.raises(TooManyPages):
        read(archive, JailLimits(pages=4))
    with pytest.raises(TooMuchText):
        read(archive, JailLimits(text_bytes=2000))


def test_progress_counts_the_pages_of_the_whole() -> None:
    told = list[tuple[int, int]]()
    work = replace(Work(LIMITS), report=lambda done, known: told.append((done, known)))

    EXTRACTORS[Family.ZIP](packed(("a.csv", "x,y\n"), ("b.csv", "x,y\n"), ("c.json", "{}")), work)

    assert told == [(1, 3), (2, 3), (3, 3)]
