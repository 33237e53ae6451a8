import io
import time
import zipfile
from collections.abc import Mapping

import pytest

from ingestion.families import MEDIA_TYPES, Family
from ingestion.identify import identify
from models.errors import (
    EmptyDocument,
    EncryptedDocument,
    LegacyOffice,
    MacroDocument,
    MayflyError,
    MediaFile,
    ParserFailed,
    TooComplex,
    TypeMismatch,
    UnsupportedType,
)
from models.vocabulary import FILE_TYPES

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
WHOLE_PDF = PDF + b"1 0 obj\n<<>>\nendobj\nstartxref\n9\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
JPEG = b"\xff\xd8\xff\xe0" + bytes(20)
HTML = b"<!DOCTYPE html><html><body><p>Hello</p></body></html>"
MAIL = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: x\r\n\r\nHello\r\n"
SRT = b"1\n00:00:01,000 --> 00:00:02,000\nHello\n"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
MEBIBYTE = 1024 * 1024
MAIN = "application/vnd.openxmlformats-officedocument.{}.main+xml"


def packed(entries: Mapping[str, bytes | str], *, method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def office(content_type: str, **others: str) -> bytes:
    return packed({"[Content_Types].xml": f'<Types><Override ContentType="{content_type}"/></Types>', **others})


WORD, SLIDES, SHEETS = "wordprocessingml.", "presentationml.", "spreadsheetml."
ZIP = packed({"a.txt": "hello"})
OFFICE_TYPE = "application/vnd.openxmlformats-officedocument."
DOCX = office(MAIN.format(WORD + "document"))


def mimetype(media_type: str) -> bytes:
    return packed({"mimetype": media_type, "content.xml": "<x/>"})


@pytest.mark.parametrize(
    ("content", "name", "family", "media_type"),
    [
        (PDF, "a.pdf", Family.PDF, "application/pdf"),
        (b"junk before\n" + WHOLE_PDF, "a.pdf", Family.PDF, "application/pdf"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\n\r\n" + WHOLE_PDF, "a.pdf", Family.PDF, None),
        (PDF, "no suffix", Family.PDF, "application/pdf"),
        (PNG, "a.png", Family.IMAGE, "image/png"),
        (PNG, "a.jpg", Family.IMAGE, "image/png"),
        (JPEG, "a.jpeg", Family.IMAGE, "image/jpeg"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "a.webp", Family.IMAGE, "image/webp"),
        (b"II\x2a\0" + bytes(20), "a.tif", Family.IMAGE, "image/tiff"),
        (b"MM\0\x2a" + bytes(20), "a.tiff", Family.IMAGE, "image/tiff"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(20), "a.heic", Family.IMAGE, "image/heic"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(20), "a.HEIF", Family.IMAGE, "image/heic"),
        (DOCX, "a.docx", Family.DOCX, None),
        (DOCX, "no suffix", Family.DOCX, None),
        (DOCX, "a.zip", Family.DOCX, None),
        (office(MAIN.format(WORD + "template")), "a.dotx", Family.DOCX, None),
        (office(MAIN.format(SLIDES + "presentation")), "a.pptx", Family.PPTX, None),
        (office(MAIN.format(SLIDES + "slideshow")), "a.ppsx", Family.PPTX, None),
        (office(MAIN.format(SHEETS + "sheet")), "a.xlsx", Family.XLSX, None),
        (mimetype("application/vnd.oasis.opendocument.text"), "a.odt", Family.ODT, None),
        (mimetype("application/vnd.oasis.opendocument.text-template"), "a.ott", Family.ODT, None),
        (mimetype("application/vnd.oasis.opendocument.presentation"), "a.odp", Family.ODP, None),
        (mimetype("application/vnd.oasis.opendocument.spreadsheet"), "a.ods", Family.ODS, None),
        (mimetype("application/epub+zip\n"), "a.epub", Family.EPUB, None),
        (packed({"META-INF/container.xml": "<x/>"}), "a.epub", Family.EPUB, None),
        (ZIP, "a.zip", Family.ZIP, None),
        (packed({}), "a.zip", Family.ZIP, None),
        (packed({"a.pdf": WHOLE_PDF}), "a.zip", Family.ZIP, None),
        (b"{\\rtf1 a}", "a.rtf", Family.RTF, None),
        (b"{\\rtf1 a}", "a.doc", Family.RTF, None),
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
            None,
        ),
        ("ящик и ят стоят тут\n".encode("cp1251") * 9, "a.txt", Family.TEXT, None),
        (b"a", "a.txt", Family.TEXT, "text/plain"),
        (b"A PDF starts with %PDF-1.7 and a line end.", "a.md", Family.MARKDOWN, None),
        (b"a,b\n1,2\n", "a.csv", Family.CSV, None),
        (b"a\tb\n1\t2\n", "a.tsv", Family.CSV, None),
        (b' {"a": 1}\n', "a.json", Family.JSON, None),
        (b'{"a": 1}', "no suffix", Family.JSON, None),
        (b'{"a": 1}\n{"a": 2}\n', "a.jsonl", Family.JSON, None),
        (SRT, "a.srt", Family.SRT, "application/x-subrip"),
        (SRT, "no suffix", Family.SRT, None),
        (b"\xef\xbb\xbfWEBVTT\n\n00:01.000 --> 00:02.000\nx", "a.vtt", Family.VTT, None),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\nx", "a.srt", Family.VTT, None),
        (MAIL, "a.eml", Family.EML, None),
        (MAIL, "mail_test_1", Family.EML, None),
        (MAIL, "a.txt", Family.TEXT, None),
    ],
)
def test_a_document_is_known_by_its_bytes(content: bytes, name: str, family: Family, media_type: str | None) -> None:
    found = identify(content, name, None)

    assert (found.family, found.media_type) == (family, media_type or MEDIA_TYPES.get(family, "application/pdf"))
    assert found.media_type in FILE_TYPES


@pytest.mark.parametrize("name", ["a.json", "a.srt", "a.vtt", "a.eml", "a.html"])
def test_text_that_does_not_bear_out_its_name_is_plain_text(name: str) -> None:
    assert identify(b"No such thing, but words.", name, None).family is Family.TEXT


@pytest.mark.parametrize(
    ("content", "name", "declared", "error"),
    [
        (b"PK\x03\x04" + PDF, "a.pdf", None, ParserFailed),
        (ZIP, "a.pdf", None, TypeMismatch),
        (ZIP, "a.docx", None, TypeMismatch),
        (DOCX, "a.xlsx", None, TypeMismatch),
        (b"MZ" + bytes(60) + PDF, "a.pdf", None, TypeMismatch),
        (HTML, "a.pdf", None, TypeMismatch),
        (bytes(500), "a.pdf", None, TypeMismatch),
        (b"x", "a.pdf", None, TypeMismatch),
        (PDF, "a.docx", None, TypeMismatch),
        (PDF, "a.txt", None, TypeMismatch),
        (PDF, "a", "image/png", TypeMismatch),
        (PNG, "a.pdf", None, TypeMismatch),
        (b"plain", "a.docx", None, TypeMismatch),
        (b"plain", "a", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", TypeMismatch),
        (b"\x7fELF\x02\x01", "a.txt", None, TypeMismatch),
        (b"\x7fELF\x02\x01", "a", None, UnsupportedType),
        (b"#!/bin/sh\nrm -rf /\n", "a", None, UnsupportedType),
        (b"GIF89a....", "a.gif", None, UnsupportedType),
        (b"\x1f\x8b\x08\0", "a.gz", None, UnsupportedType),
        (b"7z\xbc\xaf\x27\x1c\0\4", "a.7z", None, UnsupportedType),
        (b"Rar!\x1a\x07\x01\0", "a.rar", None, UnsupportedType),
        (b"a".ljust(257, b"\0") + b"ustar\x0000", "a.tar", None, UnsupportedType),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "a.avif", None, UnsupportedType),
        (OLE, "a.doc", None, LegacyOffice),
        (OLE, "a.docx", None, LegacyOffice),
        (OLE + "EncryptedPackage".encode("utf-16-le"), "a.docx", None, EncryptedDocument),
        (office("application/vnd.ms-word.document.macroEnabled.main+xml"), "a.docm", None, MacroDocument),
        (office(MAIN.format(WORD + "document"), **{"word/vbaProject.bin": "x"}), "a.docx", None, MacroDocument),
        (office("application/vnd.ms-package.xps-fixeddocument+xml"), "a", None, UnsupportedType),
        (mimetype("application/vnd.oasis.opendocument.graphics"), "a.odg", None, UnsupportedType),
        (b"ID3\x03\0\0", "a.mp3", None, MediaFile),
        (b"\xff\xfb\x90\x64" + bytes(100), "a.mp3", None, MediaFile),
        (b"RIFF\x10\0\0\0WAVEfmt ", "a.wav", None, MediaFile),
        (b"RIFF\x10\0\0\0AVI LIST", "a.avi", None, MediaFile),
        (b"OggS\0\2", "a.ogg", None, MediaFile),
        (b"fLaC\0\0", "a.flac", None, MediaFile),
        (b"\x1aE\xdf\xa3\x01", "a.webm", None, MediaFile),
        (b"\0\0\0\x18ftypisom\0\0\2\0isommp41", "a.mp4", None, MediaFile),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "a.mov", None, MediaFile),
        (b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///x'>]><x>&e;</x>", "a", None, UnsupportedType),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><text>x</text></svg>", "a.svg", None, UnsupportedType),
        (b"alert(1)", "a.js", None, UnsupportedType),
        (b"plain", "a", "video/mp4", UnsupportedType),
        (bytes(100), "a.txt", None, TypeMismatch),
        (bytes(100), "a", None, UnsupportedType),
        (bytes(range(256)) * 9, "a", None, UnsupportedType),
        (b"x" + bytes([1, 2, 3, 4, 5, 6]) * 50, "a", None, UnsupportedType),
    ],
)
def test_what_is_not_read_or_not_what_it_claims_is_refused(
    content: bytes, name: str, declared: str | None, error: type[MayflyError]
) -> None:
    with pytest.raises(MayflyError) as caught:
        identify(content, name, declared)

    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (WHOLE_PDF + ZIP, "a.pdf"),
        (WHOLE_PDF + ZIP + b"\n", "a.pdf"),
        (b"<html><script>x()</script>" + WHOLE_PDF, "a.pdf"),
        (b"%PDF-1.4 <html><script>x()</script>" + WHOLE_PDF, "a.pdf"),
        (WHOLE_PDF + b"<script>x()</script>", "a.pdf"),
        (b"var x = /*" + WHOLE_PDF + b"*/1;", "a.pdf"),
        (b"GIF89a/*" + WHOLE_PDF, "a.pdf"),
        (b"GIF89a" + bytes(50) + ZIP, "a.gif"),
        (b"#!/bin/sh\n" + WHOLE_PDF, "a.pdf"),
        (PNG + ZIP, "a.png"),
        (JPEG + ZIP, "a.jpg"),
        (PNG + WHOLE_PDF, "a.png"),
        (HTML + ZIP, "a.html"),
        (b"some text\n" + ZIP, "a.txt"),
    ],
)
def test_what_is_two_things_at_once_is_refused(content: bytes, name: str) -> None:
    with pytest.raises(TypeMismatch):
        identify(content, name, None)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_document_that_rightly_holds_another_is_no_polyglot(method: int) -> None:
    attached = PDF + b"3 0 obj\n<<>>\nstream\n" + ZIP + b"\nendstream\nendobj\nstartxref\n9\n%%EOF\n"
    book = {"[Content_Types].xml": MAIN.format(WORD + "document"), "word/media/a.png": PNG, "word/e/a.zip": ZIP}

    assert identify(attached, "a.pdf", None).family is Family.PDF
    assert identify(packed(book, method=method), "a.docx", None).family is Family.DOCX
    assert identify(packed({"a.html": HTML, "a.zip": ZIP}, method=method), "a.zip", None).family is Family.ZIP


