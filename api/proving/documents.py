"""The documents of the scenario, each made in memory with a marker where a learner's documents hold what is his."""

import io
import zipfile

from PIL import Image, ImageDraw, ImageFont

from api.client import Upload
from api.proving.markers import Markers

_CONTENT_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/word/document.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>'
    '<Override PartName="/docProps/core.xml" ContentType='
    '"application/vnd.openxmlformats-package.core-properties+xml"/></Types>'
)
_RELATIONS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Target="word/document.xml" Type='
    '"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/>'
    '<Relationship Id="r2" Target="docProps/core.xml" Type='
    '"http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties"/></Relationships>'
)
_DOCUMENT = (
    '<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
    "<w:body><w:p><w:r><w:t>The lighthouse keeper counts the boats that pass before dawn.</w:t></w:r></w:p></w:body>"
    "</w:document>"
)
_PROPERTIES = (
    '<?xml version="1.0"?><cp:coreProperties xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties">'
    "<dc:creator>{marker}</dc:creator><dc:title>{marker}</dc:title></cp:coreProperties>"
)


def uploads(markers: Markers) -> tuple[Upload, ...]:
    """Return a note of one sentence, a Word document whose name and metadata tell, and a picture to be recognised."""
    return (
        ("note.txt", markers.sentence("body").encode(), "text/plain"),
        (
            f"{markers.words['file name']}.docx",
            _word(markers.words["metadata"]),
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        ("photo.png", _picture(markers.sentence("pixels")), "image/png"),
    )


def _word(marker: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("[Content_Types].xml", _CONTENT_TYPES)
        archive.writestr("_rels/.rels", _RELATIONS)
        archive.writestr("word/document.xml", _DOCUMENT)
        archive.writestr("docProps/core.xml", _PROPERTIES.format(marker=marker))
    return buffer.getvalue()


def _picture(text: str) -> bytes:
    """Draw a sentence as large dark letters, a few words a line."""
    words = text.split()
    lines = "\n".join(" ".join(words[start : start + 4]) for start in range(0, len(words), 4))
    page = Image.new("L", (1600, 900), 255)
    ImageDraw.Draw(page).multiline_text((80, 80), lines, fill=0, font=ImageFont.load_default(size=56), spacing=24)
    buffer = io.BytesIO()
    page.save(buffer, "PNG")
    return buffer.getvalue()
