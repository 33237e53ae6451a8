"""What the jailer does once, before it listens: load everything, and find out which walls this machine can build."""

import codecs
import contextlib
import io
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pypdf
from PIL import Image

from ingestion.breakout import withstood
from ingestion.chunk import Chunker
from ingestion.encoding import OLD_ENCODINGS
from ingestion.extract import ocr
from ingestion.extract.reading import Block, RawPage, Work
from ingestion.extract.registry import EXTRACTORS
from ingestion.families import Family
from ingestion.language import language_of
from ingestion.level import Walls
from ingestion.limits import JailLimits
from ingestion.outline import compose
from ingestion.walls import enclose

_R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'


class NoJail(Exception):
    """This machine lets no jail be built."""


def warm_up(chunker: Chunker) -> None:
    """Load whatever the parsers load at first use, so that a jail finds it in memory. Leaves one thread, or fails."""
    text = "Ein Satz, der zeigt, was alles geladen wird.\u0301"
    page, outline = compose(1, RawPage((Block("Titel", level=1), Block(text))), markdown=False)
    chunker.chunks([(page, outline)], max_chunks=100)
    language_of([page])
    work = Work(JailLimits())
    for family, sample in _samples().items():
        EXTRACTORS[family](sample, work)
    ocr.installed_packs()
    for encoding in OLD_ENCODINGS:
        codecs.lookup(encoding)
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise RuntimeError(f"{threads} threads: a fork would copy only one of them")


def probe(limits: JailLimits) -> Walls:
    """Build a jail, try to break out of it, and return the walls that withstood.

    Raises ``NoJail`` when it did not come to that.
    """
    ours, theirs = os.pipe()
    with tempfile.NamedTemporaryFile(prefix="mayfly-witness-") as witness:
        jailer = os.getpid()
        witnesses = (witness.name, "/etc/passwd", f"/proc/{jailer}/status")
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                walls = enclose(limits, keep=frozenset({theirs}))
                found = withstood(walls, limits, witnesses=witnesses, jailer=jailer)
                os.write(theirs, msgspec.msgpack.encode(found))
            os._exit(0)
        os.close(theirs)
        with os.fdopen(ours, "rb") as report:
            answer = report.read()
        os.waitpid(pid, 0)
    if not answer:
        raise NoJail
    return msgspec.msgpack.decode(answer, type=Walls)


def _samples() -> dict[Family, bytes]:
    """Return a harmless document of each family that needs no other program to be read."""
    Image.init()
    text = "Ein Satz, der zeigt, was geladen wird: naïve façade.\n"
    html = f"<html><head><title>t</title></head><body><article><h1>t</h1><p>{text * 60}</p></article></body></html>"
    return {
        Family.PDF: _pdf(),
        Family.HTML: html.encode(),
        Family.MARKDOWN: f"# t\n{text}".encode(),
        Family.TEXT: text.encode("cp1252"),
        Family.CSV: b"a,b\n1,2\n",
        Family.JSON: b'{"a": 1}',
        Family.SRT: b"1\n00:00:01,000 --> 00:00:02,000\na\n",
        Family.EML: b"From: a@example.org\nTo: b@example.org\nDate: 1 Jan 2020 00:00:00 +0000\nSubject: a\n\na\n",
        Family.RTF: b"{\\rtf1\\ansi a}",
        **{family: _zip(entries) for family, entries in _zipped().items()},
    }


def _zip(entries: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in entries.items():
            packed.writestr(name, content)
    return buffer.getvalue()


def _zipped() -> dict[Family, dict[str, str]]:
    """Return the entries of a small document of each family that is a ZIP inside."""
    office = "http://schemas.openxmlformats.org"
    word = f'<w:document xmlns:w="{office}/wordprocessingml/2006/main"><w:body><w:p/></w:body>'
    sheet = f'<worksheet xmlns="{office}/spreadsheetml/2006/main"><sheetData><row><c><v>1</v></c></row></sheetData>'
    book = '<sheets><sheet name="a" r:id="r1"/></sheets>'
    page = '<html xmlns="http://www.w3.org/1999/xhtml"><body><p>a</p></body></html>'
    return {
        Family.DOCX: {
            "_rels/.rels": _relations("officeDocument", "word/document.xml"),
            "word/document.xml": f"{word}</w:document>",
        },
        Family.XLSX: {
            "_rels/.rels": _relations("officeDocument", "xl/workbook.xml"),
            "xl/workbook.xml": f'<workbook xmlns="{office}/spreadsheetml/2006/main" {_R}>{book}</workbook>',
            "xl/_rels/workbook.xml.rels": _relations("worksheet", "worksheets/sheet1.xml"),
            "xl/worksheets/sheet1.xml": f"{sheet}</worksheet>",
        },
        Family.PPTX: {
            "_rels/.rels": _relations("officeDocument", "ppt/presentation.xml"),
            "ppt/presentation.xml": f'<p:presentation xmlns:p="{office}/presentationml/2006/main" {_R}/>',
        },
        Family.ODT: {"content.xml": _opendocument("<office:text><text:p>a</text:p></office:text>")},
        Family.EPUB: {
            "META-INF/container.xml": '<container><rootfiles><rootfile full-path="a.opf"/></rootfiles></container>',
            "a.opf": '<package><manifest><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest>'
            '<spine><itemref idref="a"/></spine></package>',
            "a.xhtml": page,
        },
        Family.ZIP: {"a.txt": "a"},
    }


def _relations(kind: str, target: str) -> str:
    office = "http://schemas.openxmlformats.org"
    return (
        f'<Relationships xmlns="{office}/package/2006/relationships">'
        f'<Relationship Id="r1" Type="{office}/officeDocument/2006/relationships/{kind}" Target="{target}"/>'
        "</Relationships>"
    )


def _opendocument(body: str) -> str:
    name = "urn:oasis:names:tc:opendocument:xmlns"
    return (
        f'<office:document-content xmlns:office="{name}:office:1.0" xmlns:text="{name}:text:1.0">'
        f"<office:body>{body}</office:body></office:document-content>"
    )


def _pdf() -> bytes:
    writer, buffer = pypdf.PdfWriter(), io.BytesIO()
    writer.add_blank_page(width=72, height=72)
    writer.write(buffer)
    return buffer.getvalue()
