"""The families of formats that are read, and the media type of each."""

from enum import Enum


class Family(Enum):
    """A family of formats; each has one extractor."""

    PDF = "pdf"
    IMAGE = "image"
    DOCX = "docx"
    PPTX = "pptx"
    XLSX = "xlsx"
    ODT = "odt"
    ODP = "odp"
    ODS = "ods"
    EPUB = "epub"
    ZIP = "zip"
    RTF = "rtf"
    HTML = "html"
    MARKDOWN = "markdown"
    TEXT = "text"
    CSV = "csv"
    JSON = "json"
    SRT = "srt"
    VTT = "vtt"
    EML = "eml"


_OFFICE = "application/vnd.openxmlformats-officedocument."
_OPEN = "application/vnd.oasis.opendocument."
IMAGE_TYPE_PREFIX = "image/"
# Of images the signature says more.
MEDIA_TYPES = {
    Family.PDF: "application/pdf",
    Family.DOCX: _OFFICE + "wordprocessingml.document",
    Family.PPTX: _OFFICE + "presentationml.presentation",
    Family.XLSX: _OFFICE + "spreadsheetml.sheet",
    Family.ODT: _OPEN + "text",
    Family.ODP: _OPEN + "presentation",
    Family.ODS: _OPEN + "spreadsheet",
    Family.EPUB: "application/epub+zip",
    Family.ZIP: "application/zip",
    Family.RTF: "application/rtf",
    Family.HTML: "text/html",
    Family.MARKDOWN: "text/markdown",
    Family.TEXT: "text/plain",
    Family.CSV: "text/csv",
    Family.JSON: "application/json",
    Family.SRT: "application/x-subrip",
    Family.VTT: "text/vtt",
    Family.EML: "message/rfc822",
}
TEXT_FAMILIES = frozenset(
    {Family.HTML, Family.MARKDOWN, Family.TEXT, Family.CSV, Family.JSON, Family.SRT, Family.VTT, Family.EML}
)
ZIPPED_FAMILIES = frozenset(
    {Family.DOCX, Family.PPTX, Family.XLSX, Family.ODT, Family.ODP, Family.ODS, Family.EPUB, Family.ZIP}
)
