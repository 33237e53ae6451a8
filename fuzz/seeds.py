"""The inputs that mutation starts from: the saved corpus, and documents of that kind beside the checkout, if any.

Run ``python -m fuzz.seeds`` to write the saved corpus anew: tiny files made by our own code and by the libraries that
tests make documents with, one or two for each harness. Reproducers of what was found are kept beside them by hand.
"""

import csv
import io
import json
import sys
import zipfile
from collections.abc import Iterator
from email.message import EmailMessage
from functools import cache
from pathlib import Path

import msgspec
import pypdf
from PIL import Image, ImageDraw

from ingestion.identify import identify
from ingestion.jail import Failed, Finished, Progress
from models.content import Chunk, Extraction, Page
from models.errors import MayflyError

CORPUS = Path(__file__).parent / "corpus"
DOCUMENTS = Path(__file__).parents[2] / "shared" / "documents"
_LARGEST_BYTES = 300_000
_TEXT = "A wren sings. Ein Zaunkönig singt.\nتغرّد 鳥が鳴く。\n"


def seeds_of(name: str) -> list[bytes]:
    """Return the inputs to start from, the saved ones first. Never none."""
    saved = [path.read_bytes() for path in sorted((CORPUS / name).glob("*")) if path.is_file()]
    beside = [data for kind, data in _beside() if kind == name]
    return saved + beside or [b""]


@cache
def _beside() -> tuple[tuple[str, bytes], ...]:
    return tuple(_documents()) if (DOCUMENTS / "MANIFEST.tsv").is_file() else ()


def _documents() -> Iterator[tuple[str, bytes]]:
    with (DOCUMENTS / "MANIFEST.tsv").open(encoding="utf-8", newline="") as lines:
        files = [row["file"] for row in csv.DictReader(lines, delimiter="\t") if row["kind"] != "truth"]
    for file in files:
        path = DOCUMENTS / file
        if path.stat().st_size > _LARGEST_BYTES:
            continue
        data = path.read_bytes()
        try:
            yield identify(data, path.name, None).family.value, data
        except MayflyError:
            yield "identify", b"\x00" + data
        if data[:2] == b"PK":
            yield "archive", data


def _pdf() -> bytes:
    writer, buffer = pypdf.PdfWriter(), io.BytesIO()
    for size in (72, 144):
        writer.add_blank_page(width=size, height=size)
    writer.add_outline_item(title="Chapter", page_number=1)
    writer.add_attachment("note.txt", b"attached")
    writer.write(buffer)
    return buffer.getvalue()


def _pdf_of_text() -> bytes:
    content = b"BT /F1 9 Tf 9 50 Td (A wren sings) Tj 0 -12 Td <416e64> Tj ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R/PageLabels<</Nums[0<</S/r>>]>>>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Resources<</Font<</F1 5 0 R>>>>/Contents 4 0 R>>",
        b"<</Length %d>>\nstream\n%s\nendstream" % (len(content), content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    written, offsets = b"%PDF-1.4\n", list[int]()
    for number, each in enumerate(objects, 1):
        offsets.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return written + table + b"trailer\n<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(written)


def _picture(kind: str) -> bytes:
    picture, buffer = Image.new("L", (48, 24), 255), io.BytesIO()
    ImageDraw.Draw(picture).text((4, 6), "wren", fill=0)
    pages = {"save_all": True, "append_images": [picture.rotate(90)]} if kind == "tiff" else {}
    picture.save(buffer, kind, **pages)
    return buffer.getvalue()


def _html() -> bytes:
    rows = "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"
    return (
        '<!doctype html><html lang="de"><head><meta charset="utf-8"><title>t</title><script>x</script></head>'
        f"<body><article><h1>Wren</h1><p>{_TEXT}</p><ul><li>one<li>two</ul>{rows}<p hidden>no</p>"
        "</article></body></html>"
    ).encode()


def _mail() -> bytes:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["Date"] = "Zaunkönig", "a@example.org", "Sat, 21 Nov 2026 07:00:00 +0000"
    mail.set_content(_TEXT)
    mail.add_alternative(f"<p>{_TEXT}</p>", subtype="html")
    mail.add_attachment(b"attached", maintype="application", subtype="octet-stream", filename="a.bin")
    return mail.as_bytes()


def _word() -> bytes:
    import docx

    document = docx.Document()
    document.add_heading("Wren", level=1)
    document.add_paragraph(_TEXT)
    document.add_paragraph("one", style="List Bullet")
    table = document.add_table(rows=2, cols=2)
    table.cell(0, 0).text, table.cell(1, 1).text = "a", "2"
    return _lean(document)


def _slides() -> bytes:
    import pptx
    import pptx.util

    show = pptx.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[1])
    side = pptx.util.Length(99)
    box = slide.shapes.add_textbox(side, side, side, side)
    box.text_frame.text = _TEXT
    return _lean(show)