def test_no_bytes_are_an_empty_document() -> None:
    with pytest.raises(EmptyDocument):
        identify(b"", "a.pdf", "application/pdf")


@pytest.mark.parametrize("declared", ["application/octet-stream", "application/x-unknown", "", None])
def test_a_type_that_says_nothing_contradicts_nothing(declared: str | None) -> None:
    assert identify(PDF, "a.pdf", declared).family is Family.PDF


@pytest.mark.parametrize(
    ("content", "name", "declared", "family"),
    [
        (b"a,b\n1,2\n", "a.csv", "application/vnd.ms-excel", Family.CSV),
        (b"a,b\n1,2\n", "a.csv", "text/plain; charset=utf-8", Family.CSV),
        (SRT, "a.srt", "text/plain", Family.SRT),
        (b"# a", "a.md", "text/plain", Family.MARKDOWN),
        (b"# a", "a", "text/markdown", Family.MARKDOWN),
        (ZIP, "a.zip", "application/x-zip-compressed", Family.ZIP),
        (DOCX, "a.docx", "application/zip", Family.DOCX),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a.heic", "image/heif", Family.IMAGE),
        (b"{\\rtf1 a}", "a.rtf", "text/rtf", Family.RTF),
        (b"{\\rtf1 a}", "a.rtf", "application/msword", Family.RTF),
        (b"{}", "a.json", "text/json", Family.JSON),
        (DOCX, "a.dotx", OFFICE_TYPE + "wordprocessingml.template", Family.DOCX),
        (DOCX, "a.doc", "application/msword", Family.DOCX),
        (b"<html><p>a</p></html>", "a.doc", "application/msword", Family.HTML),
        (b"a\tb\n1\t2\n", "a.xls", "application/vnd.ms-excel", Family.TEXT),
    ],
)
def test_what_browsers_declare_wrongly_does_no_harm(content: bytes, name: str, declared: str, family: Family) -> None:
    assert identify(content, name, declared).family is family


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a\0b.pdf", ".pdf", "a.pdf.", "x" * 5000, "", "A.PDF", "C:\\a.b\\c"]
)
def test_a_strange_name_is_only_a_name(name: str) -> None:
    assert identify(PDF, name, None).family is Family.PDF


def test_a_comment_ends_at_its_first_end() -> None:
    assert identify(b"<!-- a --> not a comment --> <html>", "a.txt", None).family is Family.TEXT
    assert identify(b"<!-- a --><!-- <b> - -- > -->\n<html>", "a.txt", None).family is Family.HTML


@pytest.mark.parametrize(
    "content",
    [
        b"<!-- x --> " * 26 + b"and no page",
        b"a" * 20 * MEBIBYTE,
        "e\u0301\u0302".encode() * MEBIBYTE,
        b"a:\n" * MEBIBYTE,
        b"A-A" * MEBIBYTE,
        b" " * 20 * MEBIBYTE,
        b"00:" * MEBIBYTE,
        b"<p " * MEBIBYTE,
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a", "a.html", "a.srt"])
def test_a_text_made_to_be_slow_takes_no_time_worth_naming(content: bytes, name: str) -> None:
    started = time.process_time()

    assert identify(content, name, None).family is Family.TEXT

    assert time.process_time() - started < 2


def test_an_archive_of_too_many_entries_is_not_even_listed() -> None:
    with pytest.raises(TooComplex):
        identify(packed({f"{number}.txt": "" for number in range(2001)}), "a.zip", None)
