"""Makes office documents and books: with the programs' own libraries, and by hand where those cannot."""

import io
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import docx
import openpyxl
import pptx

from ingestion.extract.reading import Reading, Work
from ingestion.limits import JailLimits
from ingestion.outline import Outline, compose

WORK = Work(JailLimits())
LAUGHS = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_WORD_SPACES = (
    f'{_W} xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    ' xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
    ' xmlns:v="urn:schemas-microsoft-com:vml"'
)
_OPEN_SPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{urn}:1.0"'
    for name, urn in {
        "office": "office", "text": "text", "table": "table", "draw": "drawing", "style": "style",
        "presentation": "presentation", "manifest": "manifest",
    }.items()
)  # fmt: skip


def texts(reading: Reading) -> list[str]:
    """Return the pages' texts in normal form."""
    return [page.text for page, _ in composed(reading)]


def composed(reading: Reading) -> list[tuple[Any, Outline]]:
    return [compose(number, raw, markdown=reading.markdown) for number, raw in enumerate(reading.pages, start=1)]


def word(build: Callable[[Any], None]) -> bytes:
    """Return a Word document that ``build`` fills."""
    document = docx.Document()
    build(document)
    return _saved(document)


def word_body(xml: str, *, parts: Mapping[str, str] | None = None) -> bytes:
    """Return a Word document with this body, and these parts by kind ("styles", "footnotes", "header" …)."""
    relations = "".join(
        f'<Relationship Id="r{kind}" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}"'
        f' Target="{kind}.xml"/>'
        for kind in parts or {}
    )
    return zipped(
        {
            "_rels/.rels": _relationships(
                '<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
                'officeDocument" Target="word/document.xml"/>'
            ),
            "word/document.xml": f"<w:document {_WORD_SPACES}><w:body>{xml}</w:body></w:document>",
            "word/_rels/document.xml.rels": _relationships(relations),
            **{
                f"word/{kind}.xml": f"<w:{kind} {_WORD_SPACES}>{inner}</w:{kind}>"
                for kind, inner in (parts or {}).items()
            },
        }
    )


def presentation(build: Callable[[Any], None]) -> bytes:
    """Return a presentation that ``build`` fills."""
    slides = pptx.Presentation()
    build(slides)
    return _saved(slides)


def workbook(build: Callable[[Any], None]) -> bytes:
    """Return a workbook that ``build`` fills."""
    book = openpyxl.Workbook()
    build(book)
    return _saved(book)


def open_document(kind: str, body: str, *, styles: str = "", masters: str = "", manifest: str = "") -> bytes:
    """Return an OpenDocument file of a kind ("text", "presentation", "spreadsheet") with this body."""
    return zipped(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "META-INF/manifest.xml": f"<manifest:manifest {_OPEN_SPACES}>{manifest}</manifest:manifest>",
            "content.xml": f"<office:document-content {_OPEN_SPACES}><office:automatic-styles>{styles}"
            f"</office:automatic-styles><office:body><office:{kind}>{body}</office:{kind}></office:body>"
            "</office:document-content>",
            "styles.xml": f"<office:document-styles {_OPEN_SPACES}><office:master-styles>{masters}"
            "</office:master-styles></office:document-styles>",
        }
    )


def book(
    chapters: Mapping[str, str | bytes], *, spine: str = "", manifest: str = "", others: Mapping[str, str] | None = None
) -> bytes:
    """Return a book with these chapters by file name, read in this order unless ``spine`` says otherwise."""
    items = "".join(
        f'<item id="c{number}" href="{name}" media-type="application/xhtml+xml"/>'
        for number, name in enumerate(chapters)
    )
    spine = spine or "".join(f'<itemref idref="c{number}"/>' for number in range(len(chapters)))
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="OPS/book.opf"/></rootfiles></container>',
            "OPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf"><metadata/>'
            f"<manifest>{items}{manifest}</manifest><spine>{spine}</spine></package>",
            **{f"OPS/{name}": content for name, content in chapters.items()},
            **(others or {}),
        }
    )


def zipped(entries: Mapping[str, str | bytes]) -> bytes:
    """Return a ZIP of these entries."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def changed(content: bytes, changes: Mapping[str, Callable[[bytes], bytes]]) -> bytes:
    """Return a ZIP with these entries changed; one that it lacks is made from nothing."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries: dict[str, bytes] = {name: archive.read(name) for name in archive.namelist()}
    return zipped({**entries, **{name: change(entries.get(name, b"")) for name, change in changes.items()}})


def _relationships(inner: str) -> str:
    return (
        f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{inner}</Relationships>'
    )


def _saved(document: Any) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()