def _sheets() -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    first = book.worksheets[0]
    for row in (["bird", "day", "grams"], ["wren", "2026-11-21", 9.5], ["robin", True, "=C2*2"]):
        first.append(row)
    book.create_sheet("second")
    return _lean(book)


def _lean(document: object) -> bytes:
    """Save a document and leave out pictures, themes, layouts but one, and packed previews."""
    buffer, lean = io.BytesIO(), io.BytesIO()
    document.save(buffer)  # type: ignore[attr-defined]  # All three libraries have it.
    with zipfile.ZipFile(buffer) as full, zipfile.ZipFile(lean, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name in full.namelist():
            if not any(
                part in name for part in ("theme", "thumbnail", "printerSettings", "customXml", "slideLayouts/")
            ):
                packed.writestr(zipfile.ZipInfo(name), full.read(name), zipfile.ZIP_DEFLATED)
    return lean.getvalue()


def _zip(*entries: tuple[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, text in entries:
            packed.writestr(
                zipfile.ZipInfo(name), text, zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            )
    return buffer.getvalue()


def _opendocument(kind: str, body: str) -> bytes:
    spaces = " ".join(
        f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{long}:1.0"'
        for short, long in (("office", "office"), ("text", "text"), ("table", "table"), ("draw", "drawing"))
    )
    media_type = f"application/vnd.oasis.opendocument.{kind}"
    content = (
        f'<?xml version="1.0"?><office:document-content {spaces}>'
        f"<office:body>{body}</office:body></office:document-content>"
    )
    manifest = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{media_type}"/></manifest:manifest>'
    )
    return _zip(("mimetype", media_type), ("META-INF/manifest.xml", manifest), ("content.xml", content))


def _opendocuments() -> dict[str, bytes]:
    heading = '<text:h text:outline-level="1">Wren</text:h>'
    table = (
        '<table:table table:name="t"><table:table-row><table:table-cell office:value-type="float" office:value="1">'
        '<text:p>1</text:p></table:table-cell><table:table-cell table:number-columns-repeated="3"/>'
        "</table:table-row></table:table>"
    )
    frame = "<draw:frame><draw:text-box><text:p>Wren</text:p></draw:text-box></draw:frame>"
    page = f'<draw:page draw:name="p">{frame}</draw:page>'
    return {
        "odt": _opendocument(
            "text", f'<office:text>{heading}<text:p>a<text:s text:c="2"/>b</text:p>{table}</office:text>'
        ),
        "ods": _opendocument("spreadsheet", f"<office:spreadsheet>{table}</office:spreadsheet>"),
        "odp": _opendocument("presentation", f"<office:presentation>{page}</office:presentation>"),
    }


def _book() -> bytes:
    container = (
        '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="c.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata/><manifest>'
        '<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>'
        '</manifest><spine><itemref idref="a"/></spine></package>'
    )
    chapter = f'<html xmlns="http://www.w3.org/1999/xhtml"><body><h1>Wren</h1><p>{_TEXT}</p></body></html>'
    return _zip(
        ("mimetype", "application/epub+zip"),
        ("META-INF/container.xml", container),
        ("c.opf", package),
        ("a.xhtml", chapter),
    )


def _form() -> bytes:
    head = 'Content-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain'
    return f"\x07--fuzz\r\n{head}\r\n\r\n{_TEXT}\r\n--fuzz\r\n{head}\r\n\r\nb\r\n--fuzz--\r\n".encode()


def documents() -> dict[str, list[bytes]]:
    """Return small documents of every type that is read, under the name each would be uploaded by."""
    subtitles = "1\n00:00:01,000 --> 00:00:02,500\nA <i>wren</i> sings.\n\n2\n00:00:03,000 --> 00:00:04,000\nAgain.\n"
    cues = "WEBVTT\n\nNOTE x\n\n00:01.000 --> 00:02.000 align:start\n<v Ann>A wren &amp; more.\n"
    return {
        "a.pdf": [_pdf(), _pdf_of_text()],
        "a.html": [_html()],
        "a.md": [f"# Wren\n\n{_TEXT}\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\n# x\n```\n".encode()],
        "a.txt": [_TEXT.encode(), _TEXT.encode("utf-16")],
        "a.csv": [b'bird,grams\nwren,"9,5"\n"ro""bin",\n', b"a;b\r\n1;2\r\n"],
        "a.json": [
            json.dumps({"birds": [{"name": "wren", "grams": 9.5, "seen": None}], "of": "Z\u00e4hlung"}).encode()
        ],
        "a.srt": [subtitles.encode()],
        "a.vtt": [cues.encode()],
        "a.eml": [_mail()],
        "a.rtf": [rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 A;}}\b W\b0ren \u228?\'e4\par{\*\x y}\cell}"],
        "a.docx": [_word()],
        "a.pptx": [_slides()],
        "a.xlsx": [_sheets()],
        "a.epub": [_book()],
        "a.zip": [_zip(("a.txt", _TEXT), ("b/c.md", "# Wren"), ("d.html", _html().decode()))],
        **{f"a.{name}": [data] for name, data in _opendocuments().items()},
        **{f"a.{name}": [_picture(name)] for name in ("png", "jpeg", "webp", "tiff")},
    }


def made() -> dict[str, list[bytes]]:
    """Return the seeds of every harness that starts from files of its own."""
    page, chunk = Page(1, "one two three", "i", 80.0), Chunk(1, 0, 3, ("h",), (1.0, 2.0))
    answer = Extraction("text/plain", (page,), (chunk,), "en", 1)
    front = {
        "identify": [b"\x01" + _pdf_of_text(), b"\x02" + _word(), b"\x07" + _html(), b"\x0a{}"],
        "archive": [_zip(("a.txt", "a" * 99), ("b/c.txt", _TEXT))],
        "answer": [
            msgspec.msgpack.encode(Finished(extraction=answer)),
            msgspec.msgpack.encode(Progress(stage="extracting", pages_done=1, pages_known=2)),
            msgspec.msgpack.encode(Failed(slug="parser_failed")),
        ],
        "multipart": [_form()],
        "metadata": [b"filename d3Jlbi5wZGY=,filetype YXBwbGljYXRpb24vcGRm,lone", b"filename 6bOl,x YQ=="],
    }
    for filename, seeds in documents().items():
        for seed in seeds:
            front.setdefault(identify(seed, filename, None).family.value, []).append(seed)
    return front


def main() -> None:
    """Write the saved corpus."""
    for name, seeds in made().items():
        (CORPUS / name).mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds, 1):
            (CORPUS / name / f"made-{number}").write_bytes(seed)
    sizes = sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file())
    sys.stdout.write(f"{sizes} bytes in {CORPUS}\n")


if __name__ == "__main__":
    main()
