import time

import pytest

from ingestion.identify import Family, identify
from models.errors import EmptyDocument, UnsupportedType

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
HTML = b"<!DOCTYPE html><html><body><p>Hello</p></body></html>"


@pytest.mark.parametrize(
    ("content", "name", "family", "media_type"),
    [
        (PDF, "a.pdf", Family.PDF, "application/pdf"),
        (b"junk before\n" + PDF, "a.pdf", Family.PDF, "application/pdf"),
        (PDF, "no suffix", Family.PDF, "application/pdf"),
        (PNG, "a.png", Family.IMAGE, "image/png"),
        (PNG, "a.jpg", Family.IMAGE, "image/png"),
        (b"\xff\xd8\xff\xe0" + bytes(20), "a.jpeg", Family.IMAGE, "image/jpeg"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "a.webp", Family.IMAGE, "image/webp"),
        (b"II\x2a\0" + bytes(20), "a.tif", Family.IMAGE, "image/tiff"),
        (b"MM\0\x2a" + bytes(20), "a.tiff", Family.IMAGE, "image/tiff"),
        (HTML, "a.html", Family.HTML, "text/html"),
        (b"\n <!-- x --> <HTML><p>x", "a.txt", Family.HTML, "text/html"),
        (b"<p>a fragment</p>", "a.html", Family.HTML, "text/html"),
        (b"<p>a fragment</p>", "a.txt", Family.TEXT, "text/plain"),
        (HTML.decode().encode("utf-16"), "a.html", Family.HTML, "text/html"),
        (b"# Title\n\ntext", "a.md", Family.MARKDOWN, "text/markdown"),
        (b"# Title\n\ntext", "a.txt", Family.TEXT, "text/plain"),
        (
            "吾輩は猫である。名前はまだ無い。どこで生れたか頓と見当がつかぬ。".encode("cp932"),
            "a.txt",
            Family.TEXT,
            "text/plain",
        ),
        (b"a", "a.txt", Family.TEXT, "text/plain"),
    ],
)
def test_a_document_is_known_by_its_bytes(content: bytes, name: str, family: Family, media_type: str) -> None:
    found = identify(content, name, None)

    assert (found.family, found.media_type) == (family, media_type)


@pytest.mark.parametrize(
    ("content", "name", "declared"),
    [
        (b"PK\x03\x04" + PDF, "a.pdf", None),
        (b"MZ" + PDF, "a.pdf", None),
        (HTML, "a.pdf", None),
        (PDF, "a.docx", None),
        (PDF, "a.txt", None),
        (PDF, "a", "image/png"),
        (PNG, "a.pdf", None),
        (b"plain", "a.docx", None),
        (b"plain", "a", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (b"\x7fELF\x02\x01", "a.txt", None),
        (b"GIF89a....", "a.gif", None),
        (b"\x1f\x8b\x08\0", "a.gz", None),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a.doc", None),
        (b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>", "a.txt", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><text>x</text></svg>", "a.txt", None),
        (b"alert(1)", "a.js", None),
        (bytes(100), "a.txt", None),
        (bytes(range(256)) * 9, "a.txt", None),
        (b"x" + bytes([1, 2, 3, 4, 5, 6]) * 50, "a.txt", None),
    ],
)
def test_what_is_not_read_or_not_what_it_claims_is_refused(content: bytes, name: str, declared: str | None) -> None:
    with pytest.raises(UnsupportedType):
        identify(content, name, declared)


def test_no_bytes_are_an_empty_document() -> None:
    with pytest.raises(EmptyDocument):
        identify(b"", "a.pdf", "application/pdf")


@pytest.mark.parametrize("declared", ["application/octet-stream", "application/x-unknown", "", None])
def test_a_type_that_says_nothing_contradicts_nothing(declared: str | None) -> None:
    assert identify(PDF, "a.pdf", declared).family is Family.PDF


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\0b.pdf", ".pdf", "a.pdf.", "x" * 5000, "", "A.PDF"])
def test_a_strange_name_is_only_a_name(name: str) -> None:
    assert identify(PDF, name, None).family is Family.PDF


def test_a_comment_ends_at_its_first_end() -> None:
    assert identify(b"<!-- a --> not a comment --> <html>", "a.txt", None).family is Family.TEXT
    assert identify(b"<!-- a --><!-- <b> - -- > -->\n<html>", "a.txt", None).family is Family.HTML


def test_many_leading_comments_take_no_time_worth_naming() -> None:
    started = time.process_time()

    assert identify(b"<!-- x --> " * 26 + b"and no page", "a.txt", None).family is Family.TEXT

    assert time.process_time() - started < 2
